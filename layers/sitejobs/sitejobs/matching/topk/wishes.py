"""What people want of the other side, laid out for the screening, viewers and candidates alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.topk.bounds import wanted_ages

GENDERS = 8
"""Numbers of a gender; MISSING is the last of them."""

_SHIFT = np.uint16(GENDERS)

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


@dataclass(frozen=True)
class WishCodes:
    """Genders and ages of n users and what they want of them, in so few bits that all pairs are compared quickly.

    gender, unwanted : (n,) one bit for the gender, and those of the genders that are not wanted.
    age, low, span : (n,) uint8, 0 for an unknown age, 255 for all ages from 254; an age is wanted if it is at most
        `span` above `low`, counted modulo 256, so that an empty range may pass.
    """

    gender: NDArray[np.uint16]
    unwanted: NDArray[np.uint16]
    age: NDArray[np.uint8]
    low: NDArray[np.uint8]
    span: NDArray[np.uint8]

    @classmethod
    def of(cls, users: Users, wishes: Wishes) -> "WishCodes":
        codes = np.where(users.gender == MISSING, GENDERS - 1, users.gender).astype(np.uint16)
        unwanted = (~wishes.genders).T @ (1 << np.arange(GENDERS, dtype=np.uint16))
        low, high = _age_codes(wishes.age_low), _age_codes(wishes.age_high)
        gender = np.left_shift(np.uint16(1), codes)
        return cls(gender, unwanted.astype(np.uint16), _age_codes(users.age), low, high - low)

    def may_suit(self, rows: Indices, others: "WishCodes", columns: slice, *, mutual: bool) -> Flags:
        """(r, c) whether gender and age of the others may be what these users want, and `mutual` the reverse too."""
        here, there = self.unwanted[rows], others.gender[columns]
        if mutual:
            here = here | np.left_shift(self.gender[rows], _SHIFT)
            there = there | np.left_shift(others.unwanted[columns], _SHIFT)
        fits = (here[:, None] & there) == 0
        fits &= (others.age[columns] - self.low[rows, None]) <= self.span[rows, None]
        if mutual:
            fits &= (self.age[rows, None] - others.low[columns]) <= others.span[columns]
        return np.asarray(fits)


def _age_codes(ages: NDArray[np.int16]) -> NDArray[np.uint8]:
    return np.clip(ages.astype(np.int32) + 1, 0, 255).astype(np.uint8)
