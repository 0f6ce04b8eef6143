"""Who is no candidate of a user: blocks in either direction, and who is decided about, as SQL.

Decided are those whom the user liked, disliked, matched or is in conversation with, and those who disliked the user.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.jobs.repeats import STILL_COUNTS
from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.codes import rows_of
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.hashing import Hash, summed
from sitejobs.postgres.columns import Column, fetch_columns, fetch_lists

BLOCK: Final = 0
"""The kind of a block; the other kinds are decisions, but for an admirer's."""

ADMIRER: Final = 5
"""The kind of somebody who likes the user. Read only where that counts, and no reason to leave somebody out."""


def _pairs_of_likes(giver: LiteralString, taker: LiteralString) -> LiteralString:
    """Pairs of a user and another one, each with the kind of what stands between them: of likes.

    The condition `<users>` holds for the column `giver` where the user gave the like, else for `taker`. People passed
    over return after `repeat_days`, if given.
    """
    return f"""
    SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId", 1 AS "kind" FROM "Like" l
    WHERE l.{giver} <users> AND l."fromUserId" IS NOT NULL AND l."toUserId" IS NOT NULL AND l."action" IS NOT NULL
      AND {STILL_COUNTS}
    UNION ALL
    SELECT "toUserId", "fromUserId", 2 FROM "Like"
    WHERE {taker} <users> AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text = 'DISLIKE'
    UNION ALL
    SELECT "toUserId", "fromUserId", 5 FROM "Like"
    WHERE %(admirers)s::boolean AND {taker} <users>
      AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text <> 'DISLIKE'
    """


_PAIRS_OF_LIKES: Final[LiteralString] = _pairs_of_likes('"fromUserId"', '"toUserId"')
"""Those of the users of `<users>`."""

_OTHER_PAIRS: Final[LiteralString] = """
SELECT "blockerId" AS "userId", "blockedId" AS "otherId", 0 AS "kind" FROM "UserBlock"
WHERE "blockerId" <users> AND "blockedId" IS NOT NULL
UNION ALL
SELECT "blockedId", "blockerId", 0 FROM "UserBlock" WHERE "blockedId" <users> AND "blockerId" IS NOT NULL
UNION ALL
SELECT "userAId", "userBId", 3 FROM "Match"
WHERE "userAId" <users> AND "userBId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userBId", "userAId", 3 FROM "Match"
WHERE "userBId" <users> AND "userAId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userAId", "userBId", 4 FROM "Conversation" WHERE "userAId" <users> AND "userBId" IS NOT NULL
UNION ALL
SELECT "userBId", "userAId", 4 FROM "Conversation" WHERE "userBId" <users> AND "userAId" IS NOT NULL
"""
"""The other pairs of the users of `<users>`: of what stands between two in both directions."""

_PAIRS: Final[LiteralString] = f"""{_OTHER_PAIRS}UNION ALL{_PAIRS_OF_LIKES}"""
"""All of them. A pair that several rows tell of is there several times."""

PAIRS_WITH: Final[LiteralString] = f"""
SELECT o."otherId" AS "userId", o."userId" AS "otherId", o."kind" FROM ({_OTHER_PAIRS}) AS o
UNION ALL{_pairs_of_likes('"toUserId"', '"fromUserId"')}
""".replace("<users>", "= ANY((SELECT %(others)s)::bigint[])")
"""All pairs whose other one is among these. Reads by the others, not by the users, of whom there may be far more."""

_HASH: Final[LiteralString] = """(hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775)"""
"""A number of 40 bits for each row: eight million of them can be summed in 64."""

_HASHES_IN_RANGE: Final[LiteralString] = f"""
SELECT e."userId", sum({_HASH})::int8 AS "hash" FROM (<pairs>) AS e GROUP BY e."userId"
"""
IN_RANGE: Final[LiteralString] = """BETWEEN %(first)s AND %(last)s"""

LIKES_IN_RANGE: Final[LiteralString] = _HASHES_IN_RANGE.replace("<pairs>", _PAIRS_OF_LIKES).replace("<users>", IN_RANGE)
"""For each user of a key range whom likes or dislikes tell of: a hash of these pairs."""

OTHERS_IN_RANGE: Final[LiteralString] = _HASHES_IN_RANGE.replace("<pairs>", _OTHER_PAIRS).replace("<users>", IN_RANGE)
"""The same of the other pairs."""

_OF_IDS: Final[LiteralString] = _PAIRS.replace("<users>", "= ANY((SELECT %(ids)s)::bigint[])")

_READ_PAIRS: Final[LiteralString] = f"""
SELECT e."userId", e."otherId", e."kind", {_HASH} AS "hash"
FROM ({_OF_IDS}) AS e
"""
"""Reads the pairs of some users. The sum of a user's hashes is those of `LIKES_IN_RANGE` and `OTHERS_IN_RANGE`.

The SELECT about the ids hides them from the planner, which would weigh each of them nine times.
"""

_READ_BARRED: Final[LiteralString] = f"""
SELECT e."userId"::bigint AS "userId", sum({_HASH})::int8 AS "hash",
       COALESCE(array_agg(e."otherId"::bigint) FILTER (
           WHERE e."kind" <> {ADMIRER} AND e."otherId" = ANY(%(others)s::bigint[])), '{{}}') AS "others"
FROM ({_OF_IDS}) AS e GROUP BY e."userId"
"""
"""For each of some users who has pairs: the hash of them all, and those of some others who are no candidates of it.

A row a user is quicker to send and to read than one a pair. Unlike the ids, these others must be seen by the planner:
only of a constant it makes a hash table, and would else have each pair compared with all of them.
"""

_READ_BETWEEN: Final[LiteralString] = f"""
SELECT e."userId"::bigint AS "userId", e."otherId"::bigint AS "otherId"
FROM ({PAIRS_WITH}) AS e JOIN unnest(%(ids)s::bigint[]) AS asked ("id") ON asked."id" = e."userId"
"""
"""Reads which of some others are no candidates of which of some users, each of whom is named once.

Joined, because of thousands in a condition the planner weighs each, which takes longer than reading.
"""

_TYPES: Final = {"userId": "int8", "otherId": "int8", "kind": "int2", "hash": "int8"}


def given(parameters: Parameters, now: datetime) -> dict[str, Any]:
    """What the statements take of a run's parameters and of its start."""
    return {"now": now, "repeat_days": parameters.repeat_days, "admirers": parameters.model is not None}


@dataclass(frozen=True)
class Excluded:
    """Pairs of some users, by id: `user` and `other`, and whether a decision or a block stands between them.

    hash : for each of the users asked for, in their order, the hash of all that was read of it.
    admired, admirer : pairs of a user and somebody who likes it, where that counts. They may be excluded too.
    """

    user: Indices
    other: Indices
    decided: Flags
    hash: Hash
    admired: Indices
    admirer: Indices


def excluded(connection: Connection, ids: Indices, parameters: Parameters, now: datetime) -> Excluded:
    """Who is no candidate of these users, as of now. `ids` ascend."""
    found = fetch_columns(connection, _READ_PAIRS, {"ids": ids} | given(parameters, now), _TYPES)
    hashes, likes = hashes_of(found, ids), found["kind"] == ADMIRER
    barred, admirers = ({name: column[rows] for name, column in found.items()} for rows in (~likes, likes))
    return Excluded(
        user=barred["userId"],
        other=barred["otherId"],
        decided=barred["kind"] != BLOCK,
        hash=hashes,
        admired=admirers["userId"],
        admirer=admirers["otherId"],
    )


@dataclass(frozen=True)
class Barred:
    """Pairs, by id, of some users and those of some others who are no candidates of them.

    hash : for each of the users asked for, as `Excluded.hash`.
    """

    user: Indices
    other: Indices
    hash: Hash


def barred(connection: Connection, ids: Indices, others: Indices, parameters: Parameters, now: datetime) -> Barred:
    """Which of the others are no candidates of these users, as of now. `ids` ascend."""
    asked = {"ids": ids, "others": others} | given(parameters, now)
    found = fetch_lists(connection, _READ_BARRED, asked, {"userId": "int8", "hash": "int8", "others": "int8"})
    users, hashes = found["userId"].joined(), found["hash"].joined()
    return Barred(
        user=np.repeat(users, found["others"].sizes()),
        other=found["others"].joined(),
        hash=hashes_of({"userId": users, "hash": hashes}, ids),
    )


def between(
    connection: Connection, ids: Indices, others: Indices, parameters: Parameters, now: datetime
) -> tuple[Indices, Indices]:
    """Pairs, by id, of these users and those of the others who are no candidates of them, as of now.

    What `barred` tells of them, but for the hash: read by the others, it takes as long as there are few of these.
    """
    asked = {"ids": ids, "others": others} | given(parameters, now) | {"admirers": False}
    found = fetch_columns(connection, _READ_BETWEEN, asked, {"userId": "int8", "otherId": "int8"})
    return found["userId"], found["otherId"]


def hashes_of(found: dict[str, Column], ids: Indices) -> Hash:
    """For each of the ascending `ids` the sum of its hashes."""
    owners, known = rows_of(found["userId"], ids)
    return summed(owners[known], found["hash"][known].astype(np.uint64), len(ids))
