"""What people want of the other side, laid out for the screening, viewers and candidates alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.topk.bounds import wanted_ages

GENDERS = 8
"""Numbers of a gender; MISSING is the last of them."""

MOST_KM = 1e6
"""More than any distance on earth."""


@dataclass(frozen=True)
class Wishes:
    """Preferences of n users.

    genders : (GENDERS, n) whether each is wanted. age_low, age_high: (n,) as `wanted_ages` has them.
    km : (n,) infinite where no distance is preferred, which `anywhere` tells. most_km: the same in single precision, no
        more than `MOST_KM`.
    """

    genders: Flags
    age_low: NDArray[np.int16]
    age_high: NDArray[np.int16]
    km: Floats
    most_km: Singles
    anywhere: Flags

    @classmethod
    def of(cls, users: Users) -> "Wishes":
        codes, wants = np.arange(GENDERS)[:, None], users.wants.astype(np.int64)
        genders = (wants == 0) | ((codes < GENDERS - 1) & ((wants >> codes) & 1 == 1))
        low, high = wanted_ages(users)
        km = np.where(np.isnan(users.distance), np.inf, users.distance)
        return cls(genders, low, high, km, np.minimum(km, MOST_KM).astype(np.float32), np.isinf(km))

    def suit(self, rows: Indices, others: Users, other: Indices) -> Flags:
        """(p,) whether others[other[i]] has a gender and age that the user rows[i] wants."""
        age = others.age[other]
        fits = self.genders[others.gender[other], rows]  # MISSING is the last row
        return np.asarray(fits & (age >= self.age_low[rows]) & (age <= self.age_high[rows]))

    def accept(self, columns: slice, gender: NDArray[np.int8], age: NDArray[np.int16]) -> Flags:
        """(r, c) whether the users `columns` want the gender and age of each of r others."""
        fits = self.genders[gender, columns]
        fits &= age[:, None] >= self.age_low[columns]
        fits &= age[:, None] <= self.age_high[columns]
        return np.asarray(fits)
