"""The exact top K of each viewer, without scoring the whole pool.

Blocks are visited in the order of their upper bounds. A viewer skips a block whose bound is below its threshold, the
K-th best key so far. In other blocks only candidates whose own bound reaches the threshold are screened. What the
buffer holds at the end is scored again in double precision and ranked.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.chances import judge_pairs
from sitejobs.matching.scoring.pair_scores import TIE_DECIMALS, Pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.topk.admirers import NO_ADMIRERS, Admirers
from sitejobs.matching.topk.bounds import UpperBounds, upper_bounds_of
from sitejobs.matching.topk.buffer import TopKBuffer
from sitejobs.matching.topk.compiled_sieve import best_sieve
from sitejobs.matching.topk.keyed_pairs import KeyedPairs, joined
from sitejobs.matching.topk.keys import key_margin, tier_step
from sitejobs.matching.topk.pool import CandidatePool, chunks, gather
from sitejobs.matching.topk.screening import Screening
from sitejobs.matching.topk.segment import PreparedSegment, Segment
from sitejobs.matching.topk.sieve import Page, Question, Sieve

CHUNK_USERS = 1024
"""Candidates in a chunk while thresholds are unknown: each chunk raises them for the next one. Later a sieve tells."""

MOST_AT_ONCE = 1024
"""Keys of one viewer that its buffer takes at once."""

MOST_UNRESOLVED = 8192
"""Pairs that wait for their quizzes to be compared; more are compared at once."""

FEWEST_TO_FORECAST = 16
"""Fewest viewers for whom searching the sample first pays."""


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
class Exclusions:
    """Pairs that must not be found: `row` indexes the viewers, `user_id` is the candidate's id."""

    row: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    user_id: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def plus(self, row: Indices, user_id: Indices) -> "Exclusions":
        return Exclusions(np.concatenate([self.row, row]), np.concatenate([self.user_id, user_id]))

    def of(self, rows: Indices) -> "Exclusions":
        """Those of the viewers at these ascending rows, who are numbered anew."""
        kept = np.isin(self.row, rows)
        return Exclusions(np.searchsorted(rows, self.row[kept]), self.user_id[kept])

    def among(self, users: Users) -> tuple[Indices, Indices]:
        """The excluded pairs whose candidate is one of the users: viewers' rows and users' rows, these ascending."""
        ids, rows = users.by_id
        at = np.minimum(np.searchsorted(ids, self.user_id), max(len(ids) - 1, 0))
        known = np.flatnonzero(ids[at] == self.user_id) if len(ids) else at[:0]
        candidate = rows[at[known]]
        order = np.argsort(candidate, kind="stable")
        return self.row[known[order]], candidate[order]


@dataclass(frozen=True)
class Matches:
    """The result for a group of viewers: pairs ordered by viewer, then as ranked, and each pair's rank from 1.

    `pairs.candidate` indexes `candidates`.
    """

    candidates: Users
    pairs: Pairs
    rank: Indices


def search(
    viewers: Users,
    pool: CandidatePool,
    exclusions: Exclusions,
    now: float,
    parameters: Parameters,
    work: Work | None = None,
    admirers: Admirers = NO_ADMIRERS,
    sieve: Callable[[Page], Sieve] = best_sieve,
) -> Matches:
    """Find each viewer's `top_k` best candidates: tier A by score, then tier B by score.

    `now` is in seconds since 1970 and not before the snapshot's time. `work` is added to. `admirers`: none excluded.
    """
    exclusions = exclusions.plus(admirers.row, admirers.user_id)
    upper = upper_bounds_of(viewers, pool.bounds, parameters)
    screening = Screening(viewers, parameters, pool.bits, pool.popularity, sieve)
    return _Search(viewers, pool, exclusions, now, parameters, work or Work(), screening, upper).run(admirers)


class _Search:
    """One search under way."""

    def __init__(
        self,
        viewers: Users,
        pool: CandidatePool,
        exclusions: Exclusions,
        now: float,
        parameters: Parameters,
        work: Work,
        screening: Screening,
        upper: UpperBounds,
    ) -> None:
        self._viewers, self._pool, self._exclusions = viewers, pool, exclusions
        self._now, self._parameters, self._work = now, parameters, work
        self._screening, self._upper = screening, upper
        self._top = (upper.score + tier_step(parameters) * upper.tier_a).astype(np.float32)
        margin = key_margin(parameters)
        self._buffer = TopKBuffer(len(viewers), parameters.top_k, MOST_AT_ONCE, self._exact_keys, margin)
        self._done = upper.barred.copy()
        """(v, b) blocks that a viewer has been through, and those that hold nobody for it."""
        self._prepared_segments: dict[int, PreparedSegment] = {}
        self._excluded_on: dict[int, tuple[Indices, Indices]] = {}
        self._unresolved: list[tuple[int, KeyedPairs]] = []
        self._unresolved_pairs = 0
        self._chunk_users = CHUNK_USERS

    def run(self, admirers: Admirers) -> Matches:
        self._work.pairs += len(self._viewers) * int(self._pool.starts[-1])
        self._forecast()
        self._go_through()
        disproved = self._buffer.disproved()
        if len(disproved):
            self._chunk_users = CHUNK_USERS
            self._buffer.forget(disproved)
            self._done[disproved] = self._upper.barred[disproved]
            self._go_through()
        viewer, positions = self._buffer.found()
        return self._ranked(
            np.concatenate([viewer, admirers.row]),
            np.concatenate([positions, admirers.position]),
            np.arange(len(viewer) + len(admirers.row)) >= len(viewer),
        )

    def _forecast(self) -> None:
        """Start with thresholds estimated from a sample: without them too many pairs pass at first."""
        sample = self._pool.sample() if len(self._viewers) >= FEWEST_TO_FORECAST else None
        if sample is None:
            return
        fewer = replace(self._parameters, top_k=sample.rank_for(self._parameters.top_k))
        part = _Search(
            self._viewers, sample.pool, Exclusions(), self._now, fewer, self._work, self._screening, self._upper
        )
        part._go_through()
        self._buffer.expect(part._buffer.threshold)
        self._chunk_users = self._screening.chunk_users

    def _go_through(self) -> None:
        """Visit every block whose bound reaches a viewer's threshold."""
        self._visit(self._upper.near)
        self._buffer.raise_thresholds()
        # Viewers with fewer than K keys have no threshold yet: they take the most promising blocks whole.
        for block in np.argsort(-self._top.mean(axis=0), kind="stable").tolist():
            waiting = np.isneginf(self._buffer.threshold)
            if not waiting.any():
                break
            self._look_at(block, block + 1, waiting[:, None])
            self._resolve()
        self._visit(np.ones_like(self._done))
        self._buffer.raise_thresholds()

    def _visit(self, wanted: NDArray[np.bool_]) -> None:
        """Go through the wanted blocks, (v, b), chunk by chunk, the most promising chunks first."""
        wanted = wanted & ~self._done
        found = chunks(self._pool, np.asarray(wanted.any(axis=0)), self._chunk_users)
        best = self._top.mean(axis=0)
        for first, stop in sorted(found, key=lambda chunk: -best[chunk[0] : chunk[1]].max()):
            self._look_at(first, stop, wanted[:, first:stop])
        self._resolve()

    def _look_at(self, first: int, stop: int, wanted: NDArray[np.bool_]) -> None:
        """Add to the buffer the pairs of the blocks first..stop-1, of one segment, that reach their threshold."""
        pool, threshold = self._pool, self._buffer.threshold
        wanted = wanted & ~self._done[:, first:stop] & (self._top[:, first:stop] >= threshold[:, None])
        rows = np.flatnonzero(wanted.any(axis=1))
        if not len(rows):
            return
        self._done[rows, first:stop] |= wanted[rows]
        number = int(np.searchsorted(pool.segments, first, side="right")) - 1
        prepared, base = self._prepared(number), int(pool.starts[pool.segments[number]])
        columns = slice(int(pool.starts[first]) - base, int(pool.starts[stop]) - base)
        if columns.start == columns.stop:
            return
        question = Question(
            rows=rows,
            starts=pool.starts[first : stop + 1] - base,
            wanted=wanted[rows],
            near=self._upper.near[rows, first:stop],
            suiting=self._upper.tier_a[rows, first:stop],
            excluded=self._excluded(number, rows, columns),
        )
        self._work.looked_at += int((question.wanted @ np.diff(question.starts)).sum())
        pairs = self._screening.above_threshold(question, prepared, threshold)
        if not pairs.by_quiz.any():
            self._take_up(number, pairs)
            return
        self._take_up(number, pairs.take(~pairs.by_quiz))
        self._unresolved.append((number, pairs.take(pairs.by_quiz)))
        self._unresolved_pairs += int(pairs.by_quiz.sum())
        if self._unresolved_pairs > MOST_UNRESOLVED:
            self._resolve()

    def _excluded(self, number: int, rows: Indices, columns: slice) -> tuple[Indices, Indices]:
        """The excluded pairs in a part of a segment: indices into `rows` and into the columns."""
        viewer, candidate = self._excluded_on[number]
        first, stop = np.searchsorted(candidate, (columns.start, columns.stop))
        at = np.searchsorted(rows, viewer[first:stop])
        present = np.flatnonzero(rows[np.minimum(at, len(rows) - 1)] == viewer[first:stop])
        return at[present], candidate[first:stop][present] - columns.start

    def _take_up(self, number: int, pairs: KeyedPairs) -> None:
        """Add pairs with candidates of a segment to the top-K buffer."""
        self._work.scored += len(pairs.viewer)
        if len(pairs.viewer):
            base = self._pool.starts[self._pool.segments[number]]
            self._buffer.add(pairs.viewer, pairs.key, base + pairs.candidate)

    def _resolve(self) -> None:
        """Compare the quizzes of the waiting pairs, many at a time: each call has a fixed cost."""
        waiting, self._unresolved, self._unresolved_pairs = self._unresolved, [], 0
        for number in sorted({number for number, _ in waiting}):
            pairs = joined([part for segment, part in waiting if segment == number])
            pairs = pairs.take(pairs.key >= self._buffer.threshold[pairs.viewer])
            pairs = self._screening.resolved(pairs, self._prepared(number))
            self._take_up(number, pairs.take(pairs.key >= self._buffer.threshold[pairs.viewer]))

    def _exact_keys(self, row: int, positions: Indices) -> tuple[NDArray[np.float64], Indices]:
        distinct, candidate = np.unique(positions, return_inverse=True)
        candidates = self._gathered(distinct)
        viewer = np.full(len(positions), row)
        pairs = judge_pairs(self._viewers, candidates, viewer, candidate, self._now, self._parameters)
        keys = pairs.worth + tier_step(self._parameters) * pairs.tier_a
        return np.where(pairs.barred, -np.inf, keys), candidates.ids[candidate]

    def _ranked(self, viewer: Indices, positions: Indices, admirers: Flags) -> Matches:
        """Score pairs exactly and rank them."""
        distinct, candidate = np.unique(positions, return_inverse=True)
        candidates = self._gathered(distinct)
        pairs = judge_pairs(self._viewers, candidates, viewer, candidate, self._now, self._parameters, admirers)
        return ranked(candidates, pairs, self._parameters.top_k)

    def _gathered(self, positions: Indices) -> Users:
        """The candidates at ascending positions. A large site's pool may have let go of segments that are at hand."""

        def segment(number: int) -> Segment:
            prepared = self._prepared_segments.get(number)
            return self._pool.segment(number) if prepared is None else prepared.segment

        return gather(self._viewers, replace(self._pool, segment=segment), positions)

    def _prepared(self, number: int) -> PreparedSegment:
        if number not in self._prepared_segments:
            segment = self._pool.segment(number)
            self._prepared_segments[number] = self._screening.prepare(segment)
            self._excluded_on[number] = self._exclusions.among(segment.users)
        return self._prepared_segments[number]


def ranked(candidates: Users, pairs: Pairs, top_k: int) -> Matches:
    """Order pairs by viewer, tier, worth and candidate id, and keep the first `top_k` of each viewer; none barred."""
    if pairs.barred.any():
        pairs = pairs.take(np.flatnonzero(~pairs.barred))
    order = np.lexsort((candidates.ids[pairs.candidate], -pairs.worth.round(TIE_DECIMALS), ~pairs.tier_a, pairs.viewer))
    owners = pairs.viewer[order]
    first = np.searchsorted(owners, owners)
    rank = np.arange(len(order)) - first + 1
    kept = rank <= top_k
    return Matches(candidates, pairs.take(order[kept]), rank[kept])
