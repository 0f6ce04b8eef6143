"""Reads who decided about whom, and which ratings they gave."""

from dataclasses import dataclass
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection, Cursor

from sitejobs.aliases import JsonObject
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.usable_rows import RATED, RATING_KEY, RATING_ONCE, RATING_ORDER, is_unique
from sitejobs.postgres.columns import Column, fetch_columns
from sitejobs.postgres.values import moment

KNOWN_SHARE: Final = 0.8
"""Share of the decisions, by time, that a model may know when it is asked about the others."""

_TIME: Final[LiteralString] = f"""COALESCE(extract(epoch FROM min({moment('l."createdAt"')}))::float8, '-Infinity')"""

# Matches count where the tables of likes say nothing: somebody who matched has said yes.
_DECISIONS: Final[LiteralString] = f"""
WITH decided AS (
    SELECT l."fromUserId" AS "viewer", l."toUserId" AS "candidate", {_TIME} AS "at",
           ((array_agg(l."action"::text ORDER BY {moment('l."createdAt"')} DESC NULLS LAST, l."action"::text DESC))[1]
            = 'LIKE')::int AS "liked"
    FROM "Like" l
    WHERE l.<column> = ANY (%(ids)s) AND l."toUserId" <> l."fromUserId" AND l."action"::text IN ('LIKE', 'DISLIKE')
    GROUP BY l."fromUserId", l."toUserId"
), matched AS (
    SELECT "userAId" AS "viewer", "userBId" AS "candidate" FROM "Match"
    WHERE "<mine>" = ANY (%(ids)s) AND "userAId" <> "userBId"
    UNION
    SELECT "userBId", "userAId" FROM "Match" WHERE "<theirs>" = ANY (%(ids)s) AND "userAId" <> "userBId"
)
SELECT "viewer", "candidate", "at", "liked" FROM decided
UNION ALL
SELECT m."viewer", m."candidate", '-Infinity', 1 FROM matched m
WHERE NOT EXISTS (SELECT FROM decided d WHERE d."viewer" = m."viewer" AND d."candidate" = m."candidate")
"""
"""Reads the last decision of each pair and when the first one was made, in seconds since 1970."""

READ_MADE: Final[LiteralString] = (
    _DECISIONS.replace("<column>", '"fromUserId"').replace("<mine>", "userAId").replace("<theirs>", "userBId")
)
READ_TAKEN: Final[LiteralString] = (
    _DECISIONS.replace("<column>", '"toUserId"').replace("<mine>", "userBId").replace("<theirs>", "userAId")
)

_RATINGS: Final[LiteralString] = f"""
SELECT r."viewer", r."candidate", r."attractive"::float4 AS "attractive", r."smart"::float4 AS "smart",
       r."funny"::float4 AS "funny", r."interesting"::float4 AS "interesting",
       COALESCE(extract(epoch FROM {moment('r."createdAt"')})::float8, '-Infinity') AS "at"
FROM (
    SELECT <once> a."userId" AS "viewer", b."userId" AS "candidate", r."attractive", r."smart", r."funny",
           r."interesting", r."createdAt"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE <side>."userId" = ANY (%(ids)s) AND {RATED} <order>
) AS r
"""
"""Reads the ratings that users (`<side>` a) gave or (b) received, with when.

`<once>`: DISTINCT where the table may hold a rating twice.
"""
_ANY: Final[LiteralString] = _RATINGS.replace("<once>", "").replace("<order>", "")
_ONCE: Final[LiteralString] = _RATINGS.replace("<once>", RATING_ONCE).replace("<order>", RATING_ORDER)

READ_RATINGS: Final[LiteralString] = _ANY.replace("<side>", "a")
READ_RATINGS_ONCE: Final[LiteralString] = _ONCE.replace("<side>", "a")
READ_RECEIVED: Final[LiteralString] = _ANY.replace("<side>", "b")
READ_RECEIVED_ONCE: Final[LiteralString] = _ONCE.replace("<side>", "b")

FIND_CUT: Final[LiteralString] = f"""
SELECT extract(epoch FROM percentile_disc(%(share)s) WITHIN GROUP (ORDER BY l."at"))::float8
FROM (SELECT {moment('"createdAt"')} AS "at" FROM "Like" WHERE "action"::text IN ('LIKE', 'DISLIKE')) AS l
"""
COUNT_CUT: Final[LiteralString] = f"""
SELECT count(*), count(*) FILTER (WHERE "at" < %(cut)s OR "at" IS NULL), count(*) FILTER (WHERE "at" = %(cut)s),
       count(*) FILTER (WHERE "liked"), max("at")
FROM (SELECT extract(epoch FROM {moment('"createdAt"')})::float8 AS "at", "action"::text = 'LIKE' AS "liked"
      FROM "Like" WHERE "action"::text IN ('LIKE', 'DISLIKE')) AS l
"""

COUNT_RETURNED: Final[LiteralString] = f"""
SELECT COALESCE(avg(EXISTS (
    SELECT FROM "Like" k WHERE k."fromUserId" = v."viewer" AND k."action"::text IN ('LIKE', 'DISLIKE')
      AND extract(epoch FROM {moment('k."createdAt"')})::float8 < %(cut)s)::int), 0)::float8
FROM (SELECT DISTINCT l."fromUserId" AS "viewer" FROM "Like" l
      WHERE l."action"::text IN ('LIKE', 'DISLIKE') AND extract(epoch FROM {moment('l."createdAt"')})::float8 >= %(cut)s
      LIMIT %(viewers)s) AS v
"""
"""The share of those who decided after the cut, of some of them, who had decided before it."""

LEAST_RETURNED: Final = 0.5
FOLDS: Final = 3
MOST_TO_FOLD: Final = 200_000
"""Decisions up to which each fold is asked about: a fifth of more is enough."""
VIEWERS_LOOKED_AT: Final = 2000

_DECISION_TYPES = {"viewer": "int8", "candidate": "int8", "at": "float8", "liked": "int2"}
_RATING_TYPES = {
    "viewer": "int8",
    "candidate": "int8",
    **dict.fromkeys(("attractive", "smart", "funny", "interesting"), "float4"),
    "at": "float8",
}
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Cut:
    """Which decisions a model knows when it is asked about the others.

    By time: those before `at`, in seconds since 1970, and a `share` of the pairs of that moment. With `at` None by lot:
    the pairs are dealt into `folds`, and each fold is asked about in turn by a model that knows the others.
    """

    at: float | None
    share: float = KNOWN_SHARE
    folds: int = 1

    def knows(self, at: Floats, one: Indices, two: Indices) -> Flags:
        """(p, folds) whether decisions of these times between these users are known: of a pair, both at one moment."""
        drawn = _lot(one, two)
        if self.at is None:
            return np.asarray((drawn * FOLDS).astype(np.int64)[:, None] != np.arange(self.folds))
        return np.asarray((at < self.at) | ((at == self.at) & (drawn < self.share)))[:, None]

    def to_json(self) -> JsonObject:
        return {"at": self.at, "share": self.share, "folds": self.folds}

    @classmethod
    def from_json(cls, value: JsonObject) -> "Cut":
        return cls(**value)


@dataclass(frozen=True)
class Told:
    """How many decisions the likes tell, how many are yes, and when the last was made: seconds since 1970, or None."""

    decisions: int
    likes: int
    through: float | None


def find_cut(connection: Connection) -> tuple[Cut, Told]:
    """Where the first `KNOWN_SHARE` of all decisions end, and how many decisions there are.

    Where most of those who decided later are unknown before, as on a site of single evenings, or where there are no
    times, they are drawn by lot: time would ask a model about people of whom it cannot know anything.
    """
    (at,) = _one(connection.execute(FIND_CUT, {"share": KNOWN_SHARE}))
    cut = None if at is None else float(at)
    everything, before, same, likes, through = _one(connection.execute(COUNT_CUT, {"cut": cut}))
    told = Told(everything, likes, None if through is None else float(through))
    returned = _one(connection.execute(COUNT_RETURNED, {"cut": cut, "viewers": VIEWERS_LOOKED_AT}))[0]
    if cut is None or returned < LEAST_RETURNED:
        return Cut(None, folds=FOLDS if everything <= MOST_TO_FOLD else 1), told
    return Cut(cut, min(max((KNOWN_SHARE * everything - before) / max(same, 1), 0.0), 1.0)), told


def _one(cursor: Cursor[tuple[Any, ...]]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return row


def read_made(connection: Connection, ids: Indices) -> dict[str, Column]:
    """The decisions that these users made."""
    return fetch_columns(connection, READ_MADE, {"ids": ids}, _DECISION_TYPES)


def read_taken(connection: Connection, ids: Indices) -> dict[str, Column]:
    """The decisions about these users."""
    return fetch_columns(connection, READ_TAKEN, {"ids": ids}, _DECISION_TYPES)


def read_ratings(connection: Connection, ids: Indices) -> dict[str, Column]:
    """The ratings that these users gave."""
    if is_unique(connection, "ProfileRating", RATING_KEY):
        return fetch_columns(connection, READ_RATINGS, {"ids": ids}, _RATING_TYPES)
    return fetch_columns(connection, READ_RATINGS_ONCE, {"ids": ids}, _RATING_TYPES)


def read_received(connection: Connection, ids: Indices) -> dict[str, Column]:
    """The ratings that these users received."""
    if is_unique(connection, "ProfileRating", RATING_KEY):
        return fetch_columns(connection, READ_RECEIVED, {"ids": ids}, _RATING_TYPES)
    return fetch_columns(connection, READ_RECEIVED_ONCE, {"ids": ids}, _RATING_TYPES)


def values_of(ratings: dict[str, Column]) -> Any:
    """(r, 4) the four ratings."""
    return np.stack([ratings[name] for name in ("attractive", "smart", "funny", "interesting")], axis=1)


def _lot(one: Indices, two: Indices) -> Floats:
    """A number in 0..1 for each pair, the same in both directions, as if drawn."""
    low, high = np.minimum(one, two).astype(np.uint64), np.maximum(one, two).astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (low * _SPREAD) ^ (high + _SPREAD)
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _SPREAD
        mixed = (mixed ^ (mixed >> np.uint64(32))) * _SPREAD
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / 2**53)
