"""The people behind the accounts: what is known of each before anything is written into a table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.draws import (
    WHOLE_USERS,
    Bools,
    Ints,
    below,
    normal,
    picked,
    spread,
    stream,
    times_between,
    weighted,
)
from sitejobs_local.population.places import weights

GENDERS = ("UNSPECIFIED", "MALE", "FEMALE", "NONBINARY", "OTHER")
TASTE_AXES = 6
OLDEST_ACCOUNT_DAYS = 2200

# Whom people look for, as UserPreference.preferredGenders has it, and how often each is chosen by the chooser's own
# gender (in the order of GENDERS).
PREFERRED_GENDERS = (
    '["FEMALE"]',
    '["MALE"]',
    '["MALE", "FEMALE"]',
    '["FEMALE", "NONBINARY"]',
    '["NONBINARY", "OTHER", "FEMALE", "MALE"]',
    '["UNSPECIFIED", "MALE", "FEMALE", "NONBINARY", "OTHER"]',
)
_PREFERRED_WEIGHTS = (
    (3, 3, 3, 1, 1, 1),
    (86, 6, 3, 3, 1, 1),
    (5, 84, 6, 1, 3, 1),
    (2, 2, 3, 3, 6, 2),
    (2, 2, 3, 2, 4, 4),
)

_AGES = np.arange(18, 81)
_AGE_WEIGHTS = [
    30 + 7 * (age - 18) if age < 28 else 100 - 3 * (age - 28) if age < 45 else 49 * (81 - age) // 36
    for age in _AGES.tolist()
]
_ARCHETYPES = 24
_FIRST_PROFILE_ID = 101


@dataclass(frozen=True, eq=False)
class People:
    """The users' hidden traits, one row each in the order of their ids, from which all their data follow."""

    ids: Ints
    profile_ids: Ints
    """0 where a user has no profile."""
    joined: NDArray[np.datetime64]
    place: Ints
    """Index into PLACES, also of those who do not tell."""
    gender: Ints
    """Index into GENDERS."""
    preferred: Ints
    """Index into PREFERRED_GENDERS, also of those who do not tell."""
    age: Ints
    taste: Ints
    """users x TASTE_AXES, each axis about normal with standard deviation 1000."""
    charm: Ints
    """users x 4 (attractive, smart, funny, interesting), normal with standard deviation 1000."""
    popularity: Ints
    """Weight in the draw of whom others come across; 0 without a profile."""
    now: np.datetime64

    def __len__(self) -> int:
        return len(self.ids)

    def attracted(self, first: Ints, second: Ints) -> Bools:
        """Whether each person of `first` looks for the gender of the person at the same place in `second`."""
        wanted = np.array([[f'"{gender}"' in option for gender in GENDERS] for option in PREFERRED_GENDERS])
        found: Bools = wanted[self.preferred[first], self.gender[second]]
        return found

    def kinship(self, first: Ints, second: Ints) -> Ints:
        """How near two people's tastes are, in thousandths: about normal, the higher the nearer."""
        # The square root of the number of axes brings the sum of products back to one deviation.
        sums: Ints = (self.taste[first] * self.taste[second]).sum(axis=1)
        return sums // 1000 * 10 // 24


def people(users: int, seed: int, now: np.datetime64) -> People:
    """Draw who is on the site; the first users are the oldest accounts."""
    rng = stream(seed, "people")
    oldest = now - np.timedelta64(OLDEST_ACCOUNT_DAYS, "D")
    joined = np.sort(times_between(rng, np.full(users, oldest), now))
    gender = _genders(rng, users)
    profile_ids = np.where(picked(rng, users, 10), 0, _with_gaps(rng, users, first=_FIRST_PROFILE_ID))
    archetypes = normal(rng, (_ARCHETYPES, TASTE_AXES))
    taste = (archetypes[rng.integers(0, _ARCHETYPES, users)] * 8 + normal(rng, (users, TASTE_AXES)) * 6) // 10
    charm = normal(rng, (users, 4))
    return People(
        ids=_with_gaps(rng, users, first=1),
        profile_ids=profile_ids,
        joined=joined,
        place=weighted(rng, weights(), users),
        gender=gender,
        preferred=_preferred(rng, gender),
        age=_AGES[weighted(rng, _AGE_WEIGHTS, users)],
        taste=taste,
        charm=charm,
        popularity=np.where(profile_ids > 0, _popularity(rng, charm[:, 0]), 0),
        now=now,
    )


def _genders(rng: np.random.Generator, users: int) -> Ints:
    """Indices into GENDERS: 52 men to 48 women, and exact shares of the others."""
    kinds = spread(rng, users, 50, 40, 20)
    men_and_women = 1 + (rng.integers(0, 100, users) >= 52)
    return np.where(kinds == 0, men_and_women, np.array([0, 0, 3, 4])[kinds])


def _preferred(rng: np.random.Generator, gender: Ints) -> Ints:
    """Indices into PREFERRED_GENDERS."""
    cumulative = np.cumsum(np.array(_PREFERRED_WEIGHTS), axis=1)[gender]
    draws = below(rng, cumulative[:, -1])
    indices: Ints = (draws[:, None] >= cumulative).sum(axis=1)
    return indices


def _popularity(rng: np.random.Generator, attractive: Ints) -> Ints:
    """Weights with a long tail, higher for the attractive."""
    # 1 / sqrt(uniform) is a Pareto tail: a few people are seen by very many.
    tail = np.floor(np.sqrt(2.0**40 / rng.integers(1, 2**32, len(attractive)))).astype(np.int64)
    return tail * (2500 + np.clip(attractive, -2000, 4000)) // 2500


def _with_gaps(rng: np.random.Generator, users: int, first: int) -> Ints:
    """Ascending ids with holes, after a few without."""
    steps = np.array([1, 2, 3, 7, 500])[weighted(rng, (880, 60, 40, 19, 1), users)]
    steps[:WHOLE_USERS] = 1
    return first - 1 + np.cumsum(steps)
