"""user-interest-sets: InterestUserSet and InterestSubjectUserSet mirror UserInterest of undeleted users.

Only the difference is written, in one transaction: a reader sees a user's old set or the new one.
"""

from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import COUNT_USERS, KeyedJob, Keys, Parameters, users_and
from sitejobs.jobs.losses import lost
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.postgres.values import moment
from sitejobs.traits.fingerprints import EMPTY_WITHOUT_USER, current_fingerprints
from sitejobs.traits.options import USER_INTEREST_SETS

# Hash of a group of rows of UserInterest, in any order.
_FINGERPRINT: Final[LiteralString] = """
hash_numeric_extended(
    sum(hashint8extended(COALESCE("interestId", -1), hashint8extended(COALESCE("subjectId", -1),
        COALESCE(timestamp_hash_extended("createdAt"::timestamp, 0), 1)))),
    count(*))
"""
_CREATED: Final[LiteralString] = moment('"createdAt"')

STALE: Final[LiteralString] = f"""
SELECT "userId" FROM ({current_fingerprints("UserInterest", _FINGERPRINT)}) AS source
FULL JOIN (
    SELECT "userId", "fingerprint" FROM "InterestSetState" WHERE "userId" BETWEEN %(first)s AND %(last)s
) AS stored USING ("userId")
WHERE source."fingerprint" IS DISTINCT FROM stored."fingerprint"
   OR {EMPTY_WITHOUT_USER}
ORDER BY "userId"
"""
"""Users of a key range whose rows of UserInterest are not those that the sets were made of."""

# A user's state row is written before its sets, and only users whose state row this page wrote go on (`owner`). The
# state row of a user without interests is kept, empty, as long as the user: two runs then still conflict on it.
WRITE_SETS: Final[LiteralString] = f"""
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
"""Writes the rows of the sets that differ from the stored ones.

Returns how many rows were written, how many users are skipped for each reason, and how many rows of UserInterest lack
an interest or a subject.
"""


def refresh(connection: Connection, keys: list[int], parameters: Parameters) -> PageSummary:
    """Bring the users' sets up to date. Rows that were added, changed or removed count as written."""
    row = connection.execute(WRITE_SETS, {**parameters, "keys": keys}).fetchone()
    assert row is not None
    written, deleted, without, unchanged, incomplete = row
    summary = PageSummary(processed=len(keys), written=written)
    summary.skip(SkipReason.DELETED, deleted)
    summary.skip(SkipReason.NO_INTERESTS, without)
    summary.skip(SkipReason.UNCHANGED, unchanged)
    summary.note("interest-incomplete", incomplete)
    return summary


# The source of a row `s` of a set; `{0}`: the column that names the interest or subject.
_INTEREST_OF_USER: Final[LiteralString] = """
SELECT FROM "UserInterest" i JOIN "User" u ON u."id" = i."userId" AND u."deletedAt" IS NULL
WHERE i."userId" = s."userId" AND i."{0}" = s."{0}"
"""

KEYS = Keys(
    known=users_and('"InterestSetState"'),
    stale=STALE,
    count=COUNT_USERS,
    losses=(
        lost("InterestUserSet", _INTEREST_OF_USER.format("interestId")),
        lost("InterestSubjectUserSet", _INTEREST_OF_USER.format("subjectId")),
    ),
)

JOB = KeyedJob(USER_INTEREST_SETS, KEYS, refresh)
