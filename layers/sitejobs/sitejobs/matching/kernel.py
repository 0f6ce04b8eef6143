"""Keys of all pairs of some viewers and the candidates of a block, in single precision and in a few passes.

A key orders a viewer's candidates: the score, plus `tier_step` for tier A. Keys are within `MARGIN` of the exact
score's; who could be in tier A but for rounding counts as in it. `exact.py` scores again what the search keeps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.exact import MIN_COMMON_TRAITS, NO_INTERESTS, SAME_PLACE, newness, radius_km
from sitejobs.matching.geometry import EARTH_RADIUS_KM
from sitejobs.matching.interests import Bits, InterestBits
from sitejobs.matching.parameters import Parameters
from sitejobs.matching.quizzes import NEITHER, quiz_similarity
from sitejobs.matching.screen import ScreenedSide
from sitejobs.matching.users import MISSING, Users

Singles = NDArray[np.float32]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

MARGIN = 4e-6
"""Most that a key may differ from the exact one."""

_TINY = np.float32(1e-30)
_DENSE_SHARE = 0.15
"""Share of pairs from which computing all of them is cheaper than picking them out."""
_GENDERS = 8
"""Columns of the table "does the viewer want this gender"; the last one stands for a missing gender."""


def tier_step(parameters: Parameters) -> float:
    """What tier A adds to a key: more than any score."""
    return parameters.weights.total + 1.0


@dataclass(frozen=True)
class Matrices:
    """Users laid out for matrix products: traits with zeros where missing, their squares, and who has which."""

    traits: Singles
    squares: Singles
    present: Singles
    inverse_root: Singles
    """1 / sqrt(number of traits)."""

    @classmethod
    def of(cls, users: Users) -> "Matrices":
        present = ~np.isnan(users.traits)
        traits = np.where(present, users.traits, np.float32(0))
        roots = 1 / np.sqrt(np.maximum(users.trait_count, 1))
        return cls(traits, traits * traits, present.astype(np.float32), roots.astype(np.float32))


def static_scores(candidates: Users, now: float, parameters: Parameters) -> NDArray[np.float64]:
    """(n,) weighted parts that depend on the candidate alone: rating quality and newness."""
    weights = parameters.weights
    return weights.rating_quality * candidates.quality.astype(np.float64) + weights.newness * newness(
        candidates.updated_at, now, parameters
    )


@dataclass(frozen=True)
class Shelf:
    """Candidates of neighbouring blocks, ready for the kernel."""

    users: Users
    matrices: Matrices
    static: NDArray[np.float64]
    ratings: Singles
    """(n, 5): direction of received ratings, and the constant part of the score."""
    interests: Bits | None
    """Interest sets over the vocabulary of the whole snapshot, where that is small enough to keep."""
    screened: ScreenedSide
    tested: Flags
    """Who has a quiz result."""

    @classmethod
    def of(
        cls,
        users: Users,
        now: float,
        parameters: Parameters,
        bits: InterestBits | None,
        popularity: NDArray[np.int32],
    ) -> "Shelf":
        static = static_scores(users, now, parameters)
        constant = static + parameters.weights.rating_fit / 2
        ratings = np.concatenate([users.gets, constant[:, None]], axis=1).astype(np.float32)
        interests = bits.of(users) if bits else None
        screened = ScreenedSide.of(users, static, popularity, parameters)
        return cls(users, Matrices.of(users), static, ratings, interests, screened, users.quiz.lengths > 0)


class Kernel:
    """The keys of a fixed group of viewers."""

    def __init__(self, viewers: Users, parameters: Parameters, bits: InterestBits | None) -> None:
        self._viewers = viewers
        self._parameters = parameters
        self._matrices = Matrices.of(viewers)
        weight = np.full((len(viewers), 1), parameters.weights.rating_fit / 2)
        self._ratings = np.concatenate([viewers.gives * weight, np.ones_like(weight)], axis=1).astype(np.float32)
        self._bits = bits or InterestBits.over(viewers)
        self._sets = self._bits.of(viewers)
        self._own_sets: tuple[Shelf, Bits] | None = None
        self._step = np.float32(tier_step(parameters))
        self._radius = radius_km(viewers, parameters)
        self._placed = viewers.has_place
        self._wanted = np.where(np.isnan(viewers.distance), np.inf, viewers.distance)
        self.anywhere: Flags = np.isinf(self._wanted)
        """(v,) viewers who prefer no distance: only they have tier A candidates who are not near."""
        codes = np.arange(_GENDERS)
        wants = viewers.wants.astype(np.int64)[:, None]
        self._genders = (wants == 0) | ((codes < _GENDERS - 1) & ((wants >> codes) & 1 == 1))
        # A lower bound of 0 turns away unknown ages (MISSING is below it) as soon as any bound is given.
        given = (viewers.age_min != MISSING) | (viewers.age_max != MISSING)
        self._age_low = np.where(given, np.maximum(viewers.age_min, 0), MISSING).astype(np.int16)
        self._age_high = np.where(viewers.age_max == MISSING, np.iinfo(np.int16).max, viewers.age_max).astype(np.int16)

    def keys(self, rows: Indices, shelf: Shelf, columns: slice, near: bool, floor: Singles) -> Singles:
        """(r, c) keys of the viewers `rows` and the candidates `columns` of the shelf.

        `near`: whether someone of the block may be within a viewer's radius or preferred distance. A pair whose
        key cannot reach its viewer's `floor`, (r,), may come out as -inf.
        """
        keys = self._ratings[rows] @ shelf.ratings[columns].T
        tier_a = self.tier_flags_of_all(rows, shelf.users, columns)
        if near:
            self._add_proximity(keys, tier_a, rows, shelf.users, columns)
        else:
            tier_a &= self.anywhere[rows, None]
        self._add_same_place(keys, rows, shelf.users, columns)
        keys += self._step * tier_a
        self._add_traits(keys, rows, shelf, columns)
        self._add_interests(keys, rows, shelf, columns, floor)
        return keys

    def tier_flags_of_all(self, rows: Indices, users: Users, columns: slice) -> Flags:
        """(r, c) whether gender and age allow tier A."""
        gender, age = users.gender[columns], users.age[columns]
        fits = self._genders[rows][:, gender]  # MISSING is the last column
        fits &= age[None, :] >= self._age_low[rows, None]
        fits &= age[None, :] <= self._age_high[rows, None]
        return np.asarray(fits)

    def _add_proximity(self, keys: Singles, tier_a: Flags, rows: Indices, users: Users, columns: slice) -> None:
        here, there = self._viewers.xyz[rows], users.xyz[columns]
        # About a centre nearby single precision still tells metres apart.
        centre = np.nan_to_num(np.nanmean(here, axis=0)) if self._placed[rows].any() else np.zeros(3)
        left, right = (here - centre).astype(np.float32), (there - centre).astype(np.float32)
        squares = np.square(left[:, 0, None] - right[None, :, 0])
        for axis in (1, 2):
            step = left[:, axis, None] - right[None, :, axis]
            squares += np.square(step, out=step)
        np.sqrt(squares, out=squares)
        squares *= np.float32(0.5)
        km = np.arcsin(np.minimum(squares, np.float32(1), out=squares), out=squares)
        km *= np.float32(2 * EARTH_RADIUS_KM)
        wanted = self._wanted[rows]
        with np.errstate(invalid="ignore"):
            # NaN, no distance, compares as false: tier B whenever a distance is wanted.
            tier_a &= np.isinf(wanted)[:, None] | (km <= (wanted * (1 + 1e-5) + 1e-3).astype(np.float32)[:, None])
        radius = self._radius[rows]
        weight = self._parameters.weights.proximity
        km *= np.where(radius > 0, -weight / np.where(radius > 0, radius, 1), -1e9).astype(np.float32)[:, None]
        km += np.float32(weight)
        np.maximum(km, np.float32(0), out=km)
        keys += np.nan_to_num(km, copy=False, nan=0.0)

    def _add_same_place(self, keys: Singles, rows: Indices, users: Users, columns: slice) -> None:
        unplaced = ~self._placed[rows]
        strangers = ~users.has_place[columns]
        if not unplaced.any() and not strangers.any():
            return
        place = self._viewers.place[rows]
        same = (place[:, None] == users.place[columns][None, :]) & (place != 0)[:, None]
        same &= unplaced[:, None] | strangers[None, :]
        keys += np.float32(self._parameters.weights.proximity * SAME_PLACE) * same

    def _add_traits(self, keys: Singles, rows: Indices, shelf: Shelf, columns: slice) -> None:
        left, right = self._matrices, shelf.matrices
        present, there = left.present[rows], right.present[columns].T
        common = present @ there
        cosine = left.traits[rows] @ right.traits[columns].T
        norm = left.squares[rows] @ there
        np.sqrt(norm, out=norm)
        other = present @ right.squares[columns].T
        np.sqrt(other, out=other)
        norm *= other
        np.maximum(norm, _TINY, out=norm)
        cosine /= norm
        cosine += np.float32(1)
        cosine *= np.maximum(left.inverse_root[rows][:, None], right.inverse_root[columns][None, :], out=other)
        few = common < MIN_COMMON_TRAITS
        np.sqrt(common, out=common)
        cosine *= common
        weight = self._parameters.weights.traits
        cosine *= np.float32(weight / 2)
        if few.any():
            self._fall_back(cosine, few, rows, shelf, columns)
        keys += cosine

    def _fall_back(self, scores: Singles, few: Flags, rows: Indices, shelf: Shelf, columns: slice) -> None:
        """Put the quiz's similarity where a pair has too few traits in common."""
        weight = self._parameters.weights.traits
        scores[few] = weight * NEITHER
        few &= (self._viewers.latest[rows] != MISSING)[:, None]
        few &= shelf.tested[columns][None, :]
        if few.any():
            row, column = np.nonzero(few)
            candidate = columns.start + column
            scores[row, column] = weight * quiz_similarity(self._viewers, shelf.users, rows[row], candidate)

    def pair_keys(self, viewer: Indices, shelf: Shelf, candidate: Indices) -> Singles:
        """(p,) keys of single pairs that are not near: the same as `keys` has for them."""
        weights, users = self._parameters.weights, shelf.users
        keys = np.einsum("pi,pi->p", self._ratings[viewer], shelf.ratings[candidate])
        tier_a = self.tier_flags(viewer, users, candidate) & self.anywhere[viewer]
        place = self._viewers.place[viewer]
        same = (place != 0) & (place == users.place[candidate])
        same &= ~(self._placed[viewer] & users.has_place[candidate])
        keys += weights.proximity * SAME_PLACE * same + self._step * tier_a
        keys += weights.interests * self.jaccard(viewer, shelf, candidate)
        keys += weights.traits * self._pair_traits(viewer, shelf, candidate)
        return keys.astype(np.float32)

    def jaccard(self, viewer: Indices, shelf: Shelf, candidate: Indices) -> Singles:
        """(p,) interests part of single pairs, unweighted."""
        shared = np.bitwise_count(self._sets[viewer] & self._sets_of(shelf)[candidate]).sum(axis=1, dtype=np.int32)
        left, right = self._viewers.interest_count[viewer], shelf.users.interest_count[candidate]
        union = np.maximum(left + right - shared, 1).astype(np.float32)
        return np.where((left == 0) | (right == 0), np.float32(NO_INTERESTS), shared / union).astype(np.float32)

    def _pair_traits(self, viewer: Indices, shelf: Shelf, candidate: Indices) -> Singles:
        left, right = self._matrices, shelf.matrices
        present, there = left.present[viewer], right.present[candidate]
        common = np.einsum("pk,pk->p", present, there)
        norm = np.sqrt(np.einsum("pk,pk->p", left.squares[viewer], there))
        norm *= np.sqrt(np.einsum("pk,pk->p", present, right.squares[candidate]))
        dot = np.einsum("pk,pk->p", left.traits[viewer], right.traits[candidate])
        roots = np.maximum(left.inverse_root[viewer], right.inverse_root[candidate])
        scores = (dot / np.maximum(norm, _TINY) + 1) / 2 * np.sqrt(common) * roots
        few = np.flatnonzero(common < MIN_COMMON_TRAITS)
        scores[few] = quiz_similarity(self._viewers, shelf.users, viewer[few], candidate[few])
        return np.asarray(scores, np.float32)

    def tier_flags(self, viewer: Indices, users: Users, candidate: Indices) -> Flags:
        """(p,) whether gender and age of single pairs allow tier A."""
        age = users.age[candidate]
        fits = self._genders[viewer, users.gender[candidate]]
        return np.asarray(fits & (age >= self._age_low[viewer]) & (age <= self._age_high[viewer]))

    def _add_interests(self, keys: Singles, rows: Indices, shelf: Shelf, columns: slice, floor: Singles) -> None:
        weight = self._parameters.weights.interests
        weight = np.float32(self._parameters.weights.interests)
        promising = keys > (floor - np.float32(weight + MARGIN))[:, None]
        if np.count_nonzero(promising) > promising.size * _DENSE_SHARE:
            keys += weight * self._all_jaccard(rows, shelf, columns)
            return
        row, column = np.nonzero(promising)
        found = keys[row, column] + weight * self.jaccard(rows[row], shelf, columns.start + column)
        keys.fill(-np.inf)
        keys[row, column] = found

    def _sets_of(self, shelf: Shelf) -> Bits:
        """(n, words) interest sets of the shelf, over the vocabulary at hand."""
        if shelf.interests is not None:
            return shelf.interests
        if self._own_sets is None or self._own_sets[0] is not shelf:
            self._own_sets = (shelf, self._bits.of(shelf.users))
        return self._own_sets[1]

    def _all_jaccard(self, rows: Indices, shelf: Shelf, columns: slice) -> Singles:
        users = shelf.users
        left, right = self._sets[rows], self._sets_of(shelf)[columns]
        shared = np.zeros((len(left), len(right)), np.float32)
        both = np.empty(shared.shape, np.uint64)
        for word in range(left.shape[1]):
            shared += np.bitwise_count(np.bitwise_and(left[:, word, None], right[None, :, word], out=both))
        sizes = self._viewers.interest_count[rows].astype(np.float32), users.interest_count[columns].astype(np.float32)
        union = sizes[0][:, None] + sizes[1][None, :]
        union -= shared
        np.maximum(union, np.float32(1), out=union)
        shared /= union
        shared[sizes[0] == 0] = np.float32(NO_INTERESTS)
        shared[:, sizes[1] == 0] = np.float32(NO_INTERESTS)
        return shared
