"""Keys of pairs of some viewers and the candidates of a segment, in single precision and a few passes.

A key orders a viewer's candidates (`keys.py`). Step 1: an upper bound of every pair's key by matrix products: sums of
parts, and what pairs of such a sum are worth (`worths.py`). Step 2: the key itself, within its margin of the exact one,
of the few pairs whose bound reaches the viewer's threshold. What the search keeps is scored again by `chances.py`.

The traits part takes a cosine over the keys that both users have, which differ from pair to pair. Its norms do not:
|v on the keys of c| depends on v and on which set of keys c has, its mask, and there are few masks; likewise for c.
So cos = (v/|v| . c/|c|) / (r s) with r = |v on the keys of c| / |v| from a table of viewers and masks, and s from one
of masks and candidates: one matrix product, and where masks differ two factors.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.geometry import EARTH_RADIUS_KM, km_between
from sitejobs.matching.scoring.interests import Bits, InterestBits, count_bits
from sitejobs.matching.scoring.pair_scores import MIN_COMMON_TRAITS, NO_INTERESTS, SAME_PLACE
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.quizzes import latest_results
from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.topk.bounds import proximity_radius
from sitejobs.matching.topk.keyed_pairs import KeyedPairs
from sitejobs.matching.topk.keys import LOWEST, bound_margin, tier_step
from sitejobs.matching.topk.segment import (
    KNOWN_GENDERS,
    MOST_QUIZZES,
    PreparedSegment,
    Segment,
    Taste,
    inverse_roots,
    quiz_column,
)
from sitejobs.matching.topk.wishes import GENDERS, WishCodes, Wishes
from sitejobs.matching.topk.worths import worth_of

_KM = np.float32(EARTH_RADIUS_KM)
_NEARER_KM = np.float32(0.02)
"""Kilometres by which a distance in single precision may be too long: unit vectors there are about a metre apart."""

_FEW_RUNS = 12
"""Most runs of equal masks for which multiplying run by run is faster than taking a factor for each column."""


class Screening:
    """Keys for a fixed group of viewers."""

    def __init__(
        self, viewers: Users, parameters: Parameters, bits: InterestBits | None, popularity: NDArray[np.int32]
    ) -> None:
        self._viewers = viewers
        self._worth = worth_of(viewers, parameters)
        self._lowered = np.float32(bound_margin(parameters))
        self._taste = Taste.of(viewers, popularity)
        self._mutual = parameters.mutual
        self._interests = self._interests_bound()
        self._bits = bits or InterestBits.over(viewers)
        self._sets = self._bits.of(viewers)
        self._page_sets: tuple[Segment, Bits] | None = None
        self._xyz = viewers.xyz.astype(np.float32)
        self._radius = proximity_radius(viewers, parameters)
        self._quizzes = self._compared_quizzes(both=parameters.model is not None)
        self._default_radius = parameters.default_radius_km
        self._wishes = Wishes.of(viewers)
        self._codes = WishCodes.of(viewers, self._wishes)
        self._step = np.float32(tier_step(parameters))

    def prepare(self, segment: Segment) -> PreparedSegment:
        """Prepare for a segment; serves all its blocks."""
        viewers, candidates, half = self._taste, segment.taste, np.float32(self._worth.traits / 2)
        common = (viewers.masks @ candidates.masks.T)[viewers.mask]
        fallback = common < MIN_COMMON_TRAITS
        by_quiz = fallback & (self._quizzes @ candidates.quizzes.T.astype(np.float32) > 0)
        counts = self._viewers.trait_count.astype(np.float32)
        fewer = np.minimum(counts[:, None], candidates.masks.sum(axis=1))
        coverage = half * np.sqrt(common / np.maximum(fewer, np.float32(1)))
        # A pair that falls back has 0.5, or at most 1 where both have a quiz to compare.
        coverage[fallback] = half * (1 + by_quiz[fallback])
        factor = inverse_roots((viewers.directions**2) @ candidates.masks.T)
        factor *= coverage
        factor[fallback] = 0
        scales, scale = segment.scales(viewers.masks)
        return PreparedSegment(
            segment=segment,
            factor=factor,
            coverage=coverage,
            scales=scales,
            scale=scale[viewers.mask],
            by_quiz=by_quiz,
            by_place=self._by_place(segment.users),
        )

    def above_threshold(
        self,
        rows: Indices,
        prepared: PreparedSegment,
        columns: slice,
        threshold: Singles,
        *,
        near: bool,
        suiting: Flags | None = None,
        wanted: Flags | None = None,
        excluded: tuple[Indices, Indices] | None = None,
    ) -> KeyedPairs:
        """The pairs that reach their viewer's threshold, (v,), by viewer's row and candidate's row in the segment.

        Of the viewers `rows` (ascending) and the segment's candidates `columns`, r and c of them. `near`: whether any
        of these candidates may be within a viewer's radius. `suiting`: (r,) whether any may be of tier A for it.
        `wanted`: (r, c) pairs to look at, but for those that `excluded` indexes in (r, c).
        """
        km = self._km_lower_bound(rows, prepared.segment.xyz[columns]) if near else None
        known = self._traits(rows, prepared, columns)
        self._worth.add_known(known, rows, prepared.segment, columns)
        upper = self._interests[rows] @ prepared.segment.interests_bound[columns].T
        upper += known
        self._add_places(upper, rows, prepared, columns, km)
        self._worth.add_gaps(upper, rows, prepared.segment, columns)
        keys = threshold[rows] - self._lowered
        passing = upper >= self._least_sums(keys, rows)[:, None]
        of_tier_a = np.arange(len(rows)) if suiting is None else np.flatnonzero(suiting)
        self._add_tier_a(passing, upper, rows, of_tier_a, keys - self._step, prepared.segment, columns, km)
        if wanted is not None:
            passing &= wanted
        if excluded is not None:
            passing[excluded] = False
        at = np.flatnonzero(passing)
        row, column = np.divmod(at, upper.shape[1])
        return self._keyed(rows[row], prepared, columns.start + column, known.reshape(-1)[at], threshold, near=near)

    def _keyed(
        self,
        viewer: Indices,
        prepared: PreparedSegment,
        candidate: Indices,
        known: Singles,
        threshold: Singles,
        *,
        near: bool,
    ) -> KeyedPairs:
        """Those of these pairs, (p,), that reach their viewer's threshold."""
        sums, suits = self._parts(viewer, prepared, candidate, near=near)
        sums += known
        keys = self._worth.of_pairs(sums, viewer, prepared.segment.users, candidate)
        keys = np.asarray(keys + self._step * suits, np.float32)
        by_quiz = prepared.by_quiz[viewer, prepared.segment.taste.mask[candidate]]
        return KeyedPairs(viewer, candidate, keys, sums, by_quiz).take(np.flatnonzero(keys >= threshold[viewer]))

    def resolved(self, pairs: KeyedPairs, prepared: PreparedSegment) -> KeyedPairs:
        """The pairs with their quizzes compared. All must be of the prepared segment."""
        unresolved = np.flatnonzero(pairs.by_quiz)
        viewer, candidate, users = pairs.viewer[unresolved], pairs.candidate[unresolved], prepared.segment.users
        similarity = self._worth.quiz(self._viewers, users, viewer, candidate)
        lower = pairs.sums[unresolved] + (self._worth.traits * (similarity - 1)).astype(np.float32)
        before = self._worth.of_pairs(pairs.sums[unresolved], viewer, users, candidate)
        keys = pairs.key.copy()
        keys[unresolved] += self._worth.of_pairs(lower, viewer, users, candidate) - before
        return replace(pairs, key=keys, by_quiz=np.zeros_like(pairs.by_quiz))

    def _compared_quizzes(self, *, both: bool) -> Singles:
        """(v, MOST_QUIZZES) which quizzes of a candidate may be compared: the viewer's latest, or of `both` any."""
        users, wanted = self._viewers, np.zeros((len(self._viewers), MOST_QUIZZES), np.float32)
        rows = np.flatnonzero(users.latest != MISSING)
        owners, codes = rows, users.quiz.values[latest_results(users)[rows]]
        if both:  # the candidate's latest is compared with the viewer's
            owners, codes = users.quiz.owners(), users.quiz.values
        wanted[owners, quiz_column(codes)] = 1
        return wanted

    # Step 1: upper bounds of all pairs ------------------------------------------------------------------

    def _interests_bound(self) -> Singles:
        """(v, ...) the viewers' side of `Segment.interests_bound`, weighted."""
        none = (self._viewers.interest_count == 0).astype(np.float32)[:, None]
        fixed = self._worth.interests * NO_INTERESTS
        columns = [self._worth.interests * self._taste.shares, fixed * none, fixed * (1 - none)]
        if self._mutual:
            columns.append(self._viewers.gender[:, None] == np.arange(GENDERS)[KNOWN_GENDERS])
        return np.concatenate(columns, axis=1, dtype=np.float32)

    def _traits(self, rows: Indices, prepared: PreparedSegment, columns: slice) -> Singles:
        """(r, c) weighted traits part; of a pair that falls back on a quiz, its upper bound."""
        taste = prepared.segment.taste
        scores = self._taste.directions[rows] @ taste.directions[columns].T
        if prepared.scales is not None:
            scores *= prepared.scales[prepared.scale[rows], columns]
        mask = taste.mask[columns]
        edges = np.concatenate([[0], np.flatnonzero(mask[1:] != mask[:-1]) + 1, [len(mask)]])
        if len(edges) - 1 <= _FEW_RUNS:
            for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
                part = scores[:, start:stop]
                part *= prepared.factor[rows, mask[start], None]
                part += prepared.coverage[rows, mask[start], None]
        else:
            scores *= prepared.factor[rows].take(mask, axis=1, mode="clip")
            scores += prepared.coverage[rows].take(mask, axis=1, mode="clip")
        return scores

    def _add_places(
        self, upper: Singles, rows: Indices, prepared: PreparedSegment, columns: slice, km: Singles | None
    ) -> None:
        """Add upper bounds, (r, c), of proximity. `km`: lower bounds of distances, None where nobody is near."""
        first, stop = np.searchsorted(prepared.by_place, (columns.start, columns.stop))
        if first < stop:
            among, users = prepared.by_place[first:stop], prepared.segment.users
            upper[:, among - columns.start] += self._same_place_part(rows[:, None], users, among[None, :])
        if km is not None:
            part = km * (-1 / np.maximum(self._radius[rows, None], 1e-6)).astype(np.float32)
            part += 1
            np.fmax(part, 0, out=part)
            np.fmin(part, 1, out=part)
            part *= np.float32(self._worth.proximity)
            upper += part

    def _least_sums(self, keys: Singles, rows: Indices) -> Singles:
        """(r,) upper bounds below which no pair's key is as high; all but the barred reach the least."""
        return np.maximum(self._worth.least_sums(np.maximum(keys, LOWEST), rows), LOWEST)

    def _add_tier_a(
        self,
        passing: Flags,
        upper: Singles,
        rows: Indices,
        among: Indices,
        keys: Singles,
        segment: Segment,
        columns: slice,
        km: Singles | None,
    ) -> None:
        """Mark the pairs that reach the threshold if they may be of tier A: `among` tells for which viewers any may.

        `keys`: (r,) what they need without the step of tier A. `km`: lower bounds of distances, None if none is near.
        """
        if km is None:
            # Who is far is of tier A only for viewers who prefer no distance, if also far beyond the default radius.
            among = among[self._wishes.anywhere[rows[among]]]
        if not len(among):
            return
        everyone = len(among) == len(rows)
        viewers = rows[among]
        fits = self._codes.may_suit(viewers, segment.codes, columns, mutual=self._mutual)
        fits &= (upper if everyone else upper[among]) >= self._least_sums(keys[among], viewers)[:, None]
        if km is not None:
            self._keep_within(fits, viewers, segment, columns, km if everyone else km[among])
        elif self._mutual:
            fits &= segment.wishes.km[columns] > self._default_radius
        if everyone:
            passing |= fits
        else:
            passing[among] |= fits

    def _keep_within(self, fits: Flags, viewers: Indices, segment: Segment, columns: slice, km: Singles) -> None:
        """Unmark pairs farther apart than wanted. NaN, no distance, compares as false: tier B where one is wanted."""
        kept = km <= self._wishes.most_km[viewers, None]
        kept |= self._wishes.anywhere[viewers, None]
        fits &= kept
        if self._mutual:
            np.less_equal(km, segment.wishes.most_km[columns], out=kept)
            kept |= segment.wishes.anywhere[columns]
            fits &= kept

    def _km_lower_bound(self, rows: Indices, there: Singles) -> Singles:
        """(r, c) distances, a little too short: the chord instead of the arc, and less rounding. NaN for none."""
        here = self._xyz[rows]
        squares = np.square(here[:, 0, None] - there[None, :, 0])
        for axis in (1, 2):
            step = here[:, axis, None] - there[None, :, axis]
            squares += np.square(step, out=step)
        np.sqrt(squares, out=squares)
        squares *= _KM
        squares -= _NEARER_KM
        return np.asarray(squares)

    def _by_place(self, users: Users) -> Indices:
        """Candidates whose place has the same name as a viewer's, where either has no coordinates."""
        placed = self._viewers.has_place
        lost, all_names = np.unique(self._viewers.place[~placed]), np.unique(self._viewers.place)
        by_name = np.isin(users.place, lost) | (~users.has_place & np.isin(users.place, all_names))
        return np.flatnonzero(by_name & (users.place != 0))

    # Step 2: keys of single pairs --------------------------------------------------------------------------

    def _parts(
        self, viewer: Indices, prepared: PreparedSegment, candidate: Indices, *, near: bool
    ) -> tuple[Singles, Flags]:
        """(p,) sums of all parts but those known of all pairs, and whether tier A is reached."""
        segment = prepared.segment
        parts = self._jaccard(viewer, segment, candidate)
        if len(prepared.by_place):
            parts += self._same_place_part(viewer, segment.users, candidate)
        suits = self._wishes.suit(viewer, segment.users, candidate)
        if self._mutual:
            suits &= segment.wishes.suit(candidate, self._viewers, viewer)
        if near:
            km = self._km(viewer, segment.users, candidate)
            parts += self._proximity(viewer, km)
            suits &= self._within(viewer, segment.wishes, candidate, km)
        else:
            suits &= self._wishes.anywhere[viewer]
            far = np.flatnonzero(suits & ~segment.wishes.anywhere[candidate]) if self._mutual else np.empty(0, np.int64)
            if len(far):
                km = self._km(viewer[far], segment.users, candidate[far])
                suits[far] = km <= segment.wishes.km[candidate[far]]
        return parts, suits

    def _km(self, viewer: Indices, users: Users, candidate: Indices) -> Floats:
        """(p,) distances in double precision and by the steps of pair_scores.py: there is no nearly kept preference."""
        return km_between(self._viewers.xyz[viewer], users.xyz[candidate])

    def _within(self, viewer: Indices, wishes: Wishes, candidate: Indices, km: Floats) -> Flags:
        """(p,) whether wanted distances are kept. NaN, no distance, compares as false where one is wanted."""
        kept = self._wishes.anywhere[viewer] | (km <= self._wishes.km[viewer])
        if self._mutual:
            kept &= wishes.anywhere[candidate] | (km <= wishes.km[candidate])
        return np.asarray(kept)

    def _proximity(self, viewer: Indices, km: Floats) -> Singles:
        """(p,) weighted proximity of pairs with coordinates, 0 for others."""
        radius = self._radius[viewer]
        part = np.where(radius > 0, 1 - km / np.where(radius > 0, radius, 1), np.where(km == 0, 1.0, 0.0))
        return np.asarray(self._worth.proximity * np.fmax(part, 0), np.float32)

    def _same_place_part(self, viewer: Indices, users: Users, candidate: Indices) -> Singles:
        """Weighted proximity of pairs without a distance whose places have one name, 0 for others; broadcasts."""
        apart = ~(self._viewers.has_place[viewer] & users.has_place[candidate])
        place = self._viewers.place[viewer]
        same = apart & (place == users.place[candidate]) & (place != 0)
        return np.asarray(same * np.float32(self._worth.proximity * SAME_PLACE))

    def _jaccard(self, viewer: Indices, segment: Segment, candidate: Indices) -> Singles:
        """(p,) weighted interests part of single pairs."""
        shared = count_bits(self._sets[viewer] & self._sets_of(segment)[candidate])
        left, right = self._viewers.interest_count[viewer], segment.users.interest_count[candidate]
        union = np.maximum(left + right - shared, 1).astype(np.float32)
        parts = np.where((left == 0) | (right == 0), np.float32(NO_INTERESTS), shared / union)
        return np.asarray(parts * self._worth.interests, np.float32)

    def _sets_of(self, segment: Segment) -> Bits:
        """(n, words) interest sets of the segment, over the vocabulary at hand."""
        if segment.interests is not None:
            return segment.interests
        if self._page_sets is None or self._page_sets[0] is not segment:
            self._page_sets = (segment, self._bits.of(segment.users))
        return self._page_sets[1]
