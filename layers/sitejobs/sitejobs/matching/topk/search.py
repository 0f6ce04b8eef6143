"""The best candidates of each viewer, exactly, without scoring the whole world.

Blocks come in the order of what they can reach; a viewer skips a block that cannot reach its K-th best key so
far, and of the other blocks scores only the candidates that could. What remains is scored again in double
precision and put in order.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.pair_scores import TIE_DECIMALS, Pairs, score_pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users, concatenate
from sitejobs.matching.topk.best import Leaders
from sitejobs.matching.topk.bounds import Bounds, Reach, reach_of
from sitejobs.matching.topk.screening import Kernel, KeyedPairs, Matchup, joined, tier_step
from sitejobs.matching.topk.segment import Shelf

Indices = NDArray[np.int64]

STRIP_USERS = 1024
"""Candidates looked at together, as long as no floors are known: each strip raises them for the next one."""

LONG_STRIP_USERS = 3072
"""The same with floors to begin with: fewer steps, and a strip's matrices still stay in the processor's cache."""

MOST_UNSETTLED = 8192
"""Pairs whose quizzes wait to be compared."""

FEWEST_TO_FORECAST = 16
"""Viewers for whom it pays to look through the sample first."""


@dataclass
class Work:
    """How much of the world was looked at, in pairs of a viewer and a candidate.

    pairs : all there are. looked_at: those not skipped with their block. scored: those that reached a viewer's floor.
    """

    pairs: int = 0
    looked_at: int = 0
    scored: int = 0


@dataclass(frozen=True)
class World:
    """The candidates of a snapshot: b blocks, on shelves of neighbouring ones.

    starts : (b + 1,) position of each block's first candidate, and the number of candidates.
    shelves : (s + 1,) first block of each shelf, and the number of blocks. `shelf(i)` holds their candidates.
    bits : the vocabulary that the shelves' interest bits were made for, when they have them.
    popularity : rank of each interest code, 0 for the most popular.
    sample : a part of the candidates to look through first, if there is one to have.
    """

    bounds: Bounds
    starts: Indices
    shelves: Indices
    shelf: Callable[[int], Shelf]
    bits: InterestBits | None
    popularity: NDArray[np.int32]
    sample: Callable[[], "Sample | None"] = lambda: None

    def shelf_of(self, position: Indices) -> Indices:
        """The shelf on which each position stands."""
        return np.searchsorted(self.starts[self.shelves], position, side="right") - 1


@dataclass(frozen=True)
class Sample:
    """One in `every` of the candidates of each block of a world, by the same bounds."""

    world: World
    every: int

    def rank_for(self, top_k: int) -> int:
        """The rank in the sample that lies, but for a viewer in hundreds, beyond the whole world's `top_k`.

        Of the best K a sample holds K / every, give or take the root of that.
        """
        expected = top_k / self.every
        return math.ceil(expected + 3 * math.sqrt(expected) + 1)


@dataclass(frozen=True)
class Exclusions:
    """Pairs that must not be found: `row` indexes the viewers, `user_id` is the candidate's id."""

    row: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    user_id: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def plus(self, row: Indices, user_id: Indices) -> "Exclusions":
        return Exclusions(np.concatenate([self.row, row]), np.concatenate([self.user_id, user_id]))

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
    world: World,
    exclusions: Exclusions,
    now: float,
    parameters: Parameters,
    work: Work | None = None,
) -> Matches:
    """Find each viewer's `top_k` best candidates: tier A by score, then tier B by score.

    `now` is in seconds since 1970 and not before the snapshot's time. `work` is added to.
    """
    reach = reach_of(viewers, world.bounds, parameters)
    kernel = Kernel(viewers, parameters, world.bits, world.popularity)
    return _Search(viewers, world, exclusions, now, parameters, work or Work(), kernel, reach).run()


class _Search:
    """One search under way."""

    def __init__(
        self,
        viewers: Users,
        world: World,
        exclusions: Exclusions,
        now: float,
        parameters: Parameters,
        work: Work,
        kernel: Kernel,
        reach: Reach,
    ) -> None:
        self._viewers, self._world, self._exclusions = viewers, world, exclusions
        self._now, self._parameters, self._work = now, parameters, work
        self._kernel, self._reach = kernel, reach
        self._top = (reach.score + tier_step(parameters) * reach.tier_a).astype(np.float32)
        largest = max(LONG_STRIP_USERS, int(np.diff(world.starts).max(initial=0)))
        self._leaders = Leaders(len(viewers), parameters.top_k, largest, self._exact_keys)
        self._done = np.zeros(self._top.shape, bool)
        """(v, b) blocks that a viewer has been through."""
        self._matchups: dict[int, Matchup] = {}
        self._excluded_on: dict[int, tuple[Indices, Indices]] = {}
        self._unsettled: list[tuple[int, KeyedPairs]] = []
        self._unsettled_pairs = 0
        self._strip_users = STRIP_USERS

    def run(self) -> Matches:
        self._work.pairs += len(self._viewers) * int(self._world.starts[-1])
        self._forecast()
        self._go_through()
        disproved = self._leaders.disproved()
        if len(disproved):
            self._strip_users = STRIP_USERS
            self._leaders.forget(disproved)
            self._done[disproved] = False
            self._go_through()
        return _ranked(self._viewers, self._world, self._leaders, self._now, self._parameters)

    def _forecast(self) -> None:
        """Begin with the floors that a sample of the candidates lets expect: low ones let too many in."""
        sample = self._world.sample() if len(self._viewers) >= FEWEST_TO_FORECAST else None
        if sample is None:
            return
        fewer = replace(self._parameters, top_k=sample.rank_for(self._parameters.top_k))
        part = _Search(
            self._viewers, sample.world, Exclusions(), self._now, fewer, self._work, self._kernel, self._reach
        )
        part._go_through()
        self._leaders.expect(part._leaders.floor)
        self._strip_users = LONG_STRIP_USERS

    def _go_through(self) -> None:
        """Look at every block where a viewer may find one of its best."""
        self._visit(self._reach.near)
        self._leaders.raise_floor()
        # Whoever has too few yet takes the most promising blocks whole: without a floor nothing can be left out.
        for block in np.argsort(-self._top.mean(axis=0), kind="stable").tolist():
            waiting = np.isneginf(self._leaders.floor)
            if not waiting.any():
                break
            self._look_at(block, block + 1, waiting[:, None])
            self._settle()
        self._visit(np.ones_like(self._done))
        self._leaders.raise_floor()

    def _visit(self, wanted: NDArray[np.bool_]) -> None:
        """Go through the wanted blocks, (v, b), strip by strip, the most promising strips first."""
        wanted = wanted & ~self._done
        strips = list(_strips(self._world, np.asarray(wanted.any(axis=0)), self._strip_users))
        best = self._top.mean(axis=0)
        for first, stop in sorted(strips, key=lambda strip: -best[strip[0] : strip[1]].max()):
            self._look_at(first, stop, wanted[:, first:stop])
        self._settle()

    def _look_at(self, first: int, stop: int, wanted: NDArray[np.bool_]) -> None:
        """Take up whom viewers may find among their best in the blocks first..stop-1, which share a shelf."""
        world, floor = self._world, self._leaders.floor
        wanted = wanted & ~self._done[:, first:stop] & (self._top[:, first:stop] >= floor[:, None])
        rows = np.flatnonzero(wanted.any(axis=1))
        if not len(rows):
            return
        self._done[rows, first:stop] |= wanted[rows]
        number = int(np.searchsorted(world.shelves, first, side="right")) - 1
        matchup, base = self._matchup(number), int(world.starts[world.shelves[number]])
        columns = slice(int(world.starts[first]) - base, int(world.starts[stop]) - base)
        if columns.start == columns.stop:
            return
        near = bool(self._reach.near[rows, first:stop].any())
        sizes = np.diff(world.starts[first : stop + 1])
        self._work.looked_at += int((wanted[rows] @ sizes).sum())
        left_out = None if wanted[rows].all() else np.repeat(~wanted[rows], sizes, axis=1)
        pairs = self._kernel.reaching(
            rows, matchup, columns, floor, near=near, left_out=left_out, excluded=self._excluded(number, rows, columns)
        )
        if not pairs.by_quiz.any():
            self._take_up(number, pairs)
            return
        self._take_up(number, pairs.take(~pairs.by_quiz))
        self._unsettled.append((number, pairs.take(pairs.by_quiz)))
        self._unsettled_pairs += int(pairs.by_quiz.sum())
        if self._unsettled_pairs > MOST_UNSETTLED:
            self._settle()

    def _excluded(self, number: int, rows: Indices, columns: slice) -> tuple[Indices, Indices]:
        """The excluded pairs in a part of a shelf: indices into `rows` and into the columns."""
        viewer, candidate = self._excluded_on[number]
        first, stop = np.searchsorted(candidate, (columns.start, columns.stop))
        at = np.searchsorted(rows, viewer[first:stop])
        present = np.flatnonzero(rows[np.minimum(at, len(rows) - 1)] == viewer[first:stop])
        return at[present], candidate[first:stop][present] - columns.start

    def _take_up(self, number: int, pairs: KeyedPairs) -> None:
        """Add pairs with candidates on a shelf to the leaders."""
        self._work.scored += len(pairs.viewer)
        if len(pairs.viewer):
            base = self._world.starts[self._world.shelves[number]]
            self._leaders.add(pairs.viewer, pairs.key, base + pairs.candidate)

    def _settle(self) -> None:
        """Compare the quizzes of those who fall back on them: many pairs at a time, for each call is costly."""
        waiting, self._unsettled, self._unsettled_pairs = self._unsettled, [], 0
        for number in sorted({number for number, _ in waiting}):
            pairs = joined([part for shelf, part in waiting if shelf == number])
            pairs = pairs.take(pairs.key >= self._leaders.floor[pairs.viewer])
            pairs = self._kernel.settled(pairs, self._matchup(number))
            self._take_up(number, pairs.take(pairs.key >= self._leaders.floor[pairs.viewer]))

    def _exact_keys(self, row: int, positions: Indices) -> tuple[NDArray[np.float64], Indices]:
        distinct, candidate = np.unique(positions, return_inverse=True)
        candidates = gather(self._viewers, self._world, distinct)
        viewer = np.full(len(positions), row)
        pairs = score_pairs(self._viewers, candidates, viewer, candidate, self._now, self._parameters)
        return pairs.score + tier_step(self._parameters) * pairs.tier_a, candidates.ids[candidate]

    def _matchup(self, number: int) -> Matchup:
        if number not in self._matchups:
            shelf = self._world.shelf(number)
            self._matchups[number] = self._kernel.against(shelf)
            self._excluded_on[number] = self._exclusions.among(shelf.users)
        return self._matchups[number]


def _strips(world: World, wanted: NDArray[np.bool_], users: int) -> Iterator[tuple[int, int]]:
    """Runs of wanted blocks on one shelf of up to so many candidates: first block, and the one after."""
    shelf = np.searchsorted(world.shelves, np.arange(len(wanted)), side="right")
    begin: int | None = None
    for index in range(len(wanted)):
        full = begin is not None and (
            shelf[index] != shelf[begin] or world.starts[index + 1] - world.starts[begin] > users
        )
        if begin is not None and (full or not wanted[index]):
            yield begin, index
            begin = None
        if begin is None and wanted[index]:
            begin = index
    if begin is not None:
        yield begin, len(wanted)


def _ranked(viewers: Users, world: World, leaders: Leaders, now: float, parameters: Parameters) -> Matches:
    """Score the leaders exactly and put them in order."""
    viewer, positions = leaders.found()
    distinct, candidate = np.unique(positions, return_inverse=True)
    candidates = gather(viewers, world, distinct)
    pairs = score_pairs(viewers, candidates, viewer, candidate, now, parameters)
    return ranked(candidates, pairs, parameters.top_k)


def ranked(candidates: Users, pairs: Pairs, top_k: int) -> Matches:
    """Order pairs by viewer, tier, score and candidate id, and keep the first `top_k` of each viewer."""
    order = np.lexsort((candidates.ids[pairs.candidate], -pairs.score.round(TIE_DECIMALS), ~pairs.tier_a, pairs.viewer))
    owners = pairs.viewer[order]
    first = np.searchsorted(owners, owners)
    rank = np.arange(len(order)) - first + 1
    kept = rank <= top_k
    return Matches(candidates, pairs.take(order[kept]), rank[kept])


def gather(viewers: Users, world: World, positions: Indices) -> Users:
    """The users at ascending positions; none of the viewers when there are none."""
    shelves = world.shelf_of(positions)
    parts = []
    for number in np.unique(shelves).tolist():
        base = world.starts[world.shelves[number]]
        parts.append(world.shelf(number).users.take(positions[shelves == number] - base))
    return concatenate(parts) if parts else viewers.take(np.empty(0, np.int64))
