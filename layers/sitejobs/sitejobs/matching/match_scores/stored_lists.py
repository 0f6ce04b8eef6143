"""Reads the stored lists of a page's viewers, with what earlier incremental runs stored beside them."""

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
from sitejobs.postgres.columns import Arrays, fetch_lists

_READ_LISTS: Final[LiteralString] = """
SELECT l."userId", (extract(epoch FROM l."scoredAt") * 1000000)::int8 AS "scoredAt", l."tierA", l."candidateUserId",
       l."score", COALESCE(c."tierA", 0::int2) AS "changedTierA", COALESCE(c."rank", '{}') AS "rank",
       COALESCE(c."candidateUserId", '{}') AS "changedUserId", COALESCE(c."score", '{}') AS "changedScore"
FROM "MatchList" l
LEFT JOIN "MatchListChange" c ON c."userId" = l."userId" AND c."listScoredAt" = l."scoredAt"
WHERE l."userId" = ANY(%(ids)s)
"""
"""Reads the viewers' lists, and what changed in them."""

_TYPES: Final = {
    "userId": "int8",
    "scoredAt": "int8",
    "tierA": "int2",
    "candidateUserId": "int8",
    "score": "float4",
    "changedTierA": "int2",
    "rank": "int2",
    "changedUserId": "int8",
    "changedScore": "float4",
}


StoredWorth = Callable[[Floats, Indices], Floats]
"""Stored scores and ids of candidates -> what these are worth (`PageRun.stored_worth`)."""


@dataclass(frozen=True)
class Members:
    """Stored matches of several lists, by viewer: row of the viewer, candidate's id, key, tier, and rank as it is.

    rank : 0 for one that is not among the best, -1 for one that no longer holds.
    """

    row: Indices
    id: Indices
    key: Floats
    tier_a: Flags
    rank: Indices


@dataclass(frozen=True)
class StoredLists:
    """The stored lists of v viewers.

    microseconds : (v,) time of the list since 1970, -1 without one.
    last : (v,) key of the last match of a full list. Others hold every candidate: -inf.
    full : (v,) whether the list has as many matches as it may.
    members : matches of the lists, in their order. changes: those that are stored beside them.
    """

    microseconds: Indices
    last: Floats
    full: Flags
    members: Members
    changes: Members

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


def read_lists(connection: Connection, viewers: Users, parameters: Parameters, worth: StoredWorth) -> StoredLists:
    """The lists of the viewers."""
    found = fetch_lists(connection, _READ_LISTS, {"ids": viewers.ids}, _TYPES)
    ids, by_id = viewers.by_id
    rows = by_id[np.searchsorted(ids, found["userId"].joined())]
    in_order = np.argsort(rows)
    rows = rows[in_order]
    found = {name: values.take(in_order.tolist()) for name, values in found.items()}
    sizes, step = found["candidateUserId"].sizes(), tier_step(parameters)
    microseconds, last, full = np.full(len(viewers), -1), np.full(len(viewers), -np.inf), np.zeros(len(viewers), bool)
    microseconds[rows] = found["scoredAt"].joined()
    full[rows] = sizes >= parameters.top_k
    members = _members(rows, found, step, worth)
    ends = np.cumsum(sizes) - 1
    last[rows] = np.where(full[rows], members.key[ends] if len(members.key) else -np.inf, -np.inf)
    return StoredLists(microseconds, last, full, members, _changes(rows, found, step, worth))


def _members(rows: Indices, found: dict[str, Arrays], step: float, worth: StoredWorth) -> Members:
    sizes, ranks = found["candidateUserId"].sizes(), found["rank"].sizes()
    place = _within(sizes)
    tier_a = place < np.repeat(found["tierA"].joined(), sizes)
    rank = place + 1
    rank[np.repeat(ranks > 0, sizes)] = found["rank"].joined()[_within(ranks) < np.repeat(sizes, ranks)]
    ids = found["candidateUserId"].joined()
    key = worth(found["score"].joined().astype(np.float64), ids) + step * tier_a
    return Members(np.repeat(rows, sizes), ids, key, tier_a, rank)


def _changes(rows: Indices, found: dict[str, Arrays], step: float, worth: StoredWorth) -> Members:
    sizes, ranks = found["changedUserId"].sizes(), found["rank"].sizes()
    # Those of the list come first.
    of_list = np.repeat(found["candidateUserId"].sizes(), ranks)
    rank = found["rank"].joined()[_within(ranks) >= of_list].astype(np.int64)
    tier_a = (rank > 0) & (rank <= np.repeat(found["changedTierA"].joined(), sizes))
    ids = found["changedUserId"].joined()
    key = worth(found["changedScore"].joined().astype(np.float64), ids) + step * tier_a
    return Members(np.repeat(rows, sizes), ids, key, tier_a, rank)


def _within(sizes: Indices) -> Indices:
    """For each element of groups of these sizes its index in its group."""
    return np.asarray(np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes))
