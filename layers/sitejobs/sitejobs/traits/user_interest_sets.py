"""user-interest-sets: InterestUserSet and InterestSubjectUserSet mirror UserInterest of undeleted users.

Sets are changed by difference: rows that stay are not touched, and a reader finds of each user the old or the new set.
"""

from typing import LiteralString

from psycopg import Connection

from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import COUNT_USERS, KeyedJob, Keys, Parameters, users_and
from sitejobs.jobs.losses import lost
from sitejobs.postgres.values import moment
from sitejobs.traits.options import USER_INTEREST_SETS

_FINGERPRINT = """
hash_numeric_extended(
    sum(hashint8extended(COALESCE("interestId", -1), hashint8extended(COALESCE("subjectId", -1),
        COALESCE(timestamp_hash_extended("createdAt"::timestamp, 0), 1)))),
    count(*))
"""
"""Of a group of rows of UserInterest, in whatever order they come."""

_CREATED = moment('"createdAt"')

_STALE = f"""
SELECT "userId" FROM (
    SELECT "userId", "fingerprint" FROM (
        SELECT "userId"::bigint AS "userId", {_FINGERPRINT} AS "fingerprint" FROM "UserInterest"
        WHERE "userId" BETWEEN %(first)s AND %(last)s GROUP BY 1
    ) AS print
    JOIN "User" u ON u."id" = print."userId" AND u."id" BETWEEN %(first)s AND %(last)s
    WHERE u."deletedAt" IS NULL
) AS source
FULL JOIN (
    SELECT "userId", "fingerprint" FROM "InterestSetState" WHERE "userId" BETWEEN %(first)s AND %(last)s
) AS stored USING ("userId")
WHERE source."fingerprint" IS DISTINCT FROM stored."fingerprint"
   OR stored."fingerprint" IS NULL AND "userId" NOT IN (
       SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s)
ORDER BY "userId"
"""

# A user's state row is written before the first row of its sets: `owner` hands on only users whose state is ours. The
# state of a user without interests stays, empty, until the user has gone too: there must be a row to collide on.
_REFRESH = f"""
WITH source AS MATERIALIZED (
    SELECT i."userId"::bigint AS "userId", i."subjectId"::bigint AS "subjectId", i."interestId"::bigint AS "interestId",
           i."createdAt"
    FROM "UserInterest" i JOIN "User" u ON u."id" = i."userId"
    WHERE i."userId" = ANY(%(keys)s) AND u."id" = ANY(%(keys)s) AND u."deletedAt" IS NULL
), wanted AS (
    SELECT "userId", true AS "ofInterest", "interestId" AS "id", min({_CREATED})::timestamptz AS "createdAt"
    FROM source WHERE "interestId" IS NOT NULL GROUP BY 1, 3
    UNION ALL
    SELECT "userId", false, "subjectId", min({_CREATED})::timestamptz
    FROM source WHERE "subjectId" IS NOT NULL GROUP BY 1, 3
), stored AS (
    SELECT "userId", true AS "ofInterest", "interestId" AS "id", "createdAt" FROM "InterestUserSet"
    WHERE "userId" = ANY(%(keys)s)
    UNION ALL
    SELECT "userId", false, "subjectId", "createdAt" FROM "InterestSubjectUserSet" WHERE "userId" = ANY(%(keys)s)
), difference AS MATERIALIZED (
    SELECT "userId", "ofInterest", "id", w."createdAt", w."there" IS NULL AS "gone", s."there" IS NULL AS "new"
    FROM (SELECT *, true AS "there" FROM wanted) w
    FULL JOIN (SELECT *, true AS "there" FROM stored) s USING ("userId", "ofInterest", "id")
    WHERE w."there" IS NULL OR s."there" IS NULL OR w."createdAt" IS DISTINCT FROM s."createdAt"
), print AS MATERIALIZED (
    SELECT "userId", {_FINGERPRINT} AS "fingerprint" FROM source GROUP BY 1
), changed AS MATERIALIZED (
    SELECT DISTINCT "userId" FROM difference
), due AS MATERIALIZED (
    SELECT "userId", p."fingerprint" FROM print p
    FULL JOIN (SELECT "userId", "fingerprint" FROM "InterestSetState" WHERE "userId" = ANY(%(keys)s)) s USING ("userId")
    FULL JOIN (SELECT "userId", true AS "changed" FROM changed) c USING ("userId")
    WHERE "changed" OR p."fingerprint" IS DISTINCT FROM s."fingerprint"
), owner AS (
    INSERT INTO "InterestSetState" ("userId", "fingerprint", "updatedAt")
    SELECT "userId", "fingerprint", %(now)s FROM due ORDER BY "userId"
    ON CONFLICT ("userId") DO UPDATE SET "fingerprint" = excluded."fingerprint", "updatedAt" = excluded."updatedAt"
    RETURNING "userId"
), forgotten AS (
    DELETE FROM "InterestSetState" s
    WHERE s."userId" = ANY(%(keys)s) AND s."fingerprint" IS NULL
      AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = s."userId" AND u."id" = ANY(%(keys)s))
      AND NOT EXISTS (SELECT FROM due d WHERE d."userId" = s."userId")
), interest_gone AS (
    DELETE FROM "InterestUserSet" t USING difference d JOIN owner o USING ("userId")
    WHERE d."gone" AND d."ofInterest" AND t."userId" = d."userId" AND t."interestId" = d."id"
      AND t."userId" = ANY(%(keys)s) RETURNING 1
), interest_changed AS (
    UPDATE "InterestUserSet" t SET "createdAt" = d."createdAt" FROM difference d JOIN owner o USING ("userId")
    WHERE NOT d."gone" AND NOT d."new" AND d."ofInterest" AND t."userId" = d."userId" AND t."interestId" = d."id"
      AND t."userId" = ANY(%(keys)s) RETURNING 1
), interest_new AS (
    INSERT INTO "InterestUserSet" ("interestId", "userId", "createdAt")
    SELECT d."id", d."userId", d."createdAt" FROM difference d JOIN owner o USING ("userId")
    WHERE d."new" AND d."ofInterest" ORDER BY 1, 2 RETURNING 1
), subject_gone AS (
    DELETE FROM "InterestSubjectUserSet" t USING difference d JOIN owner o USING ("userId")
    WHERE d."gone" AND NOT d."ofInterest" AND t."userId" = d."userId" AND t."subjectId" = d."id"
      AND t."userId" = ANY(%(keys)s) RETURNING 1
), subject_changed AS (
    UPDATE "InterestSubjectUserSet" t SET "createdAt" = d."createdAt" FROM difference d JOIN owner o USING ("userId")
    WHERE NOT d."gone" AND NOT d."new" AND NOT d."ofInterest" AND t."userId" = d."userId" AND t."subjectId" = d."id"
      AND t."userId" = ANY(%(keys)s) RETURNING 1
), subject_new AS (
    INSERT INTO "InterestSubjectUserSet" ("subjectId", "userId", "createdAt")
    SELECT d."id", d."userId", d."createdAt" FROM difference d JOIN owner o USING ("userId")
    WHERE d."new" AND NOT d."ofInterest" ORDER BY 1, 2 RETURNING 1
)
SELECT (SELECT count(*) FROM interest_gone) + (SELECT count(*) FROM interest_changed)
       + (SELECT count(*) FROM interest_new) + (SELECT count(*) FROM subject_gone)
       + (SELECT count(*) FROM subject_changed) + (SELECT count(*) FROM subject_new),
       count(*) FILTER (WHERE c."userId" IS NULL AND u."id" IS NULL),
       count(*) FILTER (WHERE c."userId" IS NULL AND u."id" IS NOT NULL AND p."userId" IS NULL),
       count(*) FILTER (WHERE c."userId" IS NULL AND p."userId" IS NOT NULL),
       (SELECT count(*) FROM source WHERE "interestId" IS NULL OR "subjectId" IS NULL)
FROM unnest(%(keys)s::bigint[]) AS k ("id")
LEFT JOIN "User" u ON u."id" = k."id" AND u."id" = ANY(%(keys)s) AND u."deletedAt" IS NULL
LEFT JOIN print p ON p."userId" = k."id"
LEFT JOIN changed c ON c."userId" = k."id"
"""


def refresh(connection: Connection, users: list[int], values: Parameters) -> PageSummary:
    """Bring the users' sets up to date. Rows that were added, changed or removed count as written."""
    row = connection.execute(_REFRESH, {**values, "keys": users}).fetchone()
    assert row is not None
    written, deleted, without, unchanged, incomplete = row
    summary = PageSummary(processed=len(users), written=written)
    summary.skip("deleted", deleted)
    summary.skip("no-interests", without)
    summary.skip("unchanged", unchanged)
    summary.note("interest-incomplete", incomplete)
    return summary


_INTEREST_OF_USER: LiteralString = """
SELECT FROM "UserInterest" i JOIN "User" u ON u."id" = i."userId" AND u."deletedAt" IS NULL
WHERE i."userId" = s."userId" AND i."{0}" = s."{0}"
"""

KEYS = Keys(
    known=users_and('"InterestSetState"'),
    stale=_STALE,
    count=COUNT_USERS,
    losses=(
        lost("InterestUserSet", _INTEREST_OF_USER.format("interestId")),
        lost("InterestSubjectUserSet", _INTEREST_OF_USER.format("subjectId")),
    ),
)

JOB = KeyedJob(USER_INTEREST_SETS, KEYS, refresh)
