"""Reads the stored lists of a page's viewers, with their spares and what earlier incremental runs stored beside them.

The spares of a list are the matches next after its end: ids, scores and tiers as of its time. Whoever is neither in the
list nor among them was worth no more at that time than the last of them (`StoredLists.last`). This holds until the list
is computed anew:

- A match or spare who changes no longer holds. Changed candidates worth more than the last spare stand beside the list.
- So the best of those who hold and those beside are the best of all, while they are K. Spares among them move beside
  the list, scored as of its time. Where they are fewer than K the list is computed anew.
- Whoever is hidden or deleted has changed. For a viewer with other exclusions the list is computed anew.
- A list that a full run leaves as it is has the same spares, of the same parts: its fingerprint covers them.
- A list without spares, of an older version, ends with its last match. One of fewer than K holds every candidate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.pair_scores import SECONDS_A_DAY
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.topk.keys import tier_step
from sitejobs.postgres.columns import Arrays, fetch_columns, fetch_lists

_READ_LISTS: Final[LiteralString] = """
SELECT l."userId", (extract(epoch FROM l."scoredAt") * 1000000)::int8 AS "scoredAt", l."tierA",
       COALESCE(cardinality(l."spareUserId"), 0) AS "spares", COALESCE(l."spareTierA", 0::int2) AS "spareTierA",
       l."candidateUserId" || l."spareUserId" AS "candidateUserId", l."score" || l."spareScore" AS "score",
       COALESCE(c."tierA", 0::int2) AS "changedTierA", COALESCE(c."rank", '{}') AS "rank",
       COALESCE(c."candidateUserId", '{}') AS "changedUserId", COALESCE(c."score", '{}') AS "changedScore"
FROM "MatchList" l
LEFT JOIN "MatchListChange" c ON c."userId" = l."userId" AND c."listScoredAt" = l."scoredAt"
WHERE l."userId" = ANY(%(ids)s)
"""
"""Reads the viewers' lists, their spares after their matches, and what changed in them."""

_TYPES: Final = {
    "userId": "int8",
    "scoredAt": "int8",
    "tierA": "int2",
    "spares": "int4",
    "spareTierA": "int2",
    "candidateUserId": "int8",
    "score": "float4",
    "changedTierA": "int2",
    "rank": "int2",
    "changedUserId": "int8",
    "changedScore": "float4",
}

_READ_ENDS: Final[LiteralString] = """
SELECT l."userId", (extract(epoch FROM l."scoredAt") * 1000000)::int8 AS "scoredAt",
       CASE WHEN l."spareUserId" IS NULL THEN COALESCE(l."candidateUserId"[%(top_k)s], -1)
            ELSE l."spareUserId"[cardinality(l."spareUserId")] END AS "lastUserId",
       CASE WHEN l."spareUserId" IS NULL THEN COALESCE(l."score"[%(top_k)s], 0)
            ELSE l."spareScore"[cardinality(l."spareUserId")] END AS "lastScore",
       CASE WHEN l."spareUserId" IS NULL THEN %(top_k)s <= l."tierA"
            ELSE cardinality(l."spareUserId") <= l."spareTierA" END::int AS "lastTierA"
FROM "MatchList" l WHERE l."userId" = ANY((SELECT %(ids)s)::bigint[])
"""
"""Reads who is the last of each full list, -1 of others. Of lists with spares no long array is looked at."""

_TYPES_OF_ENDS: Final = {
    "userId": "int8",
    "scoredAt": "int8",
    "lastUserId": "int8",
    "lastScore": "float4",
    "lastTierA": "int2",
}

NOBODY: Final = -1

StoredWorth = Callable[[Floats, Indices], Floats]
"""Stored scores and ids of candidates -> what these are worth (`PageRun.stored_worth`)."""


@dataclass(frozen=True)
class Members:
    """Stored matches of several lists, by viewer: row of the viewer, candidate's id, key, tier, and place as it is.

    place : from 1, among all that are stored of a viewer; the first K are ranks. -1 for one that no longer holds.
    """

    row: Indices
    id: Indices
    key: Floats
    tier_a: Flags
    place: Indices


@dataclass(frozen=True)
class Ends:
    """Where the stored lists of v viewers end.

    microseconds : (v,) time of the list since 1970, -1 without one.
    last : (v,) key of the last spare of a full list. Others hold every candidate: -inf.
    id : (v,) who that is, -1 for nobody.
    """

    microseconds: Indices
    last: Floats
    id: Indices

    @property
    def seconds(self) -> Floats:
        """(v,) times of the lists."""
        return self.microseconds / 1e6

    def lag(self, now: float, parameters: Parameters) -> Floats:
        """(v,) the most that newness has moved a score since the list was computed; infinite without a list."""
        days = (now - self.seconds) / SECONDS_A_DAY
        weight = parameters.weights.newness if parameters.model is None else 0.0
        moved = weight * (1 - 0.5 ** (np.maximum(days, 0) / parameters.half_life_days))
        return np.where((self.microseconds < 0) | (days < 0), np.inf, moved)


@dataclass(frozen=True)
class StoredLists(Ends):
    """The stored lists of v viewers.

    full : (v,) whether the list has as many matches as it may.
    members : matches of the lists, in their order, each list's before its spares. changes: those stored beside them.
    spares : (v,) how many spares there are.
    """

    full: Flags
    members: Members
    changes: Members
    spares: Indices

    @property
    def is_spare(self) -> Flags:
        """(members,) which are spares."""
        sizes = np.bincount(self.members.row, minlength=len(self.spares))
        return np.asarray(_within(sizes) >= np.repeat(sizes - self.spares, sizes))


def read_ends(connection: Connection, viewers: Users, parameters: Parameters, worth: StoredWorth) -> Ends:
    """Where the lists of the viewers end, as `read_lists` says it."""
    found = fetch_columns(connection, _READ_ENDS, {"ids": viewers.ids, "top_k": parameters.top_k}, _TYPES_OF_ENDS)
    ids, by_id = viewers.by_id
    rows = by_id[np.searchsorted(ids, found["userId"])]
    full = found["lastUserId"] != NOBODY
    microseconds, who = np.full((2, len(viewers)), NOBODY)
    last = np.full(len(viewers), -np.inf)
    microseconds[rows], who[rows] = found["scoredAt"], found["lastUserId"]
    key = worth(found["lastScore"].astype(np.float64), found["lastUserId"]) + tier_step(parameters) * found["lastTierA"]
    last[rows] = np.where(full, key, -np.inf)
    return Ends(microseconds, last, who)


def read_lists(connection: Connection, viewers: Users, parameters: Parameters, worth: StoredWorth) -> StoredLists:
    """The lists of the viewers."""
    found = fetch_lists(connection, _READ_LISTS, {"ids": viewers.ids}, _TYPES)
    ids, by_id = viewers.by_id
    rows = by_id[np.searchsorted(ids, found["userId"].joined())]
    in_order = np.argsort(rows)
    rows = rows[in_order]
    found = {name: values.take(in_order.tolist()) for name, values in found.items()}
    sizes, spares, step = found["candidateUserId"].sizes(), found["spares"].joined(), tier_step(parameters)
    microseconds, last, full = np.full(len(viewers), -1), np.full(len(viewers), -np.inf), np.zeros(len(viewers), bool)
    microseconds[rows] = found["scoredAt"].joined()
    full[rows] = sizes - spares >= parameters.top_k
    members = _members(rows, found, step, worth)
    ends, who = np.cumsum(sizes) - 1, np.full(len(viewers), NOBODY)
    if len(members.key):
        last[rows] = np.where(full[rows], members.key[ends], -np.inf)
        who[rows] = np.where(full[rows], members.id[ends], NOBODY)
    of_viewers = np.zeros(len(viewers), np.int64)
    of_viewers[rows] = spares
    placed = _placed(members, _changes(rows, found, step, worth), parameters.top_k)
    return StoredLists(microseconds, last, who, full, *placed, of_viewers)


def _members(rows: Indices, found: dict[str, Arrays], step: float, worth: StoredWorth) -> Members:
    sizes = found["candidateUserId"].sizes()
    at, listed = _within(sizes), np.repeat(sizes - found["spares"].joined(), sizes)
    tier_a = np.where(
        at < listed,
        at < np.repeat(found["tierA"].joined(), sizes),
        at - listed < np.repeat(found["spareTierA"].joined(), sizes),
    )
    place = at + 1
    place[np.repeat(found["rank"].sizes() > 0, sizes)] = found["rank"].joined()[~_beside(found)]
    ids = found["candidateUserId"].joined()
    key = worth(found["score"].joined().astype(np.float64), ids) + step * tier_a
    return Members(np.repeat(rows, sizes), ids, key, tier_a, place)


def _changes(rows: Indices, found: dict[str, Arrays], step: float, worth: StoredWorth) -> Members:
    sizes = found["changedUserId"].sizes()
    rank = found["rank"].joined()[_beside(found)].astype(np.int64)
    tier_a = (rank > 0) & (rank <= np.repeat(found["changedTierA"].joined(), sizes))
    ids = found["changedUserId"].joined()
    key = worth(found["changedScore"].joined().astype(np.float64), ids) + step * tier_a
    return Members(np.repeat(rows, sizes), ids, key, tier_a, rank)


def _placed(members: Members, changes: Members, top_k: int) -> tuple[Members, Members]:
    """Those of rank 0 take the places after the `top_k` best, in the order of their keys."""
    hidden, beside = np.flatnonzero(members.place == 0), np.flatnonzero(changes.place == 0)
    row = np.concatenate([members.row[hidden], changes.row[beside]])
    order = np.lexsort((-np.concatenate([members.key[hidden], changes.key[beside]]), row))
    place = np.empty(len(row), np.int64)
    place[order] = top_k + 1 + _within(np.bincount(row))
    members.place[hidden], changes.place[beside] = place[: len(hidden)], place[len(hidden) :]
    return members, changes


def _beside(found: dict[str, Arrays]) -> Flags:
    """Which of the stored ranks are of candidates beside a list: they come after its matches and before its spares."""
    ranks, spares = found["rank"].sizes(), found["spares"].joined()
    place, first = _within(ranks), found["candidateUserId"].sizes() - spares
    return np.asarray((place >= np.repeat(first, ranks)) & (place < np.repeat(ranks - spares, ranks)))


def _within(sizes: Indices) -> Indices:
    """For each element of groups of these sizes its index in its group."""
    return np.asarray(np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes))
