"""Upper bounds of the scores in a block, by which a search skips the block without a loss.

Every bound is at least the true value for each pair of a viewer and a member of the block; a test compares them
on random sites.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats
from sitejobs.matching.scoring.chances import base, log_chance
from sitejobs.matching.scoring.features import MOST_YEARS, UNKNOWN_YEARS, YEARS
from sitejobs.matching.scoring.geometry import km_of_chord
from sitejobs.matching.scoring.pair_scores import NO_INTERESTS, SAME_PLACE, radius_km
from sitejobs.matching.scoring.parameters import Learned, Parameters, Weights
from sitejobs.matching.scoring.quizzes import NEITHER
from sitejobs.matching.scoring.users import MISSING, UNSPECIFIED, Users
from sitejobs.matching.topk.keys import bound_margin

_TYPES = {
    "low": "f8",
    "high": "f8",
    "places": "u8",
    "unplaced_places": "u8",
    "genders": "i8",
    "age_low": "i8",
    "age_high": "i8",
    "ageless": "?",
    "wanted": "i8",
    "wanted_age_low": "i8",
    "wanted_age_high": "i8",
    "reach": "f8",
    "static": "f8",
    "appeal": "f8",
    "selectivity": "f8",
    "price": "f8",
    "fit": "?",
    "traits": "?",
    "fewest": "i8",
    "most": "i8",
    "none": "?",
}

ANY_GENDER = (1 << 14) - 1
"""Bits of all genders, of one that is not known too."""

SLACK = 1e-5
"""Added to every bound: more than all rounding in the search's single precision."""


@dataclass(frozen=True)
class Bounds:
    """b blocks. All arrays have b rows.

    low, high : (b, 3) box about the unit vectors of those with coordinates, inside out when there are none.
    places, unplaced_places : 64 bits, of all place hashes, and of those who lack coordinates.
    genders : bits of the genders that occur. age_low, age_high: of the known ages;
        ageless: whether someone has none.
    wanted : bits of the genders that someone of the block wants, `ANY_GENDER` where someone wants any.
    wanted_age_low, wanted_age_high : least and greatest age that someone wants, as `wanted_ages` has them.
    reach : greatest distance that someone prefers, infinite where someone prefers none.
    static : highest sum of what depends on the candidate alone (`static_scores`), at the time of the snapshot; it only
        falls with time.
    appeal, selectivity : highest of each. price: least.
    fit, traits : whether anyone has ratings to compare, traits or a quiz to compare.
    fewest, most : interests of those who have any. none : whether someone has none.
    """

    low: Floats
    high: Floats
    places: NDArray[np.uint64]
    unplaced_places: NDArray[np.uint64]
    genders: NDArray[np.int64]
    age_low: NDArray[np.int64]
    age_high: NDArray[np.int64]
    ageless: Flags
    wanted: NDArray[np.int64]
    wanted_age_low: NDArray[np.int64]
    wanted_age_high: NDArray[np.int64]
    reach: Floats
    static: Floats
    appeal: Floats
    selectivity: Floats
    price: Floats
    fit: Flags
    traits: Flags
    fewest: NDArray[np.int64]
    most: NDArray[np.int64]
    none: Flags

    def __len__(self) -> int:
        return len(self.static)


def bounds_of(blocks: list[Users], statics: list[Floats]) -> Bounds:
    """The bounds of blocks of candidates, none of them empty."""
    rows = [_bound(block, static) for block, static in zip(blocks, statics, strict=True)]
    columns = {name: np.array([row[name] for row in rows], dtype) for name, dtype in _TYPES.items()}
    if not rows:
        columns |= {"low": np.empty((0, 3)), "high": np.empty((0, 3))}
    return Bounds(**columns)


def joined_bounds(parts: list[Bounds]) -> Bounds:
    """The bounds of all blocks of the first, then of the second, and so on."""
    whole = {item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Bounds)}
    return Bounds(**whole)


@dataclass(frozen=True)
class UpperBounds:
    """Upper bounds of each block for each viewer. All (v, b)."""

    score: Floats
    proximity: Floats
    """The proximity part of `score`, unweighted."""
    tier_a: Flags
    near: Flags
    """Whether a member may be within the viewer's radius."""
    barred: Flags
    """Whether all members want other genders than the viewer's."""


def upper_bounds_of(viewers: Users, bounds: Bounds, parameters: Parameters) -> UpperBounds:
    """Bound what all members of all blocks are worth."""
    nearest, possible = _nearest_km(viewers, bounds)
    radius = proximity_radius(viewers, parameters)[:, None]
    # Beyond what is near nobody is of tier A for a viewer who prefers a distance.
    near = _within(nearest, possible, np.fmax(radius, viewers.distance[:, None]))
    proximity = _proximity(viewers, bounds, nearest, near, radius)
    if parameters.model is None:
        score = _weighted(viewers, bounds, proximity, parameters.weights) + SLACK
    else:
        alike = _alike(viewers, bounds, proximity, parameters.model)
        score = _chances(viewers, bounds, alike + base(parameters.model)) - bounds.price + bound_margin(parameters)
    tier_a, barred = _tier_a(viewers, bounds, near), np.zeros_like(near)
    if parameters.mutual:
        accepted, barred = _accepted(viewers, bounds)
        tier_a &= accepted & (np.isinf(bounds.reach)[None, :] | _within(nearest, possible, bounds.reach[None, :]))
    return UpperBounds(score, proximity, tier_a, near, barred)


def proximity_radius(viewers: Users, parameters: Parameters) -> Floats:
    """Distance at which proximity has fallen to 0, for each viewer: by a model it is the same for all."""
    if parameters.model is None:
        return radius_km(viewers, parameters)
    return np.full(len(viewers), parameters.default_radius_km)


def _weighted(viewers: Users, bounds: Bounds, proximity: Floats, weights: Weights) -> Floats:
    """(v, b) upper bound of the weighted parts."""
    score = bounds.static[None, :] + weights.proximity * proximity
    score += weights.interests * _interests(viewers, bounds)
    has_fit = np.asarray(viewers.gives.any(axis=1))[:, None] & bounds.fit[None, :]
    score += weights.rating_fit * np.where(has_fit, 1.0, 0.5)
    score += weights.traits * _traits(viewers, bounds)
    return score


def _alike(viewers: Users, bounds: Bounds, proximity: Floats, model: Learned) -> Floats:
    """(v, b) upper bound of what the log odds of both sides gain from the features."""
    alike = model.proximity * proximity + model.traits * _traits(viewers, bounds)
    alike += model.interests * _interests(viewers, bounds)
    age = viewers.age[:, None].astype(np.float64)
    years = np.clip(np.maximum(bounds.age_low - age, age - bounds.age_high), 0, MOST_YEARS)
    years = np.where(bounds.ageless, np.minimum(years, UNKNOWN_YEARS), years)
    years = np.where(viewers.age[:, None] == MISSING, UNKNOWN_YEARS, years)
    return np.asarray(alike - model.age_gap / YEARS * years)


def _chances(viewers: Users, bounds: Bounds, alike: Floats) -> Floats:
    """(v, b) upper bound of log P, `alike` being that of the log odds without effects.

    With the appeal A and the selectivity s of a member, A <= Amax, s <= Smax and A + s <= Tmax; P rises with both, so
    that A + s = T is best, and for a given sum it is best where the log odds of both sides are alike.
    """
    one = viewers.selectivity.astype(np.float64)[:, None] + alike
    other = viewers.appeal.astype(np.float64)[:, None] + alike
    total = np.minimum(bounds.static, bounds.appeal + bounds.selectivity)[None, :]
    appeal = np.clip((total + other - one) / 2, total - bounds.selectivity, bounds.appeal)
    return log_chance(one + appeal) + log_chance(other + total - appeal)


def place_bits(places: NDArray[np.int64]) -> NDArray[np.uint64]:
    """One of 64 bits for each place hash, none for no place."""
    bits = np.left_shift(np.uint64(1), (places & 63).astype(np.uint64))
    return np.where(places == 0, np.uint64(0), bits)


def _bound(block: Users, static: Floats) -> dict[str, object]:
    placed = block.has_place
    bits = place_bits(block.place)
    known = block.age[block.age != MISSING]
    counts = block.interest_count[block.interest_count > 0]
    codes = block.gender[block.gender != MISSING].astype(np.int64)
    wanted_low, wanted_high = wanted_ages(block)
    return {
        "low": np.min(block.xyz[placed], axis=0, initial=np.inf),
        "high": np.max(block.xyz[placed], axis=0, initial=-np.inf),
        "places": np.bitwise_or.reduce(bits),
        "unplaced_places": np.bitwise_or.reduce(bits[~placed], initial=np.uint64(0)),
        "genders": np.bitwise_or.reduce(1 << codes, initial=0),
        "age_low": known.min(initial=np.iinfo(np.int16).max),
        "age_high": known.max(initial=MISSING),
        "ageless": len(known) < len(block),
        "wanted": np.bitwise_or.reduce(np.where(block.wants == 0, ANY_GENDER, block.wants)),
        "wanted_age_low": wanted_low.min(),
        "wanted_age_high": wanted_high.max(),
        "reach": np.where(np.isnan(block.distance), np.inf, block.distance).max(),
        "static": static.max(),
        "appeal": block.appeal.max(),
        "selectivity": block.selectivity.max(),
        "price": block.price.min(),
        "fit": bool(block.gets.any()),
        "traits": bool((block.trait_count > 1).any() or len(block.quiz.values)),
        "fewest": counts.min(initial=np.iinfo(np.int32).max),
        "most": counts.max(initial=0),
        "none": bool((block.interest_count == 0).any()),
    }


def wanted_ages(users: Users) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """(n,) least and greatest age that each wants, so that MISSING lies within where any will do, and only there."""
    given = (users.age_min != MISSING) | (users.age_max != MISSING)
    # A lower bound of 0 turns away unknown ages (MISSING is below it) as soon as any bound is given.
    low = np.where(given, np.maximum(users.age_min, 0), MISSING).astype(np.int16)
    return low, np.where(users.age_max == MISSING, np.iinfo(np.int16).max, users.age_max).astype(np.int16)


def _nearest_km(viewers: Users, bounds: Bounds) -> tuple[Floats, Flags]:
    """(v, b) least distance to the block's box, and whether a distance exists at all."""
    placed = viewers.has_place
    possible = placed[:, None] & np.isfinite(bounds.low[:, 0])[None, :]
    squares = np.zeros((len(viewers), len(bounds)))
    for axis in range(3):
        at = np.where(placed, viewers.xyz[:, axis], 0.0)[:, None]
        low = np.where(np.isfinite(bounds.low[:, axis]), bounds.low[:, axis], 0.0)[None, :]
        high = np.where(np.isfinite(bounds.high[:, axis]), bounds.high[:, axis], 0.0)[None, :]
        squares += np.maximum(np.maximum(low - at, at - high), 0.0) ** 2
    return km_of_chord(np.sqrt(squares)), possible


def _within(nearest: Floats, possible: Flags, km: Floats) -> Flags:
    """(v, b) whether a member may be within so many km."""
    return np.asarray(possible & (nearest <= km * (1 + 1e-9) + 1e-6))


def _proximity(viewers: Users, bounds: Bounds, nearest: Floats, near: Flags, radius: Floats) -> Floats:
    by_distance = np.where(radius > 0, 1 - nearest / np.where(radius > 0, radius, 1), 1.0)
    places = np.where(viewers.has_place[:, None], bounds.unplaced_places[None, :], bounds.places[None, :])
    same = (place_bits(viewers.place)[:, None] & places) != 0
    return np.maximum(np.where(near, np.maximum(by_distance, 0), 0.0), np.where(same, SAME_PLACE, 0.0))


def _traits(viewers: Users, bounds: Bounds) -> Floats:
    """(v, b) upper bound of the traits part: what neither traits nor quizzes tell is `NEITHER`."""
    tested = (viewers.trait_count > 1) | (viewers.latest != MISSING) | (viewers.quiz.lengths > 0)
    return np.where(tested[:, None] & bounds.traits[None, :], 1.0, NEITHER)


def _interests(viewers: Users, bounds: Bounds) -> Floats:
    """Upper bound of Jaccard: one set within the other, their sizes as close as the block allows."""
    count = viewers.interest_count[:, None].astype(np.float64)
    most, fewest = bounds.most[None, :].astype(np.float64), bounds.fewest[None, :].astype(np.float64)
    best = np.where(count > most, most / np.maximum(count, 1), np.where(count < fewest, count / fewest, 1.0))
    best = np.maximum(best, np.where(bounds.none[None, :], NO_INTERESTS, 0.0))
    return np.where(count == 0, NO_INTERESTS, best)


def _tier_a(viewers: Users, bounds: Bounds, near: Flags) -> Flags:
    wants = viewers.wants.astype(np.int64)[:, None]
    gender = (wants == 0) | ((wants & bounds.genders[None, :]) != 0)
    low, high = viewers.age_min[:, None], viewers.age_max[:, None]
    age = ((low == MISSING) | (bounds.age_high[None, :] >= low)) & (
        (high == MISSING) | (bounds.age_low[None, :] <= high)
    )
    return np.asarray(gender & age & (np.isnan(viewers.distance)[:, None] | near))


def _accepted(viewers: Users, bounds: Bounds) -> tuple[Flags, Flags]:
    """(v, b) whether the preferences for gender and age of a member may allow the viewer, and whether none's can."""
    gender = viewers.gender.astype(np.int64)[:, None]
    # A gender that is not known has the last bit, which only those have who want any.
    bit = np.where(gender == MISSING, 1 << 13, 1 << np.maximum(gender, 0))
    welcome = (bounds.wanted[None, :] & bit) != 0
    age = viewers.age[:, None]
    suits = (age >= bounds.wanted_age_low[None, :]) & (age <= bounds.wanted_age_high[None, :])
    return np.asarray(welcome & suits), np.asarray(~welcome & (gender > UNSPECIFIED))
