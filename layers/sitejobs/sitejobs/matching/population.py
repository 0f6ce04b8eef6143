"""Reads what scoring needs of the site, in key ranges, as columns.

Names and free text never leave the database: a place name, a trait key or an answer travels as a 64-bit hash,
because scoring only asks whether two are equal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.columns import Column, fetch_columns
from sitejobs.options import MAX_ID

GENDERS = ("UNSPECIFIED", "MALE", "FEMALE", "NONBINARY", "OTHER")
GENDERS_GIVEN = 1 << 14
"""Bit of a gender preference that says one was given, be it of unknown names only."""

RANGE_USERS = 200_000
"""Users read by one round of queries: array_agg may hold 1 GB, and their traits are the largest column."""

_USERS = """
SELECT u."id",
       (p."id" IS NOT NULL)::int AS "hasProfile",
       COALESCE(p."isVisible", false)::int AS "visible",
       COALESCE(p."lat"::float8, 'NaN') AS "lat",
       COALESCE(p."lng"::float8, 'NaN') AS "lng",
       CASE WHEN p."locationText" <> '' THEN hashtextextended(p."locationText", 0) ELSE 0 END AS "place",
       COALESCE(array_position(%(genders)s::text[], p."gender"::text) - 1, -1) AS "gender",
       CASE WHEN p."birthdate"::date <= %(today)s::date
            THEN LEAST(extract(year FROM age(%(today)s::date, p."birthdate"::date)), 1000) ELSE -1 END AS "age",
       COALESCE(extract(epoch FROM p."updatedAt")::float8, '-Infinity') AS "updatedAt",
       CASE WHEN f."preferredAgeMin" IS NULL THEN -1 ELSE LEAST(GREATEST(f."preferredAgeMin", 0), 2000) END AS "ageMin",
       CASE WHEN f."preferredAgeMax" IS NULL THEN -1 ELSE LEAST(GREATEST(f."preferredAgeMax", 0), 2000) END AS "ageMax",
       CASE WHEN f."preferredDistanceKm" IS NULL THEN 'NaN'
            ELSE GREATEST(f."preferredDistanceKm"::float8, 0) END AS "distance",
       (SELECT COALESCE(bit_or(COALESCE(1 << (array_position(%(genders)s::text[], wanted) - 1), 0)
                               | %(given)s::int), 0)
        FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(to_jsonb(f."preferredGenders")) = 'array'
                                            THEN to_jsonb(f."preferredGenders") ELSE '[]' END) wanted) AS "wants"
FROM "User" u
LEFT JOIN "Profile" p ON p."userId" = u."id" AND p."deletedAt" IS NULL
LEFT JOIN "UserPreference" f ON f."userId" = u."id"
WHERE u."deletedAt" IS NULL AND u."id" > %(after)s AND u."id" <= %(through)s
ORDER BY u."id" LIMIT %(limit)s
"""
_TRAITS = """
SELECT "userId", hashtextextended("traitKey", 0) AS "key",
       "value"::float8 * LEAST(GREATEST("n", 0) / 5.0::float8, 1) AS "value"
FROM "UserTrait"
WHERE "userId" > %(after)s AND "userId" <= %(through)s AND "value" <> 'NaN'
"""
_INTERESTS = """
SELECT "userId", "subjectId", "interestId" FROM "UserInterest"
WHERE "userId" > %(after)s AND "userId" <= %(through)s
"""
_RECEIVED = """
SELECT p."userId", count(*) AS "count", avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."targetProfileId"
WHERE p."userId" > %(after)s AND p."userId" <= %(through)s AND p."deletedAt" IS NULL
GROUP BY p."userId"
"""
_GIVEN = """
SELECT p."userId", count(*) AS "count", avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."raterProfileId"
WHERE p."userId" > %(after)s AND p."userId" <= %(through)s AND p."deletedAt" IS NULL
GROUP BY p."userId"
"""
_RESULTS = """
SELECT "userId", "quizId", extract(epoch FROM "updatedAt")::float8 AS "updatedAt" FROM "QuizResult"
WHERE "userId" > %(after)s AND "userId" <= %(through)s
"""
# Only vectors of numbers count. The bounds keep a number that float8 cannot hold from failing the query.
_VECTORS = """
SELECT r."userId", r."quizId", e."position",
       CASE WHEN abs((e."value" #>> '{}')::numeric) < 1e-300 THEN 0
            ELSE GREATEST(LEAST((e."value" #>> '{}')::numeric, 1e300), -1e300)::float8 END AS "value"
FROM "QuizResult" r
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
) WITH ORDINALITY AS e ("value", "position")
WHERE r."userId" > %(after)s AND r."userId" <= %(through)s
  AND NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{}', true)
"""
_ANSWERS = """
SELECT r."userId", r."quizId", hashtextextended(e."key", 0) AS "question",
       jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
FROM "QuizResult" r
CROSS JOIN LATERAL jsonb_each(
    CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{}' END
) AS e
WHERE r."userId" > %(after)s AND r."userId" <= %(through)s
  AND jsonb_typeof(e."value") <> 'null'
"""
_BLOCKS = """
SELECT "blockerId" AS "userId", "blockedId" AS "otherId" FROM "UserBlock"
WHERE "blockerId" > %(after)s AND "blockerId" <= %(through)s
UNION ALL
SELECT "blockedId", "blockerId" FROM "UserBlock"
WHERE "blockedId" > %(after)s AND "blockedId" <= %(through)s
"""

_RATING_TYPES = {
    "userId": "int8",
    "count": "int4",
    "attractive": "float8",
    "smart": "float8",
    "funny": "float8",
    "interesting": "float8",
}
_QUERIES: dict[str, tuple[LiteralString, dict[str, str]]] = {
    "traits": (_TRAITS, {"userId": "int8", "key": "int8", "value": "float8"}),
    "interests": (_INTERESTS, {"userId": "int8", "subjectId": "int8", "interestId": "int8"}),
    "received": (_RECEIVED, _RATING_TYPES),
    "given": (_GIVEN, _RATING_TYPES),
    "results": (_RESULTS, {"userId": "int8", "quizId": "int8", "updatedAt": "float8"}),
    "vectors": (_VECTORS, {"userId": "int8", "quizId": "int8", "position": "int4", "value": "float8"}),
    "answers": (_ANSWERS, {"userId": "int8", "quizId": "int8", "question": "int8", "answer": "int8"}),
    "blocks": (_BLOCKS, {"userId": "int8", "otherId": "int8"}),
}
_USER_TYPES = {
    "id": "int8",
    "hasProfile": "int2",
    "visible": "int2",
    "lat": "float8",
    "lng": "float8",
    "place": "int8",
    "gender": "int2",
    "age": "int2",
    "updatedAt": "float8",
    "ageMin": "int2",
    "ageMax": "int2",
    "distance": "float8",
    "wants": "int2",
}


@dataclass(frozen=True)
class Population:
    """Columns as the database gave them; `users` by id, the others in any order.

    Every undeleted user is there. Where a user has no (undeleted) profile `hasProfile` is 0. -1 and NaN stand for
    what is missing; `updatedAt` is in seconds since 1970, `distance` in km, `age` in whole years at the run's date.
    """

    users: dict[str, Column]
    traits: dict[str, Column]
    interests: dict[str, Column]
    received: dict[str, Column]
    given: dict[str, Column]
    results: dict[str, Column]
    vectors: dict[str, Column]
    answers: dict[str, Column]
    blocks: dict[str, Column]


def read_population(connection: Connection, now: datetime, user_id: int | None = None) -> Population:
    """Read everyone, or one user, as of one moment.

    `connection` must not be inside a transaction: all queries share one read-only snapshot of the database.
    """
    after, through = (0, MAX_ID) if user_id is None else (user_id - 1, user_id)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        parts = list(_read_ranges(connection, now, after, through))
    return Population(**{name: _joined([part[name] for part in parts]) for name in ("users", *_QUERIES)})


def _read_ranges(
    connection: Connection, now: datetime, after: int, through: int
) -> Iterator[dict[str, dict[str, Column]]]:
    params: dict[str, Any] = {
        "genders": list(GENDERS),
        "given": GENDERS_GIVEN,
        "today": now.date(),
        "limit": RANGE_USERS,
    }
    while True:
        users = fetch_columns(connection, _USERS, params | {"after": after, "through": through}, _USER_TYPES)
        last = len(users["id"]) < RANGE_USERS
        keys = {"after": after, "through": through if last else int(users["id"].max())}
        part = {"users": users}
        for name, (query, types) in _QUERIES.items():
            part[name] = fetch_columns(connection, query, keys, types)
        yield part
        if last:
            return
        after = keys["through"]


def _joined(parts: list[dict[str, Column]]) -> dict[str, Column]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
