"""Scores of chosen pairs in double precision, with everything a row of MatchScore tells of them.

This is the formula of the site's algorithm, one vectorised step a part; the search for the best pairs
(`search.py`) may be coarser, because what it finds is scored again here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.geometry import km_between
from sitejobs.matching.scoring.interests import InterestBits, count_bits
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.quizzes import quiz_similarity
from sitejobs.matching.scoring.users import MISSING, UNSPECIFIED, Users

MIN_COMMON_TRAITS = 2
NO_INTERESTS = 0.1
SAME_PLACE = 0.25
SECONDS_A_DAY = 86400.0
TIE_DECIMALS = 9
"""Scores that agree to as many decimals are equal: the lower candidate id comes first."""
FEW_A_VIEWER = 30
"""Pairs a viewer, on average, below which they are compared pair by pair."""

PAIRS_AT_A_TIME = 4096
SHARED_SHOWN = 5
"""Shared interests that a row names."""


@dataclass(frozen=True)
class Pairs:
    """p scored pairs; `viewer` and `candidate` index the users they were made of. All arrays (p,)."""

    viewer: Indices
    candidate: Indices
    score: Floats
    worth: Floats
    """What a viewer's candidates of one tier are ordered by."""
    like: Floats
    back: Floats
    """Chances that the viewer says yes, and that the candidate does; NaN without a model."""
    traits: Floats
    interests: Floats
    rating_quality: Floats
    rating_fit: Floats
    newness: Floats
    proximity: Floats
    distance_km: Floats
    """NaN when one of the two has no coordinates."""
    tier_a: Flags
    barred: Flags
    """The candidate wants other genders than the viewer's: no match at all."""
    gender_ok: Flags
    age_ok: Flags
    distance_ok: Flags
    common_traits: Indices
    shared_count: Indices
    shared: Indices
    """(p, 5) codes of the first shared interests, MISSING where there are fewer."""

    def take(self, rows: Indices) -> "Pairs":
        """The pairs at these indices, in this order."""
        return Pairs(**{name: value[rows] for name, value in vars(self).items()})


def joined_pairs(parts: Sequence[Pairs]) -> Pairs:
    """All pairs of the first, at least one, then all of the second, and so on."""
    if len(parts) == 1:
        return parts[0]
    return Pairs(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def score_pairs(
    viewers: Users, candidates: Users, viewer: Indices, candidate: Indices, now: float | Floats, parameters: Parameters
) -> Pairs:
    """Score the pairs (viewer[i], candidate[i]) as of `now`, or now[i], in seconds since 1970."""
    distance_km = km_between(viewers.xyz[viewer], candidates.xyz[candidate])
    traits, common = trait_similarity(viewers, candidates, viewer, candidate)
    bits = InterestBits.over(viewers)
    shared_bits = bits.of(viewers)[viewer] & bits.of(candidates)[candidate]
    shared_count = count_bits(shared_bits).astype(np.int64)
    parts = {
        "traits": traits,
        "interests": jaccard(shared_count, viewers.interest_count[viewer], candidates.interest_count[candidate]),
        "rating_quality": candidates.quality[candidate].astype(np.float64),
        "rating_fit": (np.einsum("pi,pi->p", viewers.gives[viewer], candidates.gets[candidate], dtype=np.float64) + 1)
        / 2,
        "newness": (
            newness(candidates.updated_at, now, parameters)[candidate]
            if isinstance(now, float)
            else newness(candidates.updated_at[candidate], now, parameters)
        ),
        "proximity": proximity_within(
            radius_km(viewers, parameters)[viewer], distance_km, viewers.place[viewer], candidates.place[candidate]
        ),
    }
    weights = vars(parameters.weights)
    score = np.sum([weights[name] * part for name, part in parts.items()], axis=0)
    return Pairs(
        viewer=viewer,
        candidate=candidate,
        score=score,
        worth=score,
        like=np.full(len(viewer), np.nan),
        back=np.full(len(viewer), np.nan),
        **parts,
        distance_km=distance_km,
        **_tiers(viewers, candidates, viewer, candidate, distance_km, mutual=parameters.mutual),
        common_traits=common,
        shared_count=shared_count,
        shared=bits.first_codes(shared_bits, SHARED_SHOWN),
    )


def _tiers(
    viewers: Users, candidates: Users, viewer: Indices, candidate: Indices, distance_km: Floats, *, mutual: bool
) -> dict[str, Any]:
    """Whether each preference is met, and the tier that follows."""
    gender_ok = _gender_ok(viewers, candidates, viewer, candidate)
    age_ok = _age_ok(viewers, candidates, viewer, candidate)
    distance_ok = _distance_ok(viewers, viewer, distance_km)
    tier_a, barred = gender_ok & age_ok & distance_ok, np.zeros(len(viewer), bool)
    if mutual:
        welcome = _gender_ok(candidates, viewers, candidate, viewer)
        barred = ~welcome & (viewers.gender[viewer] > UNSPECIFIED)
        tier_a &= welcome & _age_ok(candidates, viewers, candidate, viewer)
        tier_a &= _distance_ok(candidates, candidate, distance_km)
    return {
        "tier_a": tier_a,
        "barred": barred,
        "gender_ok": gender_ok,
        "age_ok": age_ok,
        "distance_ok": distance_ok,
    }


def jaccard(shared: NDArray[np.int64], left: NDArray[np.int32], right: NDArray[np.int32]) -> Floats:
    """Jaccard index from the sizes; `NO_INTERESTS` when either set is empty."""
    union = left.astype(np.int64) + right - shared
    return np.where((left == 0) | (right == 0), NO_INTERESTS, shared / np.maximum(union, 1))


def newness(updated_at: Floats, now: float | Floats, parameters: Parameters) -> Floats:
    """Halves every half-life since the profile's update; 1 for the future."""
    days = np.maximum(now - updated_at, 0) / SECONDS_A_DAY
    return np.asarray(0.5 ** (days / parameters.half_life_days))


def radius_km(viewers: Users, parameters: Parameters) -> Floats:
    """Distance at which proximity has fallen to 0, for each viewer."""
    return np.where(np.isnan(viewers.distance), parameters.default_radius_km, viewers.distance)


def trait_similarity(viewers: Users, candidates: Users, viewer: Indices, candidate: Indices) -> tuple[Floats, Indices]:
    """The traits part, and how many traits the two have in common."""
    dot, left, right, common = _common_traits(viewers, candidates, viewer, candidate)
    norms = np.sqrt(left) * np.sqrt(right)
    cosine = np.divide(dot, norms, out=np.zeros_like(dot), where=norms > 0)
    fewer = np.minimum(viewers.trait_count[viewer], candidates.trait_count[candidate])
    scores = (cosine + 1) / 2 * np.sqrt(common / np.maximum(fewer, 1))
    few = common < MIN_COMMON_TRAITS
    scores[few] = quiz_similarity(viewers, candidates, viewer[few], candidate[few])
    return scores, common.astype(np.int64)


def _common_traits(
    viewers: Users, candidates: Users, viewer: Indices, candidate: Indices
) -> tuple[Floats, Floats, Floats, Floats]:
    """Over the traits that both have: the product of the two, the square of either, and how many they are."""
    found = np.zeros((4, len(viewer)))
    has, values = ~np.isnan(candidates.traits), np.nan_to_num(candidates.traits, nan=0.0)
    # Viewer by viewer: four products of one viewer's vector and its candidates' rows, which stay in the cache.
    order = np.argsort(viewer, kind="stable")
    edges = np.flatnonzero(np.diff(viewer[order], prepend=-1, append=-1)) if len(viewer) else np.zeros(1, np.int64)
    if len(viewer) < FEW_A_VIEWER * (len(edges) - 1):
        _add_common_traits(found, viewers, has, values, viewer, candidate)
        return found[0], found[1], found[2], found[3]
    dot, left, right, common = found
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        of_viewer = order[start:stop]
        own = viewers.traits[viewer[of_viewer[0]]].astype(np.float64)
        own_has, own = (~np.isnan(own)).astype(np.float64), np.nan_to_num(own, nan=0.0)
        others = values[candidate[of_viewer]].astype(np.float64)
        others_have = has[candidate[of_viewer]].astype(np.float64)
        dot[of_viewer] = others @ own
        left[of_viewer] = others_have @ own**2
        right[of_viewer] = np.square(others, out=others) @ own_has
        common[of_viewer] = others_have @ own_has
    return dot, left, right, common


def _add_common_traits(
    found: Floats, viewers: Users, has: Flags, values: NDArray[np.float32], viewer: Indices, candidate: Indices
) -> None:
    """`_common_traits` of few pairs a viewer: some pairs at a time."""
    for start in range(0, len(viewer), PAIRS_AT_A_TIME):
        some = slice(start, start + PAIRS_AT_A_TIME)
        own = viewers.traits[viewer[some]].astype(np.float64)
        both = ~np.isnan(own) & has[candidate[some]]
        own = np.where(both, own, 0.0)
        others = np.where(both, values[candidate[some]].astype(np.float64), 0.0)
        for at, (one, other) in enumerate(((own, others), (own, own), (others, others))):
            found[at, some] = np.einsum("pk,pk->p", one, other)
        found[3, some] = both.sum(axis=1)


def proximity_within(radius: Floats, distance_km: Floats, place: Indices, other_place: Indices) -> Floats:
    """Proximity of pairs this far apart, NaN where unknown; `radius` km is where it has fallen to 0."""
    near = np.where(radius > 0, 1 - distance_km / np.where(radius > 0, radius, 1), np.where(distance_km == 0, 1.0, 0.0))
    same_place = (place != 0) & (place == other_place)
    return np.where(np.isnan(distance_km), np.where(same_place, SAME_PLACE, 0.0), np.maximum(near, 0.0))


def _distance_ok(who: Users, rows: Indices, distance_km: Floats) -> Flags:
    """Whether a distance is within what these people prefer."""
    wanted = who.distance[rows]
    return np.asarray(np.isnan(wanted) | (distance_km <= wanted))


def _gender_ok(viewers: Users, candidates: Users, viewer: Indices, candidate: Indices) -> Flags:
    wants, gender = viewers.wants[viewer].astype(np.int64), candidates.gender[candidate].astype(np.int64)
    return np.asarray((wants == 0) | ((gender != MISSING) & ((wants >> np.maximum(gender, 0)) & 1 == 1)))


def _age_ok(viewers: Users, candidates: Users, viewer: Indices, candidate: Indices) -> Flags:
    low, high, age = viewers.age_min[viewer], viewers.age_max[viewer], candidates.age[candidate]
    known = age != MISSING
    return np.asarray(((low == MISSING) | (known & (age >= low))) & ((high == MISSING) | (known & (age <= high))))
