"""The plain way: every viewer against every candidate, all parts, the best by partition. Nothing is left out.

One thread, single precision but for distances, as the search has them. Its keys are compared with the search's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.geometry import km_of_chord
from sitejobs.matching.scoring.interests import Bits, InterestBits
from sitejobs.matching.scoring.pair_scores import MIN_COMMON_TRAITS, NO_INTERESTS, SAME_PLACE, radius_km
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.quizzes import NEITHER, quiz_similarity
from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.topk.keys import tier_step
from sitejobs.matching.topk.segment import static_scores

Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]

BLOCK_USERS = 2048
VIEWERS_AT_A_TIME = 128

UNSPECIFIED = 0
"""Code of a gender that is not known; others have higher ones."""


@dataclass(frozen=True)
class Side:
    """Users as the screening takes them; made once, outside of what is timed."""

    users: Users
    values: Singles
    present: Singles
    sets: Bits
    static: Singles

    @classmethod
    def of(cls, users: Users, bits: InterestBits, now: float, parameters: Parameters) -> "Side":
        present = ~np.isnan(users.traits)
        return cls(
            users=users,
            values=np.where(present, users.traits, np.float32(0)),
            present=present.astype(np.float32),
            sets=bits.of(users),
            static=static_scores(users, now, parameters).astype(np.float32),
        )

    def part(self, start: int, stop: int) -> "Side":
        rows = np.arange(start, min(stop, len(self.users)))
        return Side(self.users.take(rows), *(value[rows] for name, value in vars(self).items() if name != "users"))

    def cut(self, size: int) -> list["Side"]:
        return [self.part(start, start + size) for start in range(0, len(self.users), size)]


def best_keys(viewers: list[Side], blocks: list[Side], parameters: Parameters) -> list[Singles]:
    """(v, top_k) keys of each group's best candidates, descending; -inf where there are fewer. Nobody gets himself."""
    return [_best(group, blocks, parameters) for group in viewers]


def _best(viewers: Side, blocks: list[Side], parameters: Parameters) -> Singles:
    count, kept = len(viewers.users), parameters.top_k
    keys = np.full((count, kept), -np.inf, np.float32)
    ids = np.full((count, kept), MISSING, np.int64)
    for block in blocks:
        found = np.concatenate([keys, _keys(viewers, block, parameters)], axis=1)
        here = np.broadcast_to(block.users.ids, (count, len(block.users)))
        owners = np.concatenate([ids, here], axis=1)
        best = np.argpartition(found, -kept, axis=1)[:, -kept:]
        keys, ids = np.take_along_axis(found, best, axis=1), np.take_along_axis(owners, best, axis=1)
    return -np.sort(-keys, axis=1)


def _keys(viewers: Side, block: Side, parameters: Parameters) -> Singles:
    """(v, n) scores, and what tier A adds."""
    weights = parameters.weights
    left, right = viewers.users, block.users
    scores = np.float32(weights.traits) * _traits(viewers, block)
    scores += np.float32(weights.interests) * _interests(viewers, block)
    scores += block.static
    scores += np.float32(weights.rating_fit / 2) * (left.gives @ right.gets.T + np.float32(1))
    proximity, km = _proximity(left, right, parameters)
    scores += np.float32(weights.proximity) * proximity
    tier_a = _within(km, left.distance[:, None]) & _gender_ok(left, right) & _age_ok(left, right)
    if parameters.mutual:
        wanted_back = _gender_ok(right, left).T
        tier_a &= _within(km, right.distance) & wanted_back & _age_ok(right, left).T
        scores[~wanted_back & (left.gender > UNSPECIFIED)[:, None]] = -np.inf
    scores += np.float32(tier_step(parameters)) * tier_a
    scores[left.ids[:, None] == right.ids[None, :]] = -np.inf
    return scores


def _traits(viewers: Side, block: Side) -> Singles:
    left, right = viewers.users, block.users
    common = viewers.present @ block.present.T
    squares = (viewers.values**2) @ block.present.T
    squares *= viewers.present @ (block.values**2).T
    cosine = np.divide(viewers.values @ block.values.T, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)
    fewer = np.maximum(np.minimum(left.trait_count[:, None], right.trait_count[None, :]), 1).astype(np.float32)
    scores = (cosine + 1) / 2 * np.sqrt(common / fewer)
    few = common < MIN_COMMON_TRAITS
    scores[few] = NEITHER
    few &= (left.latest != MISSING)[:, None] & (right.quiz.lengths > 0)[None, :]
    viewer, candidate = np.nonzero(few)
    if len(viewer):
        scores[viewer, candidate] = quiz_similarity(left, right, viewer, candidate)
    return np.asarray(scores, np.float32)


def _interests(viewers: Side, block: Side) -> Singles:
    shared = np.zeros((len(viewers.users), len(block.users)), np.int32)
    for word in range(viewers.sets.shape[1]):
        shared += np.bitwise_count(viewers.sets[:, word, None] & block.sets[None, :, word])
    left, right = viewers.users.interest_count[:, None], block.users.interest_count[None, :]
    parts = shared / np.maximum(left + right - shared, 1).astype(np.float32)
    parts[np.broadcast_to((left == 0) | (right == 0), parts.shape)] = NO_INTERESTS
    return np.asarray(parts, np.float32)


def _proximity(left: Users, right: Users, parameters: Parameters) -> tuple[Singles, NDArray[np.float64]]:
    """(v, n) the proximity part, and how far apart they are."""
    squares = np.zeros((len(left), len(right)))
    for axis in range(3):
        squares += np.square(left.xyz[:, axis, None] - right.xyz[None, :, axis])
    km = km_of_chord(np.sqrt(squares))
    radius = radius_km(left, parameters)[:, None]
    part = np.where(radius > 0, 1 - km / np.where(radius > 0, radius, 1), np.where(km == 0, 1.0, 0.0))
    same = (left.place[:, None] == right.place[None, :]) & (left.place != 0)[:, None]
    part = np.where(np.isnan(km), np.where(same, SAME_PLACE, 0.0), np.maximum(part, 0))
    return part.astype(np.float32), km


def _within(km: NDArray[np.float64], wanted: NDArray[np.float64]) -> Flags:
    return np.asarray(np.isnan(wanted) | (km <= wanted))


def _gender_ok(left: Users, right: Users) -> Flags:
    wants, gender = left.wants.astype(np.int64)[:, None], right.gender.astype(np.int64)[None, :]
    return np.asarray((wants == 0) | ((gender != MISSING) & ((wants >> np.maximum(gender, 0)) & 1 == 1)))


def _age_ok(left: Users, right: Users) -> Flags:
    low, high, age = left.age_min[:, None], left.age_max[:, None], right.age[None, :]
    known = age != MISSING
    return np.asarray(((low == MISSING) | (known & (age >= low))) & ((high == MISSING) | (known & (age <= high))))
