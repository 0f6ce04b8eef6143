"""Keys of pairs of some viewers and the candidates of a shelf, in single precision and a few passes.

A key orders a viewer's candidates: the score, plus `tier_step` for tier A. Keys are within `MARGIN` of the exact
score's; who could be in tier A but for rounding counts as in it. `exact.py` scores again what the search keeps.

The traits part takes a cosine over the keys that both users have, which differ from pair to pair. Its norms do not:
|v on the keys of c| depends on v and on which set of keys c has, its mask, and there are few masks; likewise for c.
So cos = (v/|v| . c/|c|) / (r s) with r = |v on the keys of c| / |v| from a table of viewers and masks, and s from one
of masks and candidates: one matrix product, and where masks differ two factors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.exact import MIN_COMMON_TRAITS, NO_INTERESTS, SAME_PLACE, radius_km
from sitejobs.matching.geometry import km_of_chord
from sitejobs.matching.interests import Bits, InterestBits
from sitejobs.matching.parameters import Parameters
from sitejobs.matching.quizzes import latest_results, quiz_similarity
from sitejobs.matching.shelf import Shelf, Taste, quiz_column
from sitejobs.matching.users import MISSING, Users

Singles = NDArray[np.float32]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

MARGIN = 4e-6
"""Most that a key may differ from the exact one."""

_LOWEST = np.finfo(np.float32).min
_GENDERS = 8
"""Columns of the table "does the viewer want this gender"; the last one stands for a missing gender."""
_FEW_RUNS = 12
"""Runs of equal masks up to which going run by run beats picking a factor for each column."""


def tier_step(parameters: Parameters) -> float:
    """What tier A adds to a key: more than any score."""
    return parameters.weights.total + 1.0


@dataclass(frozen=True)
class Matchup:
    """The kernel's viewers against one shelf: the factors of the traits part.

    viewer : (v, m) 1 / r for each of the shelf's masks. coverage: (v, m) half the weight times the coverage.
    candidate : (masks of the viewers, n) 1 / s, None where all are 1.
    by_quiz : (v, m) whether too few keys are common and there is a quiz to compare.
    """

    shelf: Shelf
    viewer: Singles
    coverage: Singles
    candidate: Singles | None
    by_quiz: Flags


class Kernel:
    """Keys for a fixed group of viewers."""

    def __init__(
        self, viewers: Users, parameters: Parameters, bits: InterestBits | None, popularity: NDArray[np.int32]
    ) -> None:
        self._viewers = viewers
        self._weights = parameters.weights
        self._taste = Taste.of(viewers, popularity)
        weight = np.full((len(viewers), 1), parameters.weights.rating_fit / 2)
        self._ratings = np.concatenate([viewers.gives * weight, np.ones_like(weight)], axis=1).astype(np.float32)
        self._bits = bits or InterestBits.over(viewers)
        self._sets = self._bits.of(viewers)
        self._page_sets: tuple[Shelf, Bits] | None = None
        self._radius = radius_km(viewers, parameters)
        self._placed = viewers.has_place
        self._quizzed = viewers.latest != MISSING
        latest = np.maximum(latest_results(viewers), 0)
        self._quiz = quiz_column(viewers.quiz.values[latest] if len(viewers.quiz.values) else latest)
        self._wanted = np.where(np.isnan(viewers.distance), np.inf, viewers.distance)
        # Only viewers who prefer no distance have tier A candidates who are not near.
        self._anywhere = np.isinf(self._wanted)
        self._step = np.float32(tier_step(parameters))
        codes = np.arange(_GENDERS)
        wants = viewers.wants.astype(np.int64)[:, None]
        self._genders = (wants == 0) | ((codes < _GENDERS - 1) & ((wants >> codes) & 1 == 1))
        # A lower bound of 0 turns away unknown ages (MISSING is below it) as soon as any bound is given.
        given = (viewers.age_min != MISSING) | (viewers.age_max != MISSING)
        self._age_low = np.where(given, np.maximum(viewers.age_min, 0), MISSING).astype(np.int16)
        self._age_high = np.where(viewers.age_max == MISSING, np.iinfo(np.int16).max, viewers.age_max).astype(np.int16)

    def against(self, shelf: Shelf) -> Matchup:
        """Prepare for a shelf; serves all its blocks."""
        viewers, candidates = self._taste, shelf.taste
        half = self._weights.traits / 2
        present = viewers.masks[viewers.mask]
        common = present @ candidates.masks.T
        fallback = common < MIN_COMMON_TRAITS
        by_quiz = fallback & self._quizzed[:, None] & candidates.quizzes[:, self._quiz].T
        fewer = np.minimum(self._viewers.trait_count[:, None], candidates.masks.sum(axis=1)[None, :])
        coverage = half * np.sqrt(common / np.maximum(fewer, 1))
        # A pair that falls back has 0.5, or at most 1 where both have a quiz to compare.
        coverage = np.where(fallback, half * (1 + by_quiz), coverage)
        viewer = np.where(fallback, 0, _inverse((viewers.directions**2) @ candidates.masks.T))
        candidate = _inverse(viewers.masks @ (candidates.directions**2).T)
        return Matchup(
            shelf=shelf,
            viewer=viewer.astype(np.float32),
            coverage=coverage.astype(np.float32),
            candidate=None if (candidate == 1).all() else candidate.astype(np.float32),
            by_quiz=by_quiz,
        )

    def without_interests(self, rows: Indices, matchup: Matchup, columns: slice, near: bool) -> Singles:
        """(r, c) keys of the viewers `rows` and the shelf's candidates `columns`, the interests left out.

        A pair that falls back on a quiz has what it may reach at most. `near`: whether a candidate may be within a
        viewer's radius.
        """
        users = matchup.shelf.users
        keys = self._traits_and_ratings(rows, matchup, columns)
        by_name = self._same_place(rows, users, columns)
        if by_name is not None:
            keys += by_name
        if near:
            proximity, kept = self._proximity(rows, users, columns)
            keys += proximity
            keys += self._step * (self._tier_a(rows, users, columns) & kept)
        else:
            free = np.flatnonzero(self._anywhere[rows])
            if len(free):
                keys[free] += self._step * self._tier_a(rows[free], users, columns)
        return keys

    def reaching(
        self, rows: Indices, matchup: Matchup, columns: slice, keys: Singles, floor: Singles
    ) -> tuple[Indices, Indices, Singles]:
        """Viewers, shelf rows and whole keys, (p,) each, of the pairs that reach their viewer's floor, (v,).

        `keys`: of `without_interests`, -inf for pairs to leave out.
        """
        # At first with the interests as they can be at most: few pairs need the exact ones.
        at_most = keys + self._interests_at_most(rows, matchup.shelf, columns)
        alive = (at_most >= (floor[rows] - np.float32(MARGIN))[:, None]) & (keys > _LOWEST)
        row, column = np.divmod(np.flatnonzero(alive), alive.shape[1])
        viewer, candidate = rows[row], columns.start + column
        found = keys[row, column] + self._jaccard(viewer, matchup.shelf, candidate)
        passed = np.flatnonzero(found >= floor[viewer])
        viewer, candidate, found = viewer[passed], candidate[passed], found[passed]
        found += self._quiz_correction(viewer, matchup, candidate)
        kept = np.flatnonzero(found >= floor[viewer])
        return viewer[kept], candidate[kept], found[kept]

    def _traits_and_ratings(self, rows: Indices, matchup: Matchup, columns: slice) -> Singles:
        taste = matchup.shelf.taste
        scores = self._taste.directions[rows] @ taste.directions[columns].T
        if matchup.candidate is not None:
            scores *= matchup.candidate[self._taste.mask[rows], columns]
        mask = taste.mask[columns]
        edges = np.flatnonzero(np.diff(mask, prepend=-1, append=-1))
        if len(edges) - 1 <= _FEW_RUNS:
            for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
                part = scores[:, start:stop]
                part *= matchup.viewer[rows, mask[start], None]
                part += 1
                part *= matchup.coverage[rows, mask[start], None]
        else:
            scores *= matchup.viewer[rows][:, mask]
            scores += 1
            scores *= matchup.coverage[rows][:, mask]
        scores += self._ratings[rows] @ matchup.shelf.ratings[columns].T
        return scores

    def _interests_at_most(self, rows: Indices, shelf: Shelf, columns: slice) -> Singles:
        """(r, c) weighted interests part, or a little more where interests share a bucket."""
        parts = self._taste.buckets[rows] @ shelf.taste.buckets[columns].T
        left = self._viewers.interest_count[rows].astype(np.float32)
        right = shelf.users.interest_count[columns].astype(np.float32)
        # Two counts of a bucket multiply to at least what they share, yet no set shares more than it has.
        np.minimum(parts, np.minimum(left[:, None], right[None, :]), out=parts)
        union = left[:, None] + right[None, :]
        union -= parts
        np.maximum(union, np.float32(1), out=union)
        parts /= union
        parts *= np.float32(self._weights.interests)
        fixed = np.float32(self._weights.interests * NO_INTERESTS)
        parts[left == 0] = fixed
        parts[:, right == 0] = fixed
        return np.asarray(parts)

    def _jaccard(self, viewer: Indices, shelf: Shelf, candidate: Indices) -> Singles:
        """(p,) weighted interests part of single pairs."""
        shared = np.bitwise_count(self._sets[viewer] & self._sets_of(shelf)[candidate]).sum(axis=1, dtype=np.int32)
        left, right = self._viewers.interest_count[viewer], shelf.users.interest_count[candidate]
        union = np.maximum(left + right - shared, 1).astype(np.float32)
        parts = np.where((left == 0) | (right == 0), np.float32(NO_INTERESTS), shared / union)
        return np.asarray(parts * self._weights.interests, np.float32)

    def _quiz_correction(self, viewer: Indices, matchup: Matchup, candidate: Indices) -> Singles:
        """(p,) what to add to single pairs' scores where `without_interests` gave the most a quiz may reach."""
        shelf, correction = matchup.shelf, np.zeros(len(viewer), np.float32)
        falls = np.flatnonzero(matchup.by_quiz[viewer, shelf.taste.mask[candidate]])
        if len(falls):
            similarity = quiz_similarity(self._viewers, shelf.users, viewer[falls], candidate[falls])
            correction[falls] = self._weights.traits * (similarity - 1)
        return correction

    def _tier_a(self, rows: Indices, users: Users, columns: slice) -> Flags:
        """(r, c) whether gender and age allow tier A."""
        gender, age = users.gender[columns], users.age[columns]
        fits = self._genders[rows][:, gender]  # MISSING is the last column
        fits &= age[None, :] >= self._age_low[rows, None]
        fits &= age[None, :] <= self._age_high[rows, None]
        return np.asarray(fits)

    def _proximity(self, rows: Indices, users: Users, columns: slice) -> tuple[Singles, Flags]:
        """(r, c) weighted proximity of pairs with coordinates, 0 for others, and whether a wanted distance is kept."""
        # In double precision and by the steps of exact.py: a preference is kept or not, there is no nearly.
        here, there = self._viewers.xyz[rows], users.xyz[columns]
        squares = np.square(here[:, 0, None] - there[None, :, 0])
        for axis in (1, 2):
            step = here[:, axis, None] - there[None, :, axis]
            squares += np.square(step, out=step)
        km = km_of_chord(np.sqrt(squares, out=squares))
        # NaN, no distance, compares as false: tier B whenever a distance is wanted.
        kept = self._anywhere[rows, None] | (km <= self._wanted[rows, None])
        radius, weight = self._radius[rows, None], self._weights.proximity
        part = np.where(radius > 0, 1 - km / np.where(radius > 0, radius, 1), np.where(km == 0, 1.0, 0.0))
        return (weight * np.nan_to_num(np.maximum(part, 0), nan=0.0)).astype(np.float32), kept

    def _same_place(self, rows: Indices, users: Users, columns: slice) -> Singles | None:
        """(r, c) weighted proximity of pairs without a distance whose places have one name; None when none has."""
        apart = ~(self._placed[rows][:, None] & users.has_place[columns][None, :])
        place = self._viewers.place[rows]
        same = apart & (place[:, None] == users.place[columns][None, :]) & (place != 0)[:, None]
        return same * np.float32(self._weights.proximity * SAME_PLACE) if same.any() else None

    def _sets_of(self, shelf: Shelf) -> Bits:
        """(n, words) interest sets of the shelf, over the vocabulary at hand."""
        if shelf.interests is not None:
            return shelf.interests
        if self._page_sets is None or self._page_sets[0] is not shelf:
            self._page_sets = (shelf, self._bits.of(shelf.users))
        return self._page_sets[1]


def _inverse(squares: Singles) -> Singles:
    """1 / sqrt of shares of a squared length: 0 for 0, and exactly 1 but for rounding."""
    inverse = np.divide(1, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)
    inverse[np.abs(inverse - 1) < 1e-6] = 1
    return inverse
