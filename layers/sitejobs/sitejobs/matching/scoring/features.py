"""What the learned model reads of a pair: four numbers that are the same for both directions.

`L(i, j) = c + s_i + A_j + w . f(i, j)` is the log odds that i says yes to j; this is f.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.matching.scoring.geometry import km_between
from sitejobs.matching.scoring.interests import InterestBits, count_bits
from sitejobs.matching.scoring.pair_scores import jaccard, proximity_within, trait_similarity
from sitejobs.matching.scoring.users import MISSING, Users

TRAITS_CENTRE: Final = 0.5
INTERESTS_CENTRE: Final = 0.3
MOST_YEARS: Final = 30.0
"""Age gaps beyond are all one."""
UNKNOWN_YEARS: Final = 5.0
"""Age gap where an age is unknown."""
YEARS: Final = 10.0
"""Years of age gap that count 1."""


@dataclass(frozen=True)
class FeatureWeights:
    """Weight of each feature in the log odds, none below 0: a closer pair never scores less for it."""

    traits: float = 0.0
    interests: float = 0.0
    proximity: float = 0.0
    age_gap: float = 0.0

    def as_array(self) -> Floats:
        """(4,) in the order of `pair_features`."""
        return np.array([getattr(self, item.name) for item in fields(self)])


FEATURES: Final = len(fields(FeatureWeights))


def pair_features(left: Users, right: Users, i: Indices, j: Indices, radius_km: float) -> Floats:
    """(p, 4) features of the pairs (left[i], right[j]); of (right[j], left[i]) they are the same but for rounding.

    traits : v1's part minus 0.5; where it falls back to quizzes, the mean of both directions.
    interests : the Jaccard index minus 0.3.
    proximity : v1's part, of two people who both prefer `radius_km`.
    age gap : minus whole years apart, at most 30, in tens of years.
    """
    traits = (trait_similarity(left, right, i, j)[0] + trait_similarity(right, left, j, i)[0]) / 2
    bits = InterestBits.over(left)
    shared = count_bits(bits.of(left)[i] & bits.of(right)[j]).astype(np.int64)
    interests = jaccard(shared, left.interest_count[i], right.interest_count[j])
    distance_km = km_between(left.xyz[i], right.xyz[j])
    radius = np.full(len(i), radius_km)
    proximity = proximity_within(radius, distance_km, left.place[i], right.place[j])
    return np.stack(
        [traits - TRAITS_CENTRE, interests - INTERESTS_CENTRE, proximity, age_gap(left.age[i], right.age[j])], axis=1
    )


def age_gap(left: NDArray[np.int16], right: NDArray[np.int16]) -> Floats:
    """Minus the years between whole ages, at most 30, in tens of years; as of 5 years where an age is MISSING."""
    years = np.minimum(np.abs(left.astype(np.float64) - right), MOST_YEARS)
    return np.where((left == MISSING) | (right == MISSING), UNKNOWN_YEARS, years) / -YEARS
