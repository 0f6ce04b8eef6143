"""Keys of pairs of some viewers and the candidates of a segment, in single precision and a few passes.

A key orders a viewer's candidates (`keys.py`). Step 1: a sieve (`sieve.py`) finds the pairs whose upper bound reaches
the viewer's threshold: sums of parts, and what pairs of such a sum are worth (`worths.py`). Step 2: the key itself,
within its margin of the exact one, of these few pairs. What the search keeps is scored again by `chances.py`.

The traits part takes a cosine over the keys that both users have, which differ from pair to pair. Its norms do not:
|v on the keys of c| depends on v and on which set of keys c has, its mask, and there are few masks; likewise for c.
So cos = (v/|v| . c/|c|) / (r s) with r = |v on the keys of c| / |v| from a table of viewers and masks, and s from one
of masks and candidates: one matrix product, and where masks differ two factors.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.geometry import km_between
from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.pair_scores import MIN_COMMON_TRAITS
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.quizzes import latest_results
from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.topk.compiled_sieve import best_sieve
from sitejobs.matching.topk.keyed_pairs import KeyedPairs
from sitejobs.matching.topk.keys import LOWEST, bound_margin, tier_step
from sitejobs.matching.topk.segment import MOST_QUIZZES, PreparedSegment, Segment, Taste, inverse_roots, quiz_column
from sitejobs.matching.topk.sieve import Page, Question, Sieve
from sitejobs.matching.topk.wishes import Wishes
from sitejobs.matching.topk.worths import Worth


class Screening:
    """Keys for a fixed group of viewers."""

    def __init__(
        self,
        viewers: Users,
        parameters: Parameters,
        bits: InterestBits | None,
        popularity: NDArray[np.int32],
        sieve: Callable[[Page], Sieve] = best_sieve,
    ) -> None:
        self._bits = bits or InterestBits.over(viewers)
        self._viewers = viewers
        self._taste = Taste.of(viewers, popularity)
        self._page = Page.of(viewers, parameters, self._taste, self._bits.of(viewers))
        self._worth, self._wishes = self._page.worth, self._page.wishes
        self._sieve = sieve(self._page)
        self._lowered, self._step = np.float32(bound_margin(parameters)), np.float32(tier_step(parameters))
        self._mutual = parameters.mutual
        self._quizzes = self._compared_quizzes(both=parameters.model is not None)

    @property
    def chunk_users(self) -> int:
        """About how many candidates to ask about at a time."""
        return self._sieve.chunk_users

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
            factors=np.stack([factor, coverage], axis=-1),
            scales=scales,
            scale=scale[viewers.mask],
            by_quiz=by_quiz,
            by_place=self._by_place(segment.users),
            bits=self._bits,
        )

    def above_threshold(self, question: Question, prepared: PreparedSegment, threshold: Singles) -> KeyedPairs:
        """The pairs asked for that reach their viewer's threshold, (v,), by viewer's row and candidate's row."""
        rows, worth = question.rows, self._page.worth
        keys = threshold[rows] - self._lowered
        least, suiting = _least_sums(worth, keys, rows), _least_sums(worth, keys - self._step, rows)
        index, candidate, known = self._sieve.passing(question, prepared, least, suiting)
        return self._keyed(rows[index], prepared, candidate, known, threshold, near=bool(question.near.any()))

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
        """(p,) sums of all parts but those that the sieve knows, and whether tier A is reached."""
        segment = prepared.segment
        parts = np.zeros(len(viewer), np.float32)
        if len(prepared.by_place):
            parts += self._page.same_place_part(viewer, segment.users, candidate)
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
        radius = self._page.radius[viewer]
        part = np.where(radius > 0, 1 - km / np.where(radius > 0, radius, 1), np.where(km == 0, 1.0, 0.0))
        return np.asarray(self._worth.proximity * np.fmax(part, 0), np.float32)


def _least_sums(worth: Worth, keys: Singles, rows: Indices) -> Singles:
    """(r,) upper bounds below which no pair's key is as high; all but the barred reach the least."""
    return np.maximum(worth.least_sums(np.maximum(keys, LOWEST), rows), LOWEST)
