"""A user's inputs: what a comparison reads, packed into one row of UserCompatibilityInput and hashed.

A user is a target of many viewers, so its quizzes, interests and ratings are gathered once a run instead of once a
viewer, by the database alone. By the hashes an incremental run finds what changed, without trusting timestamps.
"""

from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.matching.usable_rows import PROFILE_ORDER, RATED, RATING_ONCE, RATING_ORDER, RESULT_ORDER
from sitejobs.postgres.values import moment

RANGE_USERS, RANGES_A_PAGE = 2_000, 10
"""Users whose inputs are renewed together, in about 0.2 s, and how many times as many a page has on a large site."""

IN_RANGE: Final[LiteralString] = "BETWEEN %(first)s AND %(last)s"
IN_LIST: Final[LiteralString] = "= ANY(%(ids)s)"

_INTERESTS: Final[LiteralString] = """
SELECT COALESCE(string_agg(
    int8send(ui."subjectId"::bigint) || int8send(ui."interestId"::bigint), ''::bytea
    ORDER BY ui."subjectId", ui."interestId"), '') AS "interests"
FROM (
    SELECT DISTINCT "subjectId", "interestId" FROM "UserInterest"
    WHERE "userId" = u."id" AND "subjectId" IS NOT NULL AND "interestId" IS NOT NULL
) AS ui
"""
"""The interests of the user `u`, ascending, each once."""

_VECTOR: Final[LiteralString] = """
SELECT count(*) AS "count", string_agg(float8send(
           CASE WHEN abs((e."value" #>> '{}')::numeric) < 1e-300 THEN 0
                ELSE GREATEST(LEAST((e."value" #>> '{}')::numeric, 1e300), -1e300)::float8 END
       ), ''::bytea ORDER BY e."position") AS "values"
FROM jsonb_array_elements(
    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
) WITH ORDINALITY AS e ("value", "position")
WHERE NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{}', true)
"""
"""The vector of the result `r`, empty unless all its elements are numbers.

The bounds keep a number that float8 cannot hold from failing the statement.
"""

_ANSWERS: Final[LiteralString] = """
SELECT count(*) AS "count",
       string_agg(int8send(asked."question") || int8send(asked."answer"), ''::bytea
                  ORDER BY asked."question") AS "values"
FROM (
    SELECT hashtextextended(e."key", 0) AS "question",
           jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
    FROM jsonb_each(
        CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{}' END) AS e
    WHERE jsonb_typeof(e."value") <> 'null'
) AS asked
"""
"""The answers of the result `r` that are not null, as hashes of question and answer."""

_QUIZ_RESULTS: Final[LiteralString] = f"""
SELECT (array_agg(r."quizId"::bigint ORDER BY r."updated" DESC NULLS LAST, r."quizId" DESC))[1]
           AS "latestQuizId",
       COALESCE(string_agg(
           int8send(r."quizId"::bigint) || int4send(v."count"::int) || int4send(a."count"::int), ''::bytea
           ORDER BY r."quizId"), '') AS "results",
       COALESCE(string_agg(v."values", ''::bytea ORDER BY r."quizId"), '') AS "vectors",
       COALESCE(string_agg(a."values", ''::bytea ORDER BY r."quizId"), '') AS "answers"
FROM (
    SELECT DISTINCT ON (r."quizId") r."quizId", r."answers", r."scoreVec",
           {moment('r."updatedAt"')} AS "updated"
    FROM "QuizResult" r WHERE r."userId" = u."id" AND r."quizId" IS NOT NULL ORDER BY {RESULT_ORDER}
) AS r
CROSS JOIN LATERAL ({_VECTOR}) AS v
CROSS JOIN LATERAL ({_ANSWERS}) AS a
"""
"""The quiz results of the user `u`, one a quiz, and which of them is the latest."""

_RATINGS_RECEIVED: Final[LiteralString] = f"""
SELECT count(*) AS "count",
       float8send(avg(r."attractive")::float8) || float8send(avg(r."smart")::float8)
       || float8send(avg(r."funny")::float8) || float8send(avg(r."interesting")::float8) AS "ratings"
FROM (
    SELECT {RATING_ONCE} r."attractive", r."smart", r."funny", r."interesting" FROM "ProfileRating" r
    WHERE r."targetProfileId" = p."id" AND p."deletedAt" IS NULL AND {RATED} {RATING_ORDER}
) AS r
"""
_RATINGS_GIVEN: Final[LiteralString] = f"""
SELECT float8send(avg(r."attractive")::float8) || float8send(avg(r."smart")::float8)
       || float8send(avg(r."funny")::float8) || float8send(avg(r."interesting")::float8) AS "ratings"
FROM (
    SELECT {RATING_ONCE} r."attractive", r."smart", r."funny", r."interesting" FROM "ProfileRating" r
    WHERE r."raterProfileId" = p."id" AND p."deletedAt" IS NULL AND {RATED} {RATING_ORDER}
) AS r
"""
"""Average ratings of the profile `p`. A deleted profile has neither received nor given any."""

_INPUTS: Final[LiteralString] = f"""
SELECT raw."userId", raw."interests", raw."latestQuizId", raw."results", raw."vectors", raw."answers",
       raw."received", raw."given",
       ('x' || encode(substr(sha256(
           raw."both" || COALESCE(int8send(raw."latestQuizId"), '') || raw."given"), 1, 8), 'hex')
       )::bit(64)::bigint AS "viewerHash",
       CASE WHEN NOT raw."gone" THEN ('x' || encode(substr(sha256(
           int8send(raw."userId") || raw."both" || raw."received"), 1, 8), 'hex')
       )::bit(64)::bigint END AS "targetHash"
FROM (
    SELECT u."id"::bigint AS "userId", i."interests", q."latestQuizId", q."results", q."vectors", q."answers",
           COALESCE(received."ratings" || int8send(received."count"), '') AS "received",
           COALESCE(given."ratings", '') AS "given",
           p."deletedAt" IS NOT NULL AS "gone",
           int4send(octet_length(i."interests")) || i."interests"
           || int4send(octet_length(q."results")) || q."results" || q."vectors" || q."answers" AS "both"
    FROM "User" u
    LEFT JOIN LATERAL (
        SELECT "id", "deletedAt" FROM "Profile" WHERE "userId" = u."id" ORDER BY {PROFILE_ORDER} LIMIT 1
    ) AS p ON true
    CROSS JOIN LATERAL ({_INTERESTS}) AS i
    CROSS JOIN LATERAL ({_QUIZ_RESULTS}) AS q
    CROSS JOIN LATERAL ({_RATINGS_RECEIVED}) AS received
    CROSS JOIN LATERAL ({_RATINGS_GIVEN}) AS given
    WHERE u."id" <users> AND u."deletedAt" IS NULL
) AS raw
"""
"""The inputs of the undeleted users whose id meets the condition `<users>`.

As in match-scores: of several undeleted profiles of a user the last one counts, and of duplicate rows one.
"""


def inputs_of(users: LiteralString) -> LiteralString:
    """SELECT of users' inputs. `users`: the condition after the column, e.g. "= ANY(%(ids)s)"."""
    return _INPUTS.replace("<users>", users)


_DELETE_INPUTS: Final[LiteralString] = """
DELETE FROM "UserCompatibilityInput" stored
WHERE stored."userId" <users>
  AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = stored."userId" AND u."id" <users> AND u."deletedAt" IS NULL)
"""
"""Deletes the stored inputs of users who are deleted."""

_WRITE_INPUTS: Final[LiteralString] = f"""
INSERT INTO "UserCompatibilityInput" AS stored
    ("userId", "interests", "latestQuizId", "results", "vectors", "answers", "received", "given",
     "viewerHash", "targetHash")
{_INPUTS} ORDER BY raw."userId"
ON CONFLICT ("userId") DO UPDATE SET
    "interests" = excluded."interests", "latestQuizId" = excluded."latestQuizId", "results" = excluded."results",
    "vectors" = excluded."vectors", "answers" = excluded."answers", "received" = excluded."received",
    "given" = excluded."given", "viewerHash" = excluded."viewerHash", "targetHash" = excluded."targetHash"
WHERE (stored."viewerHash", stored."targetHash")
      IS DISTINCT FROM (excluded."viewerHash", excluded."targetHash")
"""
"""Writes the inputs that are new or changed, by their hashes."""

_RENEW_RANGE: Final = tuple(statement.replace("<users>", IN_RANGE) for statement in (_DELETE_INPUTS, _WRITE_INPUTS))
_RENEW_LIST: Final = tuple(statement.replace("<users>", IN_LIST) for statement in (_DELETE_INPUTS, _WRITE_INPUTS))

_CUT_RANGES: Final[LiteralString] = """
SELECT max("id"), count(*) FROM (
    SELECT "id", (row_number() OVER (ORDER BY "id") - 1) / %(size)s AS "range" FROM (
        SELECT "id" FROM "User" WHERE "id" >= %(first)s ORDER BY "id" LIMIT %(limit)s
    ) AS users
) AS numbered GROUP BY "range" ORDER BY "range"
"""
"""Cuts the users from an id on into ranges: the last id of each range, and its number of users."""


def renew_range(connection: Connection, first: int, last: int) -> None:
    """Renew the stored inputs of the users from `first` to `last`; unchanged rows are not written."""
    for statement in _RENEW_RANGE:
        connection.execute(statement, {"first": first, "last": last})


def renew(connection: Connection, ids: list[int]) -> None:
    """Renew the stored inputs of these users."""
    for statement in _RENEW_LIST:
        connection.execute(statement, {"ids": ids})


def ranges(connection: Connection, first: int, limit: int) -> list[tuple[int, int]]:
    """Up to `limit` ranges of users from `first` on: the last id of each, and how many users it holds."""
    given = {"first": first, "size": RANGE_USERS, "limit": RANGE_USERS * limit}
    return [(int(last), int(count)) for last, count in connection.execute(_CUT_RANGES, given).fetchall()]
