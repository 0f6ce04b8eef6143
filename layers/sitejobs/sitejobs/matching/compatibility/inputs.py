"""What a comparison reads of each user, packed into one row of UserCompatibilityInput and hashed.

A user is a target of many viewers: its quizzes, interests and ratings are gathered once a run instead of once a viewer,
by the database alone. The hashes tell an incremental run what changed, whatever the timestamps say.
"""

from typing import LiteralString

from psycopg import Connection

from sitejobs.matching.usable_rows import LIVE_ORDER, RATED, RATING_ONCE, RATING_ORDER, RESULT_ORDER
from sitejobs.postgres.values import moment

RANGE_USERS = 2_000
"""Users of one page that renews inputs: about 0.2 s."""

IN_RANGE: LiteralString = "BETWEEN %(first)s AND %(last)s"
IN_LIST: LiteralString = "= ANY(%(ids)s)"


def inputs_of(users: LiteralString) -> LiteralString:
    """SELECT of the inputs of undeleted users, `users` being a condition on the id: what follows its name.

    Only vectors of numbers count, and answers that are not null, as in match-scores. The bounds keep a number that
    float8 cannot hold from failing the statement. What a deleted profile gave and received counts no more; who has
    several profiles has the last of those that are not deleted. Rows of which there should be one count once.
    """
    return f"""
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
            SELECT "id", "deletedAt" FROM "Profile" WHERE "userId" = u."id" ORDER BY {LIVE_ORDER} LIMIT 1
        ) AS p ON true
        CROSS JOIN LATERAL (
            SELECT COALESCE(string_agg(
                int8send(ui."subjectId"::bigint) || int8send(ui."interestId"::bigint), ''::bytea
                ORDER BY ui."subjectId", ui."interestId"), '') AS "interests"
            FROM (
                SELECT DISTINCT "subjectId", "interestId" FROM "UserInterest"
                WHERE "userId" = u."id" AND "subjectId" IS NOT NULL AND "interestId" IS NOT NULL
            ) AS ui
        ) AS i
        CROSS JOIN LATERAL (
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
            CROSS JOIN LATERAL (
                SELECT count(*) AS "count", string_agg(float8send(
                           CASE WHEN abs((e."value" #>> '{{}}')::numeric) < 1e-300 THEN 0
                                ELSE GREATEST(LEAST((e."value" #>> '{{}}')::numeric, 1e300), -1e300)::float8 END
                       ), ''::bytea ORDER BY e."position") AS "values"
                FROM jsonb_array_elements(
                    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
                ) WITH ORDINALITY AS e ("value", "position")
                WHERE NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{{}}', true)
            ) AS v
            CROSS JOIN LATERAL (
                SELECT count(*) AS "count",
                       string_agg(int8send(asked."question") || int8send(asked."answer"), ''::bytea
                                  ORDER BY asked."question") AS "values"
                FROM (
                    SELECT hashtextextended(e."key", 0) AS "question",
                           jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
                    FROM jsonb_each(
                        CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{{}}' END) AS e
                    WHERE jsonb_typeof(e."value") <> 'null'
                ) AS asked
            ) AS a
        ) AS q
        CROSS JOIN LATERAL (
            SELECT count(*) AS "count",
                   float8send(avg(r."attractive")::float8) || float8send(avg(r."smart")::float8)
                   || float8send(avg(r."funny")::float8) || float8send(avg(r."interesting")::float8) AS "ratings"
            FROM (
                SELECT {RATING_ONCE} r."attractive", r."smart", r."funny", r."interesting" FROM "ProfileRating" r
                WHERE r."targetProfileId" = p."id" AND p."deletedAt" IS NULL AND {RATED} {RATING_ORDER}
            ) AS r
        ) AS received
        CROSS JOIN LATERAL (
            SELECT float8send(avg(r."attractive")::float8) || float8send(avg(r."smart")::float8)
                   || float8send(avg(r."funny")::float8) || float8send(avg(r."interesting")::float8) AS "ratings"
            FROM (
                SELECT {RATING_ONCE} r."attractive", r."smart", r."funny", r."interesting" FROM "ProfileRating" r
                WHERE r."raterProfileId" = p."id" AND p."deletedAt" IS NULL AND {RATED} {RATING_ORDER}
            ) AS r
        ) AS given
        WHERE u."id" {users} AND u."deletedAt" IS NULL
    ) AS raw
    """


def _renewal(users: LiteralString) -> tuple[LiteralString, LiteralString]:
    forget: LiteralString = f"""
    DELETE FROM "UserCompatibilityInput" stored
    WHERE stored."userId" {users}
      AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = stored."userId" AND u."id" {users} AND u."deletedAt" IS NULL)
    """
    keep: LiteralString = f"""
    INSERT INTO "UserCompatibilityInput" AS stored
        ("userId", "interests", "latestQuizId", "results", "vectors", "answers", "received", "given",
         "viewerHash", "targetHash")
    {inputs_of(users)} ORDER BY raw."userId"
    ON CONFLICT ("userId") DO UPDATE SET
        "interests" = excluded."interests", "latestQuizId" = excluded."latestQuizId", "results" = excluded."results",
        "vectors" = excluded."vectors", "answers" = excluded."answers", "received" = excluded."received",
        "given" = excluded."given", "viewerHash" = excluded."viewerHash", "targetHash" = excluded."targetHash"
    WHERE (stored."viewerHash", stored."targetHash")
          IS DISTINCT FROM (excluded."viewerHash", excluded."targetHash")
    """
    return forget, keep


_RENEW_RANGE = _renewal(IN_RANGE)
_RENEW_LIST = _renewal(IN_LIST)
_RANGES = """
SELECT max("id"), count(*) FROM (
    SELECT "id", (row_number() OVER (ORDER BY "id") - 1) / %(size)s AS "range" FROM (
        SELECT "id" FROM "User" WHERE "id" >= %(first)s ORDER BY "id" LIMIT %(limit)s
    ) AS users
) AS numbered GROUP BY "range" ORDER BY "range"
"""


def renew_range(connection: Connection, first: int, last: int) -> None:
    """Make the inputs of users from `first` to `last` what the site says now; unchanged rows stay untouched."""
    for statement in _RENEW_RANGE:
        connection.execute(statement, {"first": first, "last": last})


def renew(connection: Connection, ids: list[int]) -> None:
    """The same for some users."""
    for statement in _RENEW_LIST:
        connection.execute(statement, {"ids": ids})


def ranges(connection: Connection, first: int, limit: int) -> list[tuple[int, int]]:
    """Up to `limit` ranges of users from `first` on: the last id of each, and how many users it holds."""
    given = {"first": first, "size": RANGE_USERS, "limit": RANGE_USERS * limit}
    return [(int(last), int(count)) for last, count in connection.execute(_RANGES, given).fetchall()]
