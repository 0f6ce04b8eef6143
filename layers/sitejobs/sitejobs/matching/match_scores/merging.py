"""Orders changed candidates among the matches of stored lists that still hold."""

from dataclasses import dataclass

import numpy as np

from sitejobs.matching.match_scores.stored_lists import StoredLists
from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.pair_scores import TIE_DECIMALS, Pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.topk.keys import tier_step

CLOSE = 1e-6
"""Difference up to which a stored score, of single precision, does not tell which of two candidates is better."""


@dataclass(frozen=True)
class Order:
    """The new ranks, 0 for none: of the lists' members (-1: no longer holds), and of the pairs.

    tier_a : (v,) how many of each viewer's matches are of tier A. count: (v,) how many there are.
    unsure : (v,) whose order the stored scores do not tell, or who may have lost a match to somebody unknown.
    """

    members: Indices
    pairs: Indices
    tier_a: Indices
    count: Indices
    unsure: Flags


def merge(lists: StoredLists, stale: Flags, active: Flags, pairs: Pairs, ids: Indices, parameters: Parameters) -> Order:
    """Rank the members that still hold and the pairs, by viewer, of the `active` viewers.

    `stale`: members that no longer hold. `ids`: of the pairs' candidates.
    """
    members, viewers = lists.members, len(active)
    holds = np.flatnonzero(active[members.row] & ~stale & (members.rank >= 0))
    own, key = members.row[holds], pairs.worth + tier_step(parameters) * pairs.tier_a
    # One ascending number for viewer and key; equal scores in the order of ids may be off by a rounding.
    apart = 2 * (tier_step(parameters) + parameters.weights.total) + 1
    known = np.maximum.accumulate(own * apart - members.key[holds])
    asked = pairs.viewer * apart - key
    before, after = np.searchsorted(known, asked - CLOSE), np.searchsorted(known, asked + CLOSE, side="right")
    unsure = np.zeros(viewers, bool)
    unsure[pairs.viewer[before < after]] = True
    # A member's place among those that hold; a pair stands before the member of its place.
    place = np.concatenate([_within(own), before - np.searchsorted(own, pairs.viewer)])
    row = np.concatenate([own, pairs.viewer])
    nothing = np.zeros(len(own))
    by_pair = (ids, -pairs.worth.round(TIE_DECIMALS), ~pairs.tier_a)
    keys = [np.concatenate([nothing, values]) for values in by_pair]
    order = np.lexsort((*keys, np.arange(len(row)) < len(own), place, row))
    rank = np.empty(len(row), np.int64)
    rank[order] = _within(row[order]) + 1
    rank[rank > parameters.top_k] = 0
    counts = np.bincount(row, minlength=viewers)
    unsure |= active & ((counts == 0) | (lists.full & (counts < parameters.top_k)))
    tier_a = np.concatenate([members.tier_a[holds], pairs.tier_a]) & (rank > 0)
    ranks = np.full(len(members.row), -1)
    ranks[holds] = rank[: len(own)]
    return Order(
        members=ranks,
        pairs=rank[len(own) :],
        tier_a=np.bincount(row[tier_a], minlength=viewers),
        count=np.minimum(counts, parameters.top_k),
        unsure=unsure,
    )


def differing(
    lists: StoredLists, order: Order, active: Flags, pairs: Pairs, ids: Indices, parameters: Parameters, epsilon: float
) -> Flags:
    """(v,) of the active viewers those whose matches are others, in another order, or of scores off by `epsilon`."""
    shape, step = (len(active), parameters.top_k), tier_step(parameters)
    old_ids, new_ids = np.zeros((2, *shape), np.int64)
    old_keys, new_keys = np.zeros((2, *shape))
    for part in (lists.members, lists.changes):
        shown = np.flatnonzero(active[part.row] & (part.rank > 0))
        at = part.row[shown], part.rank[shown] - 1
        old_ids[at], old_keys[at] = part.id[shown], part.key[shown]
    shown = np.flatnonzero(active[lists.members.row] & (order.members > 0))
    at = lists.members.row[shown], order.members[shown] - 1
    new_ids[at], new_keys[at] = lists.members.id[shown], lists.members.key[shown]
    shown = np.flatnonzero(order.pairs > 0)
    at = pairs.viewer[shown], order.pairs[shown] - 1
    new_ids[at], new_keys[at] = ids[shown], pairs.worth[shown] + step * pairs.tier_a[shown]
    return np.asarray((old_ids != new_ids).any(axis=1) | (np.abs(old_keys - new_keys) >= epsilon).any(axis=1))


def _within(ascending: Indices) -> Indices:
    """For each element of an ascending array its index among the equal ones."""
    return np.arange(len(ascending)) - np.searchsorted(ascending, ascending)
