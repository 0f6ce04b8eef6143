"""The best candidates of each viewer, exactly, without scoring the whole world.

Blocks come in the order of what they can reach; a viewer skips a block that cannot reach its K-th best key so
far, and of the other blocks scores only the candidates that could. What remains is scored again in double
precision and put in order.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.bounds import SLACK, Bounds, reach_of
from sitejobs.matching.exact import Pairs, score_pairs
from sitejobs.matching.interests import InterestBits
from sitejobs.matching.kernel import Candidates, Kernel, tier_step
from sitejobs.matching.leaders import Leaders
from sitejobs.matching.parameters import Parameters
from sitejobs.matching.screen import Screen
from sitejobs.matching.users import Users, concatenate

Indices = NDArray[np.int64]

TIE_DECIMALS = 9
"""Scores this close are equal: the lower candidate id comes first."""

_LOWEST = np.finfo(np.float32).min
_DENSE_SHARE = 0.2
"""Share of a block's candidates from which scoring all of them is cheaper than picking them out."""


@dataclass
class Work:
    """How much of the world was looked at: pairs of a viewer and a candidate."""

    pairs: int = 0
    scored: int = 0


@dataclass(frozen=True)
class World:
    """The candidates of a snapshot: `block(i)` has the users that `bounds` row i is about."""

    bounds: Bounds
    starts: Indices
    """(b + 1,) position of each block's first candidate, and the number of candidates."""
    block: Callable[[int], Candidates]
    bits: InterestBits | None
    """The vocabulary that the blocks' interest bits were made for, when they have them."""
    popularity: NDArray[np.int32]


@dataclass(frozen=True)
class Exclusions:
    """Pairs that must not be found: `row` indexes the viewers, `user_id` is the candidate's id."""

    row: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    user_id: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def plus(self, row: Indices, user_id: Indices) -> "Exclusions":
        return Exclusions(np.concatenate([self.row, row]), np.concatenate([self.user_id, user_id]))

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
        self._kernel = Kernel(viewers, parameters, world.bits)
        self._screen = Screen(viewers, world.popularity, parameters)
        largest = int(np.diff(world.starts).max(initial=1))
        self._leaders = Leaders(len(viewers), parameters.top_k, largest)

    def run(self) -> Matches:
        self._work.pairs += len(self._viewers) * int(self._world.starts[-1])
        top = (self._reach.score + self._step * self._reach.tier_a).astype(np.float32)
        for index in np.argsort(-top.mean(axis=0), kind="stable"):
            rows = np.flatnonzero(top[:, index] >= self._leaders.floor)
            if len(rows):
                self._look_at(int(index), rows)
        return _ranked(self._viewers, self._world, self._leaders, self._now, self._parameters)

    def _look_at(self, index: int, rows: Indices) -> None:
        """Score a block's candidates for those viewers who may find one of their best there."""
        block = self._world.block(index)
        floor = self._leaders.floor[rows]
        # What tier B must reach counts where nobody can be tier A; where someone can, only the score itself does.
        needed = floor - self._step * self._reach.tier_a[rows, index]
        dense = needed < 0
        screened = np.flatnonzero(~dense)
        if len(screened):
            product, terms = self._screen.bounds(rows[screened], block.screened)
            terms += self._parameters.weights.proximity * self._reach.proximity[rows[screened], index] + SLACK
            alive = product >= (needed[screened] - terms)[:, None]
            crowded = np.count_nonzero(alive, axis=1) > alive.shape[1] * _DENSE_SHARE
            dense[screened[crowded]] = True
            alive[crowded] = False
            self._add_pairs(index, block, rows[screened], needed[screened], alive)
        if dense.any():
            self._add_block(index, block, rows[dense])

    def _add_block(self, index: int, block: Candidates, rows: Indices) -> None:
        columns = np.arange(len(block.users))
        self._work.scored += len(rows) * len(columns)
        near = bool(self._reach.near[rows, index].any())
        keys = self._kernel.keys(rows, block, columns, near, self._leaders.floor[rows])
        _exclude(keys, rows, block.users.ids, self._exclusions)
        row, column = np.nonzero(keys >= np.maximum(self._leaders.floor[rows], _LOWEST)[:, None])
        self._leaders.add(rows[row], keys[row, column], self._world.starts[index] + column, block.users.ids[column])

    def _add_pairs(
        self, index: int, block: Candidates, rows: Indices, needed: NDArray[np.float32], alive: NDArray[np.bool_]
    ) -> None:
        row, column = np.nonzero(alive)
        if not len(row):
            return
        only_a = self._reach.tier_a[rows, index][row]
        kept = ~only_a | self._kernel.tier_flags(rows[row], block.users, column)
        row, column = row[kept], column[kept]
        self._work.scored += len(row)
        near = bool(self._reach.near[rows, index].any())
        keys = self._kernel.pair_keys(rows[row], block, column, near)
        passed = np.flatnonzero(keys >= self._leaders.floor[rows[row]])
        row, column, keys = rows[row[passed]], column[passed], keys[passed]
        allowed = ~self._exclusions.contain(row, block.users.ids[column])
        row, column, keys = row[allowed], column[allowed], keys[allowed]
        self._leaders.add(row, keys, self._world.starts[index] + column, block.users.ids[column])


def _exclude(keys: NDArray[np.float32], rows: Indices, ids: Indices, exclusions: Exclusions) -> None:
    """Set the keys of excluded pairs to -inf."""
    hit = np.flatnonzero(np.isin(exclusions.user_id, ids))
    if not len(hit):
        return
    at = np.searchsorted(rows, exclusions.row[hit])
    hit, at = hit[at < len(rows)], at[at < len(rows)]
    present = rows[at] == exclusions.row[hit]
    order = np.argsort(ids)
    columns = order[np.searchsorted(ids, exclusions.user_id[hit], sorter=order)]
    keys[at[present], columns[present]] = -np.inf


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
    blocks = np.searchsorted(world.starts, positions, side="right") - 1
    parts = []
    for index in np.unique(blocks):
        wanted = positions[blocks == index] - world.starts[index]
        parts.append(world.block(int(index)).users.take(wanted))
    return concatenate(parts) if parts else viewers.take(np.empty(0, np.int64))
