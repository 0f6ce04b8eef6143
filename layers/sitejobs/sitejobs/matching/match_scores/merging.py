"""Orders changed candidates among the matches of stored lists that still hold."""

from dataclasses import dataclass, replace

import numpy as np

from sitejobs.matching.match_scores.stored_lists import StoredLists
from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.pair_scores import TIE_DECIMALS, Pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.topk.keys import tier_step

_ROUNDING = 2.0**-24
"""Share of a number that is lost at most where it is stored in single precision."""


@dataclass(frozen=True)
class Order:
    """The new places, from 1: of the lists' members (-1: no longer holds), and of the pairs. The first K are ranks.

    tier_a : (v,) how many of each viewer's matches are of tier A. count: (v,) how many there are.
    unsure : (v,) whose order the stored scores do not tell, or who may have lost a match to somebody unknown.
    """

    members: Indices
    pairs: Indices
    tier_a: Indices
    count: Indices
    unsure: Flags

    def ranks(self, top_k: int) -> "Order":
        """The same with 0 for places beyond the first `top_k`."""
        members, pairs = (np.where(place > top_k, 0, place) for place in (self.members, self.pairs))
        return replace(self, members=members, pairs=pairs)


def merge(lists: StoredLists, stale: Flags, active: Flags, pairs: Pairs, ids: Indices, parameters: Parameters) -> Order:
    """Rank the members that still hold and the pairs, by viewer, of the `active` viewers.

    `stale`: members that no longer hold. `ids`: of the pairs' candidates.
    """
    members, viewers, near = lists.members, len(active), close(parameters)
    holds = np.flatnonzero(active[members.row] & ~stale & (members.place >= 0))
    own, key = members.row[holds], pairs.worth + tier_step(parameters) * pairs.tier_a
    # One ascending number for viewer and key; equal scores in the order of ids may be off by a rounding.
    apart = 2 * (tier_step(parameters) + parameters.weights.total) + 1
    known = np.maximum.accumulate(own * apart - members.key[holds])
    asked = pairs.viewer * apart - key
    before, after = np.searchsorted(known, asked - near), np.searchsorted(known, asked + near, side="right")
    unsure = np.zeros(viewers, bool)
    unsure[pairs.viewer[before < after]] = True
    edges, pair_edges = (np.searchsorted(them, np.arange(viewers + 1)) for them in (own, pairs.viewer))
    # A pair stands before the member of its place, pairs of one place as they are ranked.
    in_order = np.lexsort((ids, -pairs.worth.round(TIE_DECIMALS), ~pairs.tier_a, before, pairs.viewer))
    of_pairs = np.empty(len(in_order), np.int64)
    of_pairs[in_order] = np.arange(len(in_order)) - pair_edges[pairs.viewer]
    of_pairs += before - edges[pairs.viewer] + 1
    # Ahead of a member are the pairs up to its place, but for those of viewers before its own.
    ahead = np.cumsum(np.bincount(before, minlength=len(own) + 1)[: len(own)])
    of_members = np.arange(1, len(own) + 1) + ahead
    of_members -= (edges + pair_edges)[own]
    counts = np.diff(edges) + np.diff(pair_edges)
    unsure |= active & ((counts == 0) | (lists.full & (counts < parameters.top_k)))
    places = np.full(len(members.row), -1)
    places[holds] = of_members
    members_a = members.tier_a[holds] & (of_members <= parameters.top_k)
    shown_a = own[members_a], pairs.viewer[pairs.tier_a & (of_pairs <= parameters.top_k)]
    return Order(
        members=places,
        pairs=of_pairs,
        tier_a=np.bincount(np.concatenate(shown_a), minlength=viewers),
        count=np.minimum(counts, parameters.top_k),
        unsure=unsure,
    )


def close(parameters: Parameters) -> float:
    """Difference up to which a stored score does not tell which of two candidates is better."""
    # By a model the worth is twice the logarithm of the score.
    largest = max(1.0, parameters.weights.total) if parameters.model is None else 2.0
    return 2 * _ROUNDING * largest + 10.0**-TIE_DECIMALS


def differing(
    lists: StoredLists,
    stale: Flags,
    order: Order,
    active: Flags,
    pairs: Pairs,
    ids: Indices,
    parameters: Parameters,
    epsilon: float,
) -> Flags:
    """(v,) of the active viewers those whose matches or spares are others, in other places, or off by `epsilon`."""
    members, changes = lists.members, lists.changes
    differs = np.zeros(len(active), bool)
    differs[members.row[(order.members != members.place) & ~stale]] = True
    # All others are where they were: who has gone, or stood beside the list, must be there again in the same place.
    gone = np.flatnonzero(stale & (members.place > 0) & active[members.row])
    beside = np.flatnonzero((changes.place > 0) & active[changes.row])
    row, place, old_ids, old_keys = (
        np.concatenate([getattr(members, name)[gone], getattr(changes, name)[beside]])
        for name in ("row", "place", "id", "key")
    )
    differs |= np.bincount(row, minlength=len(active)) != np.bincount(pairs.viewer, minlength=len(active))
    old, new = np.lexsort((place, row)), np.lexsort((order.pairs, pairs.viewer))
    old, new = old[~differs[row[old]]], new[~differs[pairs.viewer[new]]]
    keys = pairs.worth[new] + tier_step(parameters) * pairs.tier_a[new]
    other = (old_ids[old] != ids[new]) | (place[old] != order.pairs[new]) | (np.abs(old_keys[old] - keys) >= epsilon)
    differs[row[old[other]]] = True
    return differs & active
