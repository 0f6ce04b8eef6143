"""The exact top K of each viewer, without scoring the whole pool.

Segments of the pool are visited in the order of what they promise, each by all groups of viewers (`group.py`) before
it is let go: on a large site laying one out takes long, and all of them would fill the memory. What the groups find is
scored again in double precision and ranked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.chances import judge_pairs
from sitejobs.matching.scoring.pair_scores import TIE_DECIMALS, Pairs, joined_pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.topk.admirers import NO_ADMIRERS, Admirers
from sitejobs.matching.topk.compiled_sieve import best_sieve
from sitejobs.matching.topk.exclusions import Exclusions
from sitejobs.matching.topk.group import GroupSearch, Prospects, Work
from sitejobs.matching.topk.pool import CandidatePool
from sitejobs.matching.topk.screening import Screening
from sitejobs.matching.topk.sieve import Page, Sieve

GROUP_VIEWERS = 512
"""Viewers who go through a segment together: their keys and bounds are in memory for all groups at a time."""


@dataclass(frozen=True)
class Matches:
    """The result for some viewers: pairs ordered by viewer, then as ranked, and each pair's rank from 1.

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
    """Find the `top_k` best candidates of each of some viewers, at least one: tier A by score, then tier B by score.

    `now` is in seconds since 1970 and not before the snapshot's time. `work` is added to. `admirers`: none excluded.
    """
    exclusions, work = exclusions.plus(admirers.row, admirers.user_id), work or Work()
    work.pairs += len(viewers) * int(pool.starts[-1])
    groups = [np.arange(at, min(at + GROUP_VIEWERS, len(viewers))) for at in range(0, len(viewers), GROUP_VIEWERS)]

    def under_way(rows: Indices) -> GroupSearch:
        group = viewers.take(rows)
        screening = Screening(group, parameters, pool.bits, pool.popularity, sieve)
        prospects = Prospects.of(group, pool.bounds, parameters)
        return GroupSearch(group, pool, exclusions.of(rows), now, parameters, work, screening, prospects)

    found = _found(pool, [under_way(rows) for rows in groups])
    viewer = np.concatenate([*(rows[row] for rows, (row, _) in zip(groups, found, strict=True)), admirers.row])
    positions = np.concatenate([*(position for _, position in found), admirers.position])
    likes = np.arange(len(viewer)) >= len(viewer) - len(admirers.row)
    distinct, candidate = np.unique(positions, return_inverse=True)
    candidates, parts = pool.users(distinct), []
    for rows in groups:  # what is compared of all pairs at once would fill the memory
        at = np.flatnonzero((viewer >= rows[0]) & (viewer <= rows[-1]))
        pairs = judge_pairs(viewers, candidates, viewer[at], candidate[at], now, parameters, likes[at])
        parts.append(ranked(candidates, pairs, parameters.top_k))
    rank = np.concatenate([part.rank for part in parts])
    return Matches(candidates, joined_pairs([part.pairs for part in parts]), rank)


def _found(pool: CandidatePool, groups: Sequence[GroupSearch]) -> list[tuple[Indices, Indices]]:
    """For each group the rows of its viewers and the positions of their candidates."""
    for group in groups:
        group.forecast()
    _visit(pool, groups)
    _visit(pool, [group for group in groups if group.start_again()])
    return [group.found() for group in groups]


def _visit(pool: CandidatePool, groups: Sequence[GroupSearch]) -> None:
    """Show the groups each segment that one of them wants: those with people nearby first, the most promising first."""
    first = pool.segments[:-1]
    if not groups or not len(first):
        return
    near = np.logical_or.reduceat(np.any([group.near for group in groups], axis=0), first)
    promise = np.maximum.reduceat(np.max([group.promise for group in groups], axis=0), first)
    for number in np.lexsort((-promise, ~near)).tolist():
        wanting = [group for group in groups if group.wants(number)]
        if wanting:
            segment = pool.segment(number)
            for group in wanting:
                group.visit(number, segment)


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
