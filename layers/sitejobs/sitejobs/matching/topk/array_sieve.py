"""A sieve of matrix products and whole arrays: upper bounds of all pairs of a question, step by step."""

import numpy as np

from sitejobs.matching.scoring.arrays import Flags, Indices, Singles
from sitejobs.matching.scoring.geometry import EARTH_RADIUS_KM
from sitejobs.matching.scoring.interests import count_bits
from sitejobs.matching.scoring.pair_scores import NO_INTERESTS
from sitejobs.matching.topk.segment import KNOWN_GENDERS, PreparedSegment, Segment
from sitejobs.matching.topk.sieve import NEARER_KM, Page, Question
from sitejobs.matching.topk.wishes import GENDERS

_KM = np.float32(EARTH_RADIUS_KM)

_FEW_RUNS = 12
"""Most runs of equal masks for which multiplying run by run is faster than taking a factor for each column."""


class ArraySieve:
    """`Sieve` in numpy."""

    chunk_users = 3072

    def __init__(self, page: Page) -> None:
        self._page = page
        self._mutual = page.parameters.mutual
        self._interests = self._interests_bound()

    def passing(
        self, question: Question, prepared: PreparedSegment, least: Singles, least_suiting: Singles
    ) -> tuple[Indices, Indices, Singles]:
        rows, columns = question.rows, question.columns
        near = bool(question.near.any())
        km = self._km_lower_bound(rows, prepared.segment.xyz[columns]) if near else None
        known = self._traits(rows, prepared, columns)
        self._page.worth.add_known(known, rows, prepared.segment, columns)
        upper = self._interests[rows] @ prepared.segment.interests_bound[columns].T
        upper += known
        self._add_places(upper, rows, prepared, columns, km)
        self._page.worth.add_gaps(upper, rows, prepared.segment, columns)
        passing = upper >= least[:, None]
        suiting = np.flatnonzero(question.suiting.any(axis=1))
        self._add_tier_a(passing, upper, rows, suiting, least_suiting, prepared.segment, columns, km)
        if not question.wanted.all():
            passing &= np.repeat(question.wanted, np.diff(question.starts), axis=1)
        passing[question.excluded] = False
        at = np.flatnonzero(passing)
        index, column = np.divmod(at, upper.shape[1])
        candidate = columns.start + column
        return index, candidate, known.reshape(-1)[at] + self._jaccard(rows[index], prepared, candidate)

    def _interests_bound(self) -> Singles:
        """(v, ...) the viewers' side of `Segment.interests_bound`, weighted."""
        viewers, worth = self._page.viewers, self._page.worth.interests
        none = (viewers.interest_count == 0).astype(np.float32)[:, None]
        columns = [worth * self._page.taste.shares, worth * NO_INTERESTS * none, worth * NO_INTERESTS * (1 - none)]
        if self._mutual:
            columns.append(viewers.gender[:, None] == np.arange(GENDERS)[KNOWN_GENDERS])
        return np.concatenate(columns, axis=1, dtype=np.float32)

    def _traits(self, rows: Indices, prepared: PreparedSegment, columns: slice) -> Singles:
        """(r, c) weighted traits part; of a pair that falls back on a quiz, its upper bound."""
        taste = prepared.segment.taste
        scores = self._page.taste.directions[rows] @ taste.directions[columns].T
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
            upper[:, among - columns.start] += self._page.same_place_part(rows[:, None], users, among[None, :])
        if km is not None:
            part = km * (-1 / np.maximum(self._page.radius[rows, None], 1e-6)).astype(np.float32)
            part += 1
            np.fmax(part, 0, out=part)
            np.fmin(part, 1, out=part)
            part *= np.float32(self._page.worth.proximity)
            upper += part

    def _add_tier_a(
        self,
        passing: Flags,
        upper: Singles,
        rows: Indices,
        among: Indices,
        least: Singles,
        segment: Segment,
        columns: slice,
        km: Singles | None,
    ) -> None:
        """Mark the pairs that reach the least if they may be of tier A: `among` tells for which viewers any may.

        `km`: lower bounds of distances, None if none is near.
        """
        wishes = self._page.wishes
        if km is None:
            # Who is far is of tier A only for viewers who prefer no distance, if also far beyond the default radius.
            among = among[wishes.anywhere[rows[among]]]
        if not len(among):
            return
        everyone = len(among) == len(rows)
        viewers = rows[among]
        fits = self._page.codes.may_suit(viewers, segment.codes, columns, mutual=self._mutual)
        fits &= (upper if everyone else upper[among]) >= least[among, None]
        if km is not None:
            self._keep_within(fits, viewers, segment, columns, km if everyone else km[among])
        elif self._mutual:
            fits &= segment.wishes.km[columns] > self._page.parameters.default_radius_km
        if everyone:
            passing |= fits
        else:
            passing[among] |= fits

    def _keep_within(self, fits: Flags, viewers: Indices, segment: Segment, columns: slice, km: Singles) -> None:
        """Unmark pairs farther apart than wanted. NaN, no distance, compares as false: tier B where one is wanted."""
        wishes = self._page.wishes
        kept = km <= wishes.most_km[viewers, None]
        kept |= wishes.anywhere[viewers, None]
        fits &= kept
        if self._mutual:
            np.less_equal(km, segment.wishes.most_km[columns], out=kept)
            kept |= segment.wishes.anywhere[columns]
            fits &= kept

    def _km_lower_bound(self, rows: Indices, there: Singles) -> Singles:
        """(r, c) distances, a little too short: the chord instead of the arc, and less rounding. NaN for none."""
        here = self._page.xyz[rows]
        squares = np.square(here[:, 0, None] - there[None, :, 0])
        for axis in (1, 2):
            step = here[:, axis, None] - there[None, :, axis]
            squares += np.square(step, out=step)
        np.sqrt(squares, out=squares)
        squares *= _KM
        squares -= NEARER_KM
        return np.asarray(squares)

    def _jaccard(self, viewer: Indices, prepared: PreparedSegment, candidate: Indices) -> Singles:
        """(p,) weighted interests part of single pairs."""
        shared = count_bits(self._page.sets[viewer] & prepared.sets[candidate])
        left, right = self._page.viewers.interest_count[viewer], prepared.segment.users.interest_count[candidate]
        union = np.maximum(left + right - shared, 1).astype(np.float32)
        parts = np.where((left == 0) | (right == 0), np.float32(NO_INTERESTS), shared / union)
        return np.asarray(parts * self._page.worth.interests, np.float32)
