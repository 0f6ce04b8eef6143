"""Reads what scoring needs from the site's tables, in key ranges, as columns.

Names and free text never leave the database: a place name, a trait key or an answer travels as a 64-bit hash,
because scoring only asks whether two are equal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.chances import MOST_EFFECT, MOST_PRICE
from sitejobs.matching.scoring.parameters import STANDARD, Parameters
from sitejobs.matching.snapshot.exclusions import HASHES_IN_RANGE, given
from sitejobs.matching.snapshot.kept_quizzes import KeptQuizzes, hashes_of_users
from sitejobs.matching.usable_rows import (
    INTEREST_KEY,
    RATED,
    RATING_KEY,
    RATING_ONCE,
    RATING_ORDER,
    RESULT_KEY,
    RESULT_ORDER,
    is_unique,
)
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs.postgres.columns import Column, fetch_columns
from sitejobs.postgres.values import finite, moment, number

GENDERS = ("UNSPECIFIED", "MALE", "FEMALE", "NONBINARY", "OTHER")
GENDERS_GIVEN = 1 << 14
"""Bit of `wants`: a gender preference was given, even if it names unknown genders only."""

RANGE_USERS = 200_000
"""Users read by one round of queries. array_agg holds at most 1 GB; their traits are the largest column."""

_BEGIN: Final[LiteralString] = """SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"""
_ALONE: Final[LiteralString] = """SET LOCAL max_parallel_workers_per_gather = 0"""
"""Parallel workers take much processor time and save little waiting: all rows end in one array anyway."""

_IN_RANGE: Final[LiteralString] = """BETWEEN %(first)s AND %(last)s"""
_IN_LIST: Final[LiteralString] = """= ANY(%(ids)s)"""

READ_USERS: Final[LiteralString] = f"""
SELECT u."id",
       (p."id" IS NOT NULL)::int AS "hasProfile", COALESCE(p."id", 0) AS "profileId",
       COALESCE(p."isVisible", false)::int AS "visible",
       COALESCE({number('p."lat"', "-90", "90")}, 'NaN') AS "lat",
       COALESCE({number('p."lng"', "-180", "180")}, 'NaN') AS "lng",
       CASE WHEN p."locationText" <> '' THEN hashtextextended(p."locationText", 0) ELSE 0 END AS "place",
       COALESCE(array_position(%(genders)s::text[], p."gender"::text) - 1, -1) AS "gender",
       CASE WHEN ({moment('p."birthdate"')})::date <= %(today)s::date
            THEN LEAST(extract(year FROM age(%(today)s::date, p."birthdate"::date)), 1000) ELSE -1 END AS "age",
       COALESCE(extract(epoch FROM {moment('p."updatedAt"')})::float8, '-Infinity') AS "updatedAt",
       COALESCE({finite('f."preferredAgeMin"', 'LEAST(GREATEST(f."preferredAgeMin", 0), 2000)')}, -1) AS "ageMin",
       COALESCE({finite('f."preferredAgeMax"', 'LEAST(GREATEST(f."preferredAgeMax", 0), 2000)')}, -1) AS "ageMax",
       CASE WHEN f."preferredDistanceKm" BETWEEN -1e300 AND 1e-300 THEN 0
            WHEN f."preferredDistanceKm" BETWEEN 0 AND 1e300 THEN f."preferredDistanceKm"::float8
            ELSE 'NaN' END AS "distance",
       (SELECT COALESCE(bit_or(COALESCE(1 << (array_position(%(genders)s::text[], wanted) - 1), 0)
                               | %(given)s::int), 0)
        FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(to_jsonb(f."preferredGenders")) = 'array'
                                            THEN to_jsonb(f."preferredGenders") ELSE '[]' END) wanted) AS "wants"
FROM "User" u
LEFT JOIN "Profile" p ON p."userId" = u."id" AND p."deletedAt" IS NULL
LEFT JOIN "UserPreference" f ON f."userId" = u."id"
WHERE u."deletedAt" IS NULL AND u."id" {_IN_RANGE}
ORDER BY u."id", p."id" DESC, {moment('f."updatedAt"')} DESC NULLS LAST,
         f."preferredAgeMin", f."preferredAgeMax", f."preferredDistanceKm", to_jsonb(f."preferredGenders")
LIMIT %(limit)s
"""
"""Reads the undeleted users with profile and preferences; of several, the one that counts comes first."""

READ_TRAITS: Final[LiteralString] = f"""
SELECT "userId", hashtextextended("traitKey", 0) AS "key",
       "value"::float8 * LEAST(GREATEST("n", 0) / 5.0::float8, 1) AS "value"
FROM "UserTrait"
WHERE "userId" {_IN_RANGE} AND "value" <> 'NaN'
"""
"""Reads the traits, weighted by how many answers they come from."""

READ_INTERESTS: Final[LiteralString] = f"""
SELECT <once> "userId", "subjectId", "interestId" FROM "UserInterest"
WHERE "userId" {_IN_RANGE} AND "subjectId" IS NOT NULL AND "interestId" IS NOT NULL
"""
"""Reads the interests. `<once>`: DISTINCT where the table may hold an interest twice."""

READ_RATINGS: Final[LiteralString] = f"""
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT <once> p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r.<profile>
    WHERE p."userId" {_IN_RANGE} AND p."deletedAt" IS NULL AND {RATED} <order>
) AS r
GROUP BY r."userId", r."profileId"
"""
"""Reads the average ratings of profiles, received or given: by the profile in column `<profile>`."""

READ_RESULTS: Final[LiteralString] = f"""
SELECT r."userId", r."quizId",
       COALESCE(extract(epoch FROM {moment('r."updatedAt"')})::float8, '-Infinity') AS "updatedAt",
       hashtextextended(COALESCE(r."scoreVec"::text, ''),
                        hashtextextended(COALESCE(r."answers"::text, ''), 0)) AS "hash"
FROM <results> WHERE r."userId" {_IN_RANGE} AND r."quizId" IS NOT NULL
"""
"""Reads the quiz results. `<results>`: the table, or `_RESULT_ONCE` where it may hold two of one quiz.

`hash` is of the texts: that of jsonb is the same for some objects whose values have changed places.
"""

READ_VECTORS: Final[LiteralString] = f"""
SELECT r."userId", r."quizId", e."position",
       CASE WHEN e."value"::numeric BETWEEN -1e-300 AND 1e-300 THEN 0
            ELSE GREATEST(LEAST(e."value"::numeric, 1e300), -1e300)::float8 END AS "value"
FROM <results>
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
) WITH ORDINALITY AS e ("value", "position")
WHERE r."userId" {_IN_RANGE} AND r."quizId" IS NOT NULL
  AND NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{{}}', true)
"""
"""Reads the elements of the results' vectors, of vectors of numbers only.

The bounds keep a number that float8 cannot hold from failing the statement.
"""

READ_ANSWERS: Final[LiteralString] = f"""
SELECT r."userId", r."quizId", hashtextextended(e."key", 0) AS "question",
       jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
FROM <results>
CROSS JOIN LATERAL jsonb_each(
    CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{{}}' END
) AS e
WHERE r."userId" {_IN_RANGE} AND r."quizId" IS NOT NULL AND jsonb_typeof(e."value") <> 'null'
"""
"""Reads the answers that are not null, as hashes of question and answer."""

READ_EFFECTS: Final[LiteralString] = f"""
SELECT "userId", LEAST(GREATEST("selectivity", -%(most)s), %(most)s) AS "selectivity",
       LEAST(GREATEST("appeal", -%(most)s), %(most)s) AS "appeal",
       LEAST(GREATEST("price", 0), %(most_price)s) AS "price"
FROM "UserMatchEffect" WHERE "modelId" = %(model)s AND "userId" {_IN_RANGE}
"""
"""Reads what the chosen model says of each user."""

_RESULT_ONCE: Final[LiteralString] = f"""(
    SELECT DISTINCT ON (r."userId", r."quizId") r."userId", r."quizId", r."answers", r."scoreVec", r."updatedAt"
    FROM "QuizResult" r WHERE r."userId" {_IN_RANGE} ORDER BY r."userId", {RESULT_ORDER}
) AS r"""

_RATING_TYPES = {
    "userId": "int8",
    "profileId": "int8",
    "count": "int4",
    "attractive": "float8",
    "smart": "float8",
    "funny": "float8",
    "interesting": "float8",
}
_TYPES: dict[str, dict[str, str]] = {
    "traits": {"userId": "int8", "key": "int8", "value": "float8"},
    "interests": {"userId": "int8", "subjectId": "int8", "interestId": "int8"},
    "received": _RATING_TYPES,
    "given": _RATING_TYPES,
    "results": {"userId": "int8", "quizId": "int8", "updatedAt": "float8", "hash": "int8"},
    "vectors": {"userId": "int8", "quizId": "int8", "position": "int4", "value": "float8"},
    "answers": {"userId": "int8", "quizId": "int8", "question": "int8", "answer": "int8"},
    "excluded": {"userId": "int8", "hash": "int8"},
    "effects": {"userId": "int8", "selectivity": "float4", "appeal": "float4", "price": "float4"},
}
_OF_RESULTS = ("vectors", "answers")
_USER_TYPES = {
    "id": "int8",
    "hasProfile": "int2",
    "profileId": "int8",
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
    """Columns as the database gave them; `users` ascending by id, the others in any order.

    `users` holds every undeleted user; `hasProfile` is 0 for one without an undeleted profile. -1 and NaN stand for
    missing values. `updatedAt` is in seconds since 1970, `distance` in km, `age` in whole years at the run's date.
    `excluded` has a hash of those who are no candidates of the user.
    """

    users: dict[str, Column]
    traits: dict[str, Column]
    interests: dict[str, Column]
    received: dict[str, Column]
    given: dict[str, Column]
    results: dict[str, Column]
    vectors: dict[str, Column]
    answers: dict[str, Column]
    excluded: dict[str, Column]
    effects: dict[str, Column]


def read_population(
    connection: Connection,
    now: datetime,
    user_id: int | None = None,
    parameters: Parameters = STANDARD,
    kept: KeptQuizzes | None = None,
) -> Population:
    """Read all users, or one, as of one moment.

    `connection` must not be inside a transaction: all queries share one read-only snapshot of the database.
    `kept`: results whose vectors and answers need not be read.
    """
    first, last = (MIN_ID, MAX_ID) if user_id is None else (user_id, user_id)
    return read_range(connection, now, first, last, parameters, kept)


def read_range(
    connection: Connection,
    now: datetime,
    first: int,
    last: int,
    parameters: Parameters = STANDARD,
    kept: KeptQuizzes | None = None,
) -> Population:
    """Read the users of a key range as `read_population` does."""
    with connection.transaction():
        connection.execute(_BEGIN)
        connection.execute(_ALONE)
        parts = list(_read_ranges(connection, now, first, last, parameters, kept))
    return Population(**{name: _joined([part[name] for part in parts]) for name in ("users", *_TYPES)})


def read_users(connection: Connection, now: datetime, ids: Indices) -> Population:
    """Read these users as the transaction of `connection` sees them, but for whom they do not see, and for models."""
    given: dict[str, Any] = _of_users(now) | {"ids": ids, "limit": None}
    users = _once(fetch_columns(connection, READ_USERS.replace(_IN_RANGE, _IN_LIST), given, _USER_TYPES))
    part = {"users": users}
    for name, query in _queries(connection).items():
        types, wanted = _TYPES[name], name not in ("excluded", "effects")
        query = query.replace(_IN_RANGE, _IN_LIST)
        part[name] = fetch_columns(connection, query, given, types) if wanted else _no_rows(types)
    for name in ("received", "given"):
        part[name] = _of_these_profiles(part[name], users)
    return Population(**part)


def _no_rows(types: dict[str, str]) -> dict[str, Column]:
    return {name: np.empty(0, np.dtype(kind.replace("int", "i").replace("float", "f"))) for name, kind in types.items()}


def _of_users(now: datetime) -> dict[str, Any]:
    """What `READ_USERS` takes beside whom to read."""
    return {"genders": list(GENDERS), "given": GENDERS_GIVEN, "today": now.date()}


def _queries(connection: Connection) -> dict[str, LiteralString]:
    """The queries of a key range, by field of `Population`; DISTINCT where no unique index forbids duplicates."""
    once, order = ("", "") if is_unique(connection, "ProfileRating", RATING_KEY) else (RATING_ONCE, RATING_ORDER)
    ratings = READ_RATINGS.replace("<once>", once).replace("<order>", order)
    interests = "" if is_unique(connection, "UserInterest", INTEREST_KEY) else "DISTINCT"
    results = """"QuizResult" r""" if is_unique(connection, "QuizResult", RESULT_KEY) else _RESULT_ONCE
    return {
        "traits": READ_TRAITS,
        "interests": READ_INTERESTS.replace("<once>", interests),
        "received": ratings.replace("<profile>", '"targetProfileId"'),
        "given": ratings.replace("<profile>", '"raterProfileId"'),
        "results": READ_RESULTS.replace("<results>", results),
        "vectors": READ_VECTORS.replace("<results>", results),
        "answers": READ_ANSWERS.replace("<results>", results),
        "excluded": HASHES_IN_RANGE,
        "effects": READ_EFFECTS,
    }


def _read_ranges(
    connection: Connection, now: datetime, first: int, last: int, parameters: Parameters, kept: KeptQuizzes | None
) -> Iterator[dict[str, dict[str, Column]]]:
    params: dict[str, Any] = _of_users(now) | {"limit": RANGE_USERS}
    model = None if parameters.model is None else parameters.model.model_id
    of_run = given(parameters, now) | {"model": model, "most": MOST_EFFECT, "most_price": MOST_PRICE}
    queries = _queries(connection)
    while True:
        users = fetch_columns(connection, READ_USERS, params | {"first": first, "last": last}, _USER_TYPES)
        whole = len(users["id"]) < RANGE_USERS
        keys = of_run | {"first": first, "last": last if whole else int(users["id"][-1])}
        users = _once(users)
        part = {"users": users}
        for name, types in _TYPES.items():
            query = queries[name]
            if kept and name in _OF_RESULTS:
                keys, query = keys | {"ids": _not_kept(part["results"], kept)}, query.replace(_IN_RANGE, _IN_LIST)
            part[name] = fetch_columns(connection, query, keys, types)
        for name in ("received", "given"):
            part[name] = _of_these_profiles(part[name], users)
        yield part
        if keys["last"] == last:
            return
        first = keys["last"] + 1


def _not_kept(results: dict[str, Column], kept: KeptQuizzes) -> Indices:
    """Users with results that have to be read."""
    ids, hashes = hashes_of_users(results)
    return ids[~kept.holds(ids, hashes)]


def _once(users: dict[str, Column]) -> dict[str, Column]:
    """The first row of each user: the profile and preferences that count."""
    first = np.ones(len(users["id"]), bool)
    first[1:] = users["id"][1:] != users["id"][:-1]
    return users if first.all() else {name: column[first] for name, column in users.items()}


def _of_these_profiles(ratings: dict[str, Column], users: dict[str, Column]) -> dict[str, Column]:
    """The ratings of the profiles that count, not of a user's other profiles."""
    kept = np.isin(ratings["profileId"], users["profileId"][users["hasProfile"] == 1])
    return {name: column[kept] for name, column in ratings.items()}


def _joined(parts: list[dict[str, Column]]) -> dict[str, Column]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
