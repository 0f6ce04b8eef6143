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
from sitejobs.matching.users import Users, concatenate

Indices = NDArray[np.int64]

TIE_DECIMALS = 9
"""Scores this close are equal: the lower candidate id comes first."""


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


@dataclass(frozen=True)
class Exclusions:
    """Pairs that must not be found: `row` indexes the viewers, `user_id` is the candidate's id."""

    row: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    user_id: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def plus(self, row: Indices, user_id: Indices) -> "Exclusions":
        return Exclusions(np.concatenate([self.row, row]), np.concatenate([self.user_id, user_id]))

    def of(self, row: int) -> Indices:
        return np.asarray(self.user_id[self.row == row])


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
    work = work or Work()
    reach = reach_of(viewers, world.bounds, parameters)
    top = (reach.score + tier_step(parameters) * reach.tier_a).astype(np.float32)
    kernel = Kernel(viewers, parameters, world.bits)
    leaders = Leaders(len(viewers), parameters.top_k, int(np.diff(world.starts).max(initial=1)))
    work.pairs += len(viewers) * int(world.starts[-1])
    for index in np.argsort(-top.mean(axis=0), kind="stable"):
        rows = np.flatnonzero(top[:, index] >= leaders.floor)
        if not len(rows):
            continue
        block = world.block(int(index))
        # What a pair can have beyond the candidate's static score, at most: it tells who of the block matters.
        beyond = top[rows, index] - np.float32(world.bounds.static[index])
        columns = np.flatnonzero(block.static + SLACK >= (leaders.floor[rows] - beyond).min())
        if not len(columns):
            continue
        work.scored += len(rows) * len(columns)
        near = bool(reach.near[rows, index].any())
        keys = kernel.keys(rows, block, columns, near, leaders.floor[rows])
        ids = block.users.ids[columns]
        _exclude(keys, rows, ids, exclusions)
        leaders.add(rows, keys, world.starts[index] + columns, ids)
    return _ranked(viewers, world, leaders, now, parameters)


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
