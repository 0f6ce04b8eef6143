"""The best candidates of each viewer, exactly, without scoring the whole world.

Blocks come in the order of what they can reach; a viewer skips a block that cannot reach its K-th best key so
far, and of the other blocks scores only the candidates that could. What remains is scored again in double
precision and put in order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.bounds import SLACK, Bounds, reach_of
from sitejobs.matching.exact import Pairs, score_pairs
from sitejobs.matching.interests import InterestBits
from sitejobs.matching.kernel import Kernel, Shelf, tier_step
from sitejobs.matching.leaders import Leaders
from sitejobs.matching.parameters import Parameters
from sitejobs.matching.pending import Pending
from sitejobs.matching.screen import Screen, Screening
from sitejobs.matching.users import Users, concatenate

Indices = NDArray[np.int64]

TIE_DECIMALS = 9
"""Scores this close are equal: the lower candidate id comes first."""

STRIP_USERS = 2048
"""Candidates bounded at a time: the matrices of a strip stay in the processor's cache."""

MOST_PENDING = 2_000_000
"""Pairs that may wait to be scored."""

ROUND_EXTRA = 64
"""Pairs of a viewer scored in one round, beyond as many as it may keep."""

_LOWEST = np.finfo(np.float32).min


@dataclass
class Work:
    """How much of the world was looked at: pairs of a viewer and a candidate."""

    pairs: int = 0
    scored: int = 0


@dataclass(frozen=True)
class World:
    """The candidates of a snapshot: b blocks, on shelves of neighbouring ones.

    starts : (b + 1,) position of each block's first candidate, and the number of candidates.
    shelves : (s + 1,) first block of each shelf, and the number of blocks. `shelf(i)` holds their candidates.
    bits : the vocabulary that the shelves' interest bits were made for, when they have them.
    popularity : rank of each interest code, 0 for the most popular.
    """

    bounds: Bounds
    starts: Indices
    shelves: Indices
    shelf: Callable[[int], Shelf]
    bits: InterestBits | None
    popularity: NDArray[np.int32]

    def shelf_of(self, position: Indices) -> Indices:
        """The shelf on which each position stands."""
        return np.searchsorted(self.starts[self.shelves], position, side="right") - 1


@dataclass(frozen=True)
class Exclusions:
    """Pairs that must not be found: `row` indexes the viewers, `user_id` is the candidate's id."""

    row: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    user_id: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def plus(self, row: Indices, user_id: Indices) -> "Exclusions":
        return Exclusions(np.concatenate([self.row, row]), np.concatenate([self.user_id, user_id]))

    def touch(self, user_id: Indices) -> bool:
        """Whether any of these candidates may be excluded for some viewer."""
        return bool(np.isin(user_id, self.user_id).any())

    def contain(self, row: Indices, user_id: Indices) -> NDArray[np.bool_]:
        """Which of the pairs (row[i], user_id[i]) are excluded."""
        found = np.zeros(len(row), bool)
        suspects = np.flatnonzero(np.isin(user_id, self.user_id))
        if len(suspects):
            known = set(zip(self.row.tolist(), self.user_id.tolist(), strict=True))
            found[suspects] = [pair in known for pair in zip(row[suspects], user_id[suspects], strict=True)]
        return found


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
    return _Search(viewers, world, exclusions, now, parameters, work or Work()).run()


class _Search:
    """One search under way."""

    def __init__(
        self, viewers: Users, world: World, exclusions: Exclusions, now: float, parameters: Parameters, work: Work
    ) -> None:
        self._viewers, self._world, self._exclusions = viewers, world, exclusions
        self._now, self._parameters, self._work = now, parameters, work
        self._step = np.float32(tier_step(parameters))
        self._reach = reach_of(viewers, world.bounds, parameters)
        self._top = (self._reach.score + self._step * self._reach.tier_a).astype(np.float32)
        self._kernel = Kernel(viewers, parameters, world.bits)
        self._leaders = Leaders(len(viewers), parameters.top_k, int(np.diff(world.starts).max(initial=1)))
        self._scored = np.zeros(self._top.shape, bool)
        """(v, b) blocks that were scored whole."""

    def run(self) -> Matches:
        self._work.pairs += len(self._viewers) * int(self._world.starts[-1])
        self._score_neighbours()
        self._screen_the_rest()
        return _ranked(self._viewers, self._world, self._leaders, self._now, self._parameters)

    def _score_neighbours(self) -> None:
        """Score whole blocks: those about the viewers, and others until everyone has as many as are wanted."""
        for index in np.argsort(-self._top.mean(axis=0), kind="stable").tolist():
            floor = self._leaders.floor
            wanted = self._reach.near[:, index] | np.isneginf(floor)
            rows = np.flatnonzero(wanted & (self._top[:, index] >= floor))
            if len(rows):
                self._score_block(index, rows)

    def _score_block(self, index: int, rows: Indices) -> None:
        world = self._world
        number = int(np.searchsorted(world.shelves, index, side="right")) - 1
        shelf, base = world.shelf(number), int(world.starts[world.shelves[number]])
        columns = slice(int(world.starts[index]) - base, int(world.starts[index + 1]) - base)
        self._work.scored += len(rows) * (columns.stop - columns.start)
        near = bool(self._reach.near[rows, index].any())
        keys = self._kernel.keys(rows, shelf, columns, near, self._leaders.floor[rows])
        row, column = np.nonzero(keys >= np.maximum(self._leaders.floor[rows], _LOWEST)[:, None])
        self._add(rows[row], base + columns.start + column, shelf.users.ids[columns][column], keys[row, column])
        self._scored[rows, index] = True

    def _screen_the_rest(self) -> None:
        """Bound all other pairs, and score those whose bound reaches the floor, the most promising first."""
        screen = Screen(self._viewers, self._world.popularity, self._parameters)
        pending = Pending()
        for number in range(len(self._world.shelves) - 1):
            first, stop = int(self._world.shelves[number]), int(self._world.shelves[number + 1])
            open_blocks = (self._top[:, first:stop] >= self._leaders.floor[:, None]) & ~self._scored[:, first:stop]
            if not open_blocks.any():
                continue
            shelf = self._world.shelf(number)
            screening = screen.against(shelf.screened)
            for start, end in _strips(self._world.starts, first, stop, open_blocks.any(axis=0)):
                self._screen_strip(screen, screening, shelf, number, start, end, pending)
            if pending.pairs > MOST_PENDING:
                pending = self._score_pending(pending, self._parameters.top_k + ROUND_EXTRA)
        count = self._parameters.top_k + ROUND_EXTRA
        while pending.pairs:
            pending = self._score_pending(pending, count)
            count *= 8

    def _screen_strip(
        self,
        screen: Screen,
        screening: Screening,
        shelf: Shelf,
        number: int,
        first: int,
        stop: int,
        pending: Pending,
    ) -> None:
        """Bound the pairs of the blocks first..stop-1, which stand on one shelf."""
        world, floor = self._world, self._leaders.floor
        wanted = (self._top[:, first:stop] >= floor[:, None]) & ~self._scored[:, first:stop]
        rows = np.flatnonzero(wanted.any(axis=1))
        if not len(rows):
            return
        base = int(world.starts[world.shelves[number]])
        columns = slice(int(world.starts[first]) - base, int(world.starts[stop]) - base)
        bounds = screen.without_interests(rows, screening, columns)
        self._add_blocks_terms(bounds, rows, first, stop, wanted[rows])
        free = np.flatnonzero(self._kernel.anywhere[rows] & self._reach.tier_a[rows, first:stop].any(axis=1))
        if len(free):
            bounds[free] += self._step * self._kernel.tier_flags_of_all(rows[free], shelf.users, columns)
        alive = bounds + screen.interests(rows, screening, columns) >= (floor[rows] - np.float32(SLACK))[:, None]
        row, column = np.divmod(np.flatnonzero(alive), alive.shape[1])
        if not len(row):
            return
        # The exact interests instead of their bound leave few pairs.
        jaccard = self._kernel.jaccard(rows[row], shelf, columns.start + column)
        bound = bounds[row, column] + np.float32(self._parameters.weights.interests) * jaccard + np.float32(SLACK)
        kept = np.flatnonzero(bound >= floor[rows[row]])
        pending.add(rows[row[kept]], base + columns.start + column[kept], bound[kept])

    def _add_blocks_terms(
        self, bounds: NDArray[np.float32], rows: Indices, first: int, stop: int, wanted: NDArray[np.bool_]
    ) -> None:
        """Add what a pair can have by its block alone: the proximity; and -inf where the block is done with."""
        terms = self._parameters.weights.proximity * self._reach.proximity[rows, first:stop]
        terms[~wanted] = -np.inf
        if terms.any():
            sizes = np.diff(self._world.starts[first : stop + 1])
            bounds += np.repeat(terms.astype(np.float32), sizes, axis=1)

    def _score_pending(self, pending: Pending, count: int) -> Pending:
        """Score each viewer's `count` most promising pairs; return those that still matter after that."""
        viewer, position, rest = pending.best(count)
        shelves = self._world.shelf_of(position)
        for number in np.unique(shelves).tolist():
            picked = np.flatnonzero(shelves == number)
            shelf, base = self._world.shelf(number), int(self._world.starts[self._world.shelves[number]])
            keys = self._kernel.pair_keys(viewer[picked], shelf, position[picked] - base)
            self._work.scored += len(picked)
            passed = np.flatnonzero(keys >= self._leaders.floor[viewer[picked]])
            picked = picked[passed]
            self._add(viewer[picked], position[picked], shelf.users.ids[position[picked] - base], keys[passed])
        self._leaders.raise_floor()
        return rest.above(self._leaders.floor)

    def _add(self, viewer: Indices, position: Indices, ids: Indices, keys: NDArray[np.float32]) -> None:
        """Take keys of pairs, by ascending viewer, that are not excluded."""
        if self._exclusions.touch(ids):
            allowed = ~self._exclusions.contain(viewer, ids)
            viewer, position, ids, keys = viewer[allowed], position[allowed], ids[allowed], keys[allowed]
        if len(viewer):
            self._leaders.add(viewer, keys, position, ids)


def _strips(starts: Indices, first: int, stop: int, wanted: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Runs of wanted blocks of up to `STRIP_USERS` candidates: first block and the one after the last."""
    begin: int | None = None
    for index in range(first, stop):
        if begin is not None and (not wanted[index - first] or starts[index + 1] - starts[begin] > STRIP_USERS):
            yield begin, index
            begin = None
        if begin is None and wanted[index - first]:
            begin = index
    if begin is not None:
        yield begin, stop


def _ranked(viewers: Users, world: World, leaders: Leaders, now: float, parameters: Parameters) -> Matches:
    """Score the leaders exactly and put them in order."""
    viewer, positions = leaders.found()
    distinct, candidate = np.unique(positions, return_inverse=True)
    candidates = _gather(viewers, world, distinct)
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


def _gather(viewers: Users, world: World, positions: Indices) -> Users:
    """The users at ascending positions; none of the viewers when there are none."""
    shelves = world.shelf_of(positions)
    parts = []
    for number in np.unique(shelves).tolist():
        base = world.starts[world.shelves[number]]
        parts.append(world.shelf(number).users.take(positions[shelves == number] - base))
    return concatenate(parts) if parts else viewers.take(np.empty(0, np.int64))
