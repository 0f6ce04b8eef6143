"""feed-presort-cleanup: removes segments that should not be shown any more, beside a presort that may be running."""

from collections.abc import Mapping
from typing import LiteralString

from psycopg import Connection

from sitejobs.feed import losses
from sitejobs.feed.options import FEED_PRESORT_CLEANUP, FeedPresortCleanupOptions
from sitejobs.feed.rules import read_version
from sitejobs.feed.sources import IS_VISIBLE
from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import KeyedJob, Keys, Parameters

KNOWN: LiteralString = """
SELECT "userId" FROM (
    (SELECT "userId" FROM "FeedPresortedUser" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT "userId" FROM "FeedPresorted" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
) AS known ORDER BY "userId" LIMIT %(limit)s
"""


def _id(text: LiteralString) -> LiteralString:
    """SQL of a card's id, a text or a number in JSON; NULL if it is not within bigint."""
    return f"""
    CASE WHEN {text} ~ '^-?[0-9]{{1,18}}$' THEN ({text})::bigint
         WHEN {text} ~ '^-?[0-9]{{19}}$' THEN CASE
             WHEN ({text})::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN ({text})::bigint END
         END"""


# What a segment shows is looked at only if nothing else condemns it. A card without an id is no card.
FIND: LiteralString = f"""
WITH segments AS (
    SELECT s."userId", s."segmentIndex", CASE
        WHEN viewer."id" IS NULL THEN 'user-deleted'
        WHEN s."algorithmVersion" <> %(version)s THEN 'other-version'
        WHEN s."segmentIndex" >= %(maxSegments)s THEN 'beyond-max-segments'
        WHEN s."expiresAt" <= %(now)s THEN 'expired'
        WHEN jsonb_typeof(s."items") <> 'array' THEN 'unreadable'
        END AS "reason", s."items"
    FROM "FeedPresorted" s
    LEFT JOIN "User" viewer ON viewer."id" = s."userId" AND viewer."deletedAt" IS NULL
    WHERE s."userId" = ANY(%(keys)s)
),
shown AS MATERIALIZED (
    SELECT s."userId", s."segmentIndex", item->>'kind' AS "kind",
           {_id("item->>'id'")} AS "id", {_id("item->'author'->>'id'")} AS "author"
    FROM segments s CROSS JOIN LATERAL jsonb_array_elements(s."items") AS item
    WHERE s."reason" IS NULL
),
blocked AS MATERIALIZED (
    SELECT "blockerId" AS "userId", "blockedId" AS "other" FROM "UserBlock" WHERE "blockerId" = ANY(%(keys)s)
    UNION SELECT "blockedId", "blockerId" FROM "UserBlock" WHERE "blockedId" = ANY(%(keys)s)
),
people AS MATERIALIZED (
    SELECT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
    WHERE a."id" IN (SELECT "author" FROM shown) AND {IS_VISIBLE}
),
posts AS MATERIALIZED (
    SELECT p."id", p."userId" AS "author", p."visibility"::text AS "visibility" FROM "Post" p
    WHERE p."id" IN (SELECT "id" FROM shown WHERE "kind" = 'post') AND p."deletedAt" IS NULL
      AND p."userId" IS NOT NULL
),
questions AS MATERIALIZED (
    SELECT q."id" FROM "QuizQuestion" q JOIN "Quiz" z ON z."id" = q."quizId"
    WHERE q."id" IN (SELECT "id" FROM shown WHERE "kind" = 'question') AND z."isActive"
),
invalid AS (
    SELECT s."userId", s."segmentIndex", min(CASE
        WHEN s."kind" = 'post' AND post."id" IS NULL THEN 'post-gone'
        WHEN s."kind" = 'question' AND question."id" IS NULL THEN 'question-gone'
        WHEN s."kind" <> 'question' AND s."author" IS DISTINCT FROM s."userId" AND person."id" IS NULL
            THEN 'author-hidden'
        WHEN blocked."other" <> s."userId" THEN 'author-blocked'
        -- Looked up one by one: of NOT EXISTS the planner may make a hash of all accesses there are.
        WHEN s."kind" = 'post' AND post."visibility" IS DISTINCT FROM 'PUBLIC' AND post."author" <> s."userId" AND (
            SELECT g."ownerUserId" FROM "ProfileAccess" g
            WHERE g."ownerUserId" = post."author" AND g."viewerUserId" = s."userId" AND g."status"::text = 'GRANTED'
              AND post."visibility" = 'PRIVATE'
            LIMIT 1) IS NULL THEN 'post-private'
        WHEN s."kind" IS NULL OR s."id" IS NULL THEN 'unreadable'
        END) AS "reason"
    FROM shown s
    LEFT JOIN people person ON person."id" = s."author"
    LEFT JOIN posts post ON s."kind" = 'post' AND post."id" = s."id"
    LEFT JOIN questions question ON s."kind" = 'question' AND question."id" = s."id"
    LEFT JOIN blocked ON blocked."userId" = s."userId" AND blocked."other" = s."author"
    GROUP BY s."userId", s."segmentIndex"
)
SELECT s."userId", s."segmentIndex", COALESCE(s."reason", invalid."reason") AS "reason"
FROM segments s LEFT JOIN invalid ON invalid."userId" = s."userId" AND invalid."segmentIndex" = s."segmentIndex"
WHERE COALESCE(s."reason", invalid."reason") IS NOT NULL
ORDER BY s."userId", s."segmentIndex"
"""
# The users' rows are locked first, where a presort begins too; what it is about to replace is left to it.
LOCK: LiteralString = """
SELECT "userId" FROM "FeedPresortedUser" WHERE "userId" = ANY(%(users)s) ORDER BY "userId" FOR UPDATE SKIP LOCKED
"""
GONE: LiteralString = """
SELECT k."userId", s."userId" IS NOT NULL
FROM unnest(%(keys)s::bigint[]) AS k ("userId")
LEFT JOIN "FeedPresortedUser" s ON s."userId" = k."userId"
LEFT JOIN "User" u ON u."id" = k."userId" AND u."deletedAt" IS NULL
WHERE u."id" IS NULL OR s."userId" IS NULL
"""
REMOVE: LiteralString = """
DELETE FROM "FeedPresorted" s USING unnest(%(users)s::bigint[], %(indices)s::smallint[]) AS found ("userId", "index")
WHERE s."userId" = found."userId" AND s."segmentIndex" = found."index"
"""
# The next incremental presort makes these feeds anew.
MARK: LiteralString = """
UPDATE "FeedPresortedUser" SET "fingerprint" = NULL WHERE "userId" = ANY(%(users)s)
"""
REMOVE_USERS: LiteralString = """DELETE FROM "FeedPresortedUser" WHERE "userId" = ANY(%(users)s)"""


def refresh(connection: Connection, keys: list[int], values: Parameters) -> PageSummary:
    """Remove what should not be shown of some users' segments. Locks are held from the last look to the commit only.

    The summary's reasons say of each removed segment why, besides of the users without one why.
    """
    found = connection.execute(FIND, {**values, "keys": keys}).fetchall()
    gone = connection.execute(GONE, {"keys": keys}).fetchall()
    unlisted = {user for user, listed in gone if not listed}
    left = {user for user, listed in gone if listed}
    wanted = sorted({user for user, *_ in found} | left)
    locked = {user for (user,) in connection.execute(LOCK, {"users": wanted})} if wanted else set()
    free = locked | unlisted
    removed = [(user, index, reason) for user, index, reason in found if user in free]
    summary = PageSummary(processed=len(keys))
    if removed:
        users, indices, reasons = zip(*removed, strict=True)
        summary.written = connection.execute(REMOVE, {"users": list(users), "indices": list(indices)}).rowcount
        summary.reasons.update(reasons)
        connection.execute(MARK, {"users": sorted(set(users))})
    if left & locked:
        connection.execute(REMOVE_USERS, {"users": sorted(left & locked)})
    summary.skip("being-presorted", len(set(wanted) - free))
    summary.skip("nothing-to-remove", len(set(keys).difference(wanted)))
    return summary


def _parameters(options: FeedPresortCleanupOptions, environment: Mapping[str, str]) -> Parameters:
    return {"version": read_version(environment), "maxSegments": options.max_segments}


JOB = KeyedJob(
    FEED_PRESORT_CLEANUP,
    Keys(KNOWN, KNOWN, 'SELECT count(*) FROM "FeedPresortedUser"', losses.FEEDS),
    refresh,
    parameters=_parameters,
)
