"""The search for a group of viewers, to which one segment of the pool after the other is shown.

A viewer skips a block whose bound is below its threshold, the K-th best key so far. In other blocks only candidates
whose own bound reaches the threshold are screened.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.chances import judge_pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.topk.bounds import Bounds, upper_bounds_of
from sitejobs.matching.topk.buffer import TopKBuffer
from sitejobs.matching.topk.exclusions import Exclusions
from sitejobs.matching.topk.keyed_pairs import KeyedPairs, joined
from sitejobs.matching.topk.keys import key_margin, tier_step
from sitejobs.matching.topk.pool import CandidatePool, chunks
from sitejobs.matching.topk.screening import Screening
from sitejobs.matching.topk.segment import PreparedSegment, Segment
from sitejobs.matching.topk.sieve import Question

CHUNK_USERS = 1024
"""Candidates in a chunk while thresholds are unknown: each chunk raises them for the next one. Later a sieve tells."""

MOST_AT_ONCE = 1024
"""Keys of one viewer that its buffer takes at once."""

MOST_UNRESOLVED = 8192
"""Pairs that wait for their quizzes to be compared; more are compared at once."""

FEWEST_TO_FORECAST = 16
"""Fewest viewers for whom searching the sample first pays."""

BOUNDED_AT_ONCE = 64
"""Viewers whose bounds are made at a time: these take several numbers for each block, of which few are kept."""


@dataclass
class Work:
    """How much of the pool a search looked at, in pairs of a viewer and a candidate.

    pairs : all there are. looked_at: those not skipped with their block. scored: those that reached their viewer's
        threshold.
    """

    pairs: int = 0
    looked_at: int = 0
    scored: int = 0


@dataclass(frozen=True)
class Prospects:
    """What each block may hold for each viewer, all (v, b).

    top : upper bound of keys. near, suiting: whether any of it may be within the viewer's radius, or of tier A.
        barred: whether nobody in it is possible.
    """

    top: Singles
    near: Flags
    suiting: Flags
    barred: Flags

    @classmethod
    def of(cls, viewers: Users, bounds: Bounds, parameters: Parameters) -> Self:
        shape, step = (len(viewers), len(bounds)), tier_step(parameters)
        made = cls(np.empty(shape, np.float32), *(np.empty(shape, bool) for _ in range(3)))
        for first in range(0, len(viewers), BOUNDED_AT_ONCE):
            rows = slice(first, min(first + BOUNDED_AT_ONCE, len(viewers)))
            upper = upper_bounds_of(viewers.take(np.arange(rows.start, rows.stop)), bounds, parameters)
            made.top[rows] = upper.score + step * upper.tier_a
            made.near[rows], made.suiting[rows], made.barred[rows] = upper.near, upper.tier_a, upper.barred
        return made


@dataclass(frozen=True)
class _Shown:
    """The segment that is shown: its blocks are `first`..`stop` - 1, its first candidate's position is `base`.

    excluded : pairs to pass over, by viewer's row and the segment's row, these ascending.
    """

    first: int
    stop: int
    base: int
    prepared: PreparedSegment
    excluded: tuple[Indices, Indices]

    def among(self, rows: Indices, columns: slice) -> tuple[Indices, Indices]:
        """The excluded pairs of these viewers in a part of the segment: indices into both."""
        viewer, candidate = self.excluded
        first, stop = np.searchsorted(candidate, (columns.start, columns.stop))
        at = np.searchsorted(rows, viewer[first:stop])
        present = np.flatnonzero(rows[np.minimum(at, len(rows) - 1)] == viewer[first:stop])
        return at[present], candidate[first:stop][present] - columns.start


class GroupSearch:
    """One group's search under way. `now`: seconds since 1970. `work` is added to."""

    def __init__(
        self,
        viewers: Users,
        pool: CandidatePool,
        exclusions: Exclusions,
        now: float,
        parameters: Parameters,
        work: Work,
        screening: Screening,
        prospects: Prospects,
    ) -> None:
        self._viewers, self._pool, self._exclusions = viewers, pool, exclusions
        self._now, self._parameters, self._work = now, parameters, work
        self._screening, self._prospects = screening, prospects
        margin = key_margin(parameters)
        self._buffer = TopKBuffer(len(viewers), parameters.top_k, MOST_AT_ONCE, self._exact_keys, margin)
        self._done = prospects.barred.copy()
        """(v, b) blocks that a viewer has been through, and those that hold nobody for it."""
        self.near: Flags = np.asarray(prospects.near.any(axis=0))
        """(b,) whether anyone in the block may be near a viewer."""
        self.promise: Singles = prospects.top.mean(axis=0)
        """(b,) what a block may be worth to the viewers."""
        self._unresolved: list[KeyedPairs] = []
        self._chunk_users = CHUNK_USERS

    def forecast(self) -> None:
        """Start with thresholds estimated from a sample: without them too many pairs pass at first."""
        sample = self._pool.sample() if len(self._viewers) >= FEWEST_TO_FORECAST else None
        if sample is None:
            return
        fewer = replace(self._parameters, top_k=sample.rank_for(self._parameters.top_k))
        part = GroupSearch(
            self._viewers, sample.pool, Exclusions(), self._now, fewer, self._work, self._screening, self._prospects
        )
        part.visit(0, sample.pool.segment(0))
        part._buffer.raise_thresholds()
        self._buffer.expect(part._buffer.threshold)
        self._chunk_users = self._screening.chunk_users

    def wants(self, number: int) -> bool:
        """Whether any viewer has to go through any of a segment."""
        return bool(self._wanted(self._blocks(number)).any())

    def visit(self, number: int, segment: Segment) -> None:
        """Go through the blocks of the segment whose bound reaches a viewer's threshold."""
        blocks = self._blocks(number)
        shown = _Shown(
            first=blocks.start,
            stop=blocks.stop,
            base=int(self._pool.starts[blocks.start]),
            prepared=self._screening.prepare(segment),
            excluded=self._exclusions.among(segment.users),
        )
        near = self._prospects.near[:, blocks]
        if near.any():
            self._look_through(shown, near)
            self._buffer.raise_thresholds()
        # Viewers with fewer than K keys have no threshold yet: they take the most promising blocks whole.
        for block in (blocks.start + np.argsort(-self.promise[blocks], kind="stable")).tolist():
            waiting = np.isneginf(self._buffer.threshold)
            if not waiting.any():
                break
            self._look_at(shown, block, block + 1, waiting[:, None])
            self._resolve(shown)
        self._look_through(shown, np.ones_like(near))

    def start_again(self) -> bool:
        """Forget thresholds that turn out too high; returns whether there were any: then all must be shown again."""
        self._buffer.raise_thresholds()
        disproved = self._buffer.disproved()
        self._chunk_users = CHUNK_USERS
        self._buffer.forget(disproved)
        self._done[disproved] = self._prospects.barred[disproved]
        return len(disproved) > 0

    def found(self) -> tuple[Indices, Indices]:
        """Viewers' rows and candidates' positions of all pairs that may belong to the best, by viewer."""
        return self._buffer.found()

    def _blocks(self, number: int) -> slice:
        return slice(int(self._pool.segments[number]), int(self._pool.segments[number + 1]))

    def _wanted(self, blocks: slice) -> Flags:
        """(v, b) which of these blocks reach their viewer's threshold and were not gone through."""
        reached = self._prospects.top[:, blocks] >= self._buffer.threshold[:, None]
        return np.asarray(~self._done[:, blocks] & reached)

    def _look_through(self, shown: _Shown, wanted: Flags) -> None:
        """Go through the wanted blocks of all of the segment's, chunk by chunk, the most promising chunks first."""
        wanted = wanted & self._wanted(slice(shown.first, shown.stop))
        starts = self._pool.starts[shown.first : shown.stop + 1]
        found = chunks(starts, np.asarray(wanted.any(axis=0)), self._chunk_users)
        best = self.promise[shown.first : shown.stop]
        for first, stop in sorted(found, key=lambda chunk: -best[chunk[0] : chunk[1]].max()):
            self._look_at(shown, shown.first + first, shown.first + stop, wanted[:, first:stop])
        self._resolve(shown)

    def _look_at(self, shown: _Shown, first: int, stop: int, wanted: NDArray[np.bool_]) -> None:
        """Add to the buffer the pairs of the blocks first..stop-1 that reach their threshold."""
        pool, threshold = self._pool, self._buffer.threshold
        wanted = wanted & self._wanted(slice(first, stop))
        rows = np.flatnonzero(wanted.any(axis=1))
        if not len(rows):
            return
        self._done[rows, first:stop] |= wanted[rows]
        starts = pool.starts[first : stop + 1] - shown.base
        columns = slice(int(starts[0]), int(starts[-1]))
        if columns.start == columns.stop:
            return
        question = Question(
            rows=rows,
            starts=starts,
            wanted=wanted[rows],
            near=self._prospects.near[rows, first:stop],
            suiting=self._prospects.suiting[rows, first:stop],
            excluded=shown.among(rows, columns),
        )
        self._work.looked_at += int((question.wanted @ np.diff(question.starts)).sum())
        pairs = self._screening.above_threshold(question, shown.prepared, threshold)
        if pairs.by_quiz.any():
            self._unresolved.append(pairs.take(pairs.by_quiz))
            pairs = pairs.take(~pairs.by_quiz)
        self._take_up(shown, pairs)
        if sum(len(waiting.viewer) for waiting in self._unresolved) > MOST_UNRESOLVED:
            self._resolve(shown)

    def _take_up(self, shown: _Shown, pairs: KeyedPairs) -> None:
        """Add pairs with candidates of the segment to the top-K buffer."""
        self._work.scored += len(pairs.viewer)
        if len(pairs.viewer):
            self._buffer.add(pairs.viewer, pairs.key, shown.base + pairs.candidate)

    def _resolve(self, shown: _Shown) -> None:
        """Compare the quizzes of the waiting pairs, many at a time: each call has a fixed cost."""
        if not self._unresolved:
            return
        pairs, self._unresolved = joined(self._unresolved), []
        pairs = pairs.take(pairs.key >= self._buffer.threshold[pairs.viewer])
        pairs = self._screening.resolved(pairs, shown.prepared)
        self._take_up(shown, pairs.take(pairs.key >= self._buffer.threshold[pairs.viewer]))

    def _exact_keys(self, row: int, positions: Indices) -> tuple[Floats, Indices]:
        distinct, candidate = np.unique(positions, return_inverse=True)
        candidates = self._pool.users(distinct)
        viewer = np.full(len(positions), row)
        pairs = judge_pairs(self._viewers, candidates, viewer, candidate, self._now, self._parameters)
        keys = pairs.worth + tier_step(self._parameters) * pairs.tier_a
        return np.where(pairs.barred, -np.inf, keys), candidates.ids[candidate]
