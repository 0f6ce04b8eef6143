"""feed-presort-cleanup: removes segments that must not be shown any more. It may run beside a presort."""

from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.feed import losses
from sitejobs.feed.options import FEED_PRESORT_CLEANUP, FeedPresortCleanupOptions
from sitejobs.feed.rules import read_version
from sitejobs.feed.sources import IS_VISIBLE, SEGMENTS, cards_of
from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import KeyedJob, Keys, Parameters
from sitejobs.jobs.skip_reasons import SkipReason

KNOWN: Final[LiteralString] = """
SELECT "userId" FROM (
    (SELECT "userId" FROM "FeedPresortedUser" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT "userId" FROM "FeedSegment" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT "userId" FROM "FeedPresortedRow" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
) AS known ORDER BY "userId" LIMIT %(limit)s
"""
"""Users of a key range with segments or a FeedPresortedUser row."""

# Cards are examined only where the segment itself gives no reason. A card without an id is unreadable.
FIND: Final[LiteralString] = f"""
WITH segments AS (
    SELECT s."userId", s."segmentIndex", CASE
        WHEN viewer."id" IS NULL THEN 'user-deleted'
        WHEN s."algorithmVersion" <> %(version)s THEN 'other-version'
        WHEN s."segmentIndex" >= %(maxSegments)s THEN 'beyond-max-segments'
        WHEN s."expiresAt" <= %(now)s THEN 'expired'
        WHEN jsonb_typeof(s."items") <> 'array' THEN 'unreadable'
        WHEN cardinality(s."presentation") <> cardinality(s."id") THEN 'unreadable'
        END AS "reason", s."items", s."presentation", s."id"
    FROM ({SEGMENTS}) AS s
    LEFT JOIN "User" viewer ON viewer."id" = s."userId" AND viewer."deletedAt" IS NULL
    WHERE s."userId" = ANY(%(keys)s)
),
shown AS MATERIALIZED (
    {cards_of('(SELECT * FROM segments WHERE "reason" IS NULL)')}
),
blocked AS MATERIALIZED (
    SELECT "blockerId" AS "userId", "blockedId" AS "other" FROM "UserBlock" WHERE "blockerId" = ANY(%(keys)s)
    UNION SELECT "blockedId", "blockerId" FROM "UserBlock" WHERE "blockedId" = ANY(%(keys)s)
),
posts AS MATERIALIZED (
    SELECT p."id", p."userId" AS "author", p."visibility"::text AS "visibility" FROM "Post" p
    WHERE p."id" IN (SELECT "id" FROM shown WHERE "kind" = 'post') AND p."deletedAt" IS NULL
      AND p."userId" IS NOT NULL
),
people AS MATERIALIZED (
    SELECT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
    WHERE a."id" IN (SELECT "author" FROM shown UNION SELECT "author" FROM posts) AND {IS_VISIBLE}
),
questions AS MATERIALIZED (
    SELECT q."id" FROM "QuizQuestion" q JOIN "Quiz" z ON z."id" = q."quizId"
    WHERE q."id" IN (SELECT "id" FROM shown WHERE "kind" = 'question') AND z."isActive"
),
invalid AS (
    SELECT s."userId", s."segmentIndex", min(CASE
        WHEN s."kind" = 'post' AND post."id" IS NULL THEN 'post-gone'
        WHEN s."kind" = 'question' AND question."id" IS NULL THEN 'question-gone'
        WHEN s."kind" <> 'question' AND COALESCE(s."author", post."author") IS DISTINCT FROM s."userId"
            AND person."id" IS NULL THEN 'author-hidden'
        WHEN blocked."other" <> s."userId" THEN 'author-blocked'
        -- Looked up one by one: for NOT EXISTS the planner may hash the whole of ProfileAccess.
        WHEN s."kind" = 'post' AND post."visibility" IS DISTINCT FROM 'PUBLIC' AND post."author" <> s."userId" AND (
            SELECT g."ownerUserId" FROM "ProfileAccess" g
            WHERE g."ownerUserId" = post."author" AND g."viewerUserId" = s."userId" AND g."status"::text = 'GRANTED'
              AND post."visibility" = 'PRIVATE'
            LIMIT 1) IS NULL THEN 'post-private'
        WHEN s."kind" IS NULL OR s."id" IS NULL THEN 'unreadable'
        END) AS "reason"
    FROM shown s
    LEFT JOIN posts post ON s."kind" = 'post' AND post."id" = s."id"
    LEFT JOIN people person ON person."id" = COALESCE(s."author", post."author")
    LEFT JOIN questions question ON s."kind" = 'question' AND question."id" = s."id"
    LEFT JOIN blocked ON blocked."userId" = s."userId" AND blocked."other" = COALESCE(s."author", post."author")
    GROUP BY s."userId", s."segmentIndex"
)
SELECT s."userId", s."segmentIndex", COALESCE(s."reason", invalid."reason") AS "reason"
FROM segments s LEFT JOIN invalid ON invalid."userId" = s."userId" AND invalid."segmentIndex" = s."segmentIndex"
WHERE COALESCE(s."reason", invalid."reason") IS NOT NULL
ORDER BY s."userId", s."segmentIndex"
"""
"""Finds the segments of users that must not be shown any more, each with its reason."""

# A presort begins with these rows too. Feeds that it is replacing are left to it.
LOCK_USERS: Final[LiteralString] = """
SELECT "userId" FROM "FeedPresortedUser" WHERE "userId" = ANY(%(users)s) ORDER BY "userId" FOR UPDATE SKIP LOCKED
"""
"""Locks the users whose feeds no presort is writing."""

FIND_GONE: Final[LiteralString] = """
SELECT k."userId", s."userId" IS NOT NULL
FROM unnest(%(keys)s::bigint[]) AS k ("userId")
LEFT JOIN "FeedPresortedUser" s ON s."userId" = k."userId"
LEFT JOIN "User" u ON u."id" = k."userId" AND u."deletedAt" IS NULL
WHERE u."id" IS NULL OR s."userId" IS NULL
"""
"""Finds the users who are gone or have no FeedPresortedUser row, and tells whether they have one."""

REMOVE_SEGMENTS: Final[LiteralString] = """
WITH found AS MATERIALIZED (
    SELECT * FROM unnest(%(users)s::bigint[], %(indices)s::smallint[]) AS found ("userId", "index")
),
removed AS (
    DELETE FROM "FeedSegment" s USING found
    WHERE s."userId" = found."userId" AND s."segmentIndex" = found."index" RETURNING 1
),
removed_rows AS (
    DELETE FROM "FeedPresortedRow" s USING found
    WHERE s."userId" = found."userId" AND s."segmentIndex" = found."index" RETURNING 1
)
SELECT (SELECT count(*) FROM removed) + (SELECT count(*) FROM removed_rows)
"""
"""Removes segments by user and index; tells how many."""

# Presorts only add cards, so they are not in the way of each other.
REMOVE_CARDS: Final[LiteralString] = """
DELETE FROM "FeedCard" c
WHERE EXISTS (SELECT FROM "FeedCard" n WHERE n."kind" = c."kind" AND n."id" = c."id" AND n."madeAt" > c."madeAt")
   OR c."kind" = 'post' AND NOT EXISTS (SELECT FROM "Post" p WHERE p."id" = c."id" AND p."deletedAt" IS NULL)
   OR c."kind" = 'suggestion' AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = c."id" AND u."deletedAt" IS NULL)
   OR c."kind" = 'question' AND NOT EXISTS (SELECT FROM "QuizQuestion" q WHERE q."id" = c."id")
"""
"""Removes cards that a newer one replaces, and those of posts, users and questions that are gone."""

# A feed whose set is missing is made anew, so a page that has just found the set loses nothing by this.
REMOVE_SETS: Final[LiteralString] = """
DELETE FROM "FeedPublicPosts" p
WHERE NOT EXISTS (SELECT FROM "FeedPresortedUser" s WHERE s."publicPosts" = p."hash")
   OR EXISTS (SELECT FROM "FeedPublicPosts" n WHERE n."hash" = p."hash" AND n."madeAt" > p."madeAt")
"""
"""Removes sets of public posts that no feed was made of, and those that are stored once more."""

MARK_STALE: Final[LiteralString] = """
UPDATE "FeedPresortedUser" SET "fingerprint" = NULL WHERE "userId" = ANY(%(users)s)
"""
"""Marks feeds as stale: the next incremental presort makes them anew."""

REMOVE_USERS: Final[LiteralString] = """DELETE FROM "FeedPresortedUser" WHERE "userId" = ANY(%(users)s)"""
"""Removes the fingerprints of users who are deleted or gone."""


def refresh(connection: Connection, keys: list[int], parameters: Parameters) -> PageSummary:
    """Remove the segments of these users that must not be shown. Rows are locked only from the removal to the commit.

    The summary's reasons count removed segments, and users of whom none was removed.
    """
    found = connection.execute(FIND, {**parameters, "keys": keys}).fetchall()
    gone = connection.execute(FIND_GONE, {"keys": keys}).fetchall()
    unlisted = {user for user, listed in gone if not listed}
    left = {user for user, listed in gone if listed}
    wanted = sorted({user for user, *_ in found} | left)
    locked = {user for (user,) in connection.execute(LOCK_USERS, {"users": wanted})} if wanted else set()
    free = locked | unlisted
    removed = [(user, index, reason) for user, index, reason in found if user in free]
    summary = PageSummary(processed=len(keys))
    if removed:
        users, indices, reasons = zip(*removed, strict=True)
        row = connection.execute(REMOVE_SEGMENTS, {"users": list(users), "indices": list(indices)}).fetchone()
        assert row is not None
        summary.written = row[0]
        summary.reasons.update(reasons)
        connection.execute(MARK_STALE, {"users": sorted(set(users))})
    if left & locked:
        connection.execute(REMOVE_USERS, {"users": sorted(left & locked)})
    summary.skip(SkipReason.BEING_PRESORTED, len(set(wanted) - free))
    summary.skip(SkipReason.NOTHING_TO_REMOVE, len(set(keys).difference(wanted)))
    return summary


def _tidy(connection: Connection) -> None:
    connection.execute(REMOVE_CARDS)
    connection.execute(REMOVE_SETS)


def _parameters(options: FeedPresortCleanupOptions, environment: Mapping[str, str]) -> Parameters:
    return {"version": read_version(environment), "maxSegments": options.max_segments}


JOB = KeyedJob(
    FEED_PRESORT_CLEANUP,
    Keys(KNOWN, KNOWN, 'SELECT count(*) FROM "FeedPresortedUser"', losses.FEEDS),
    refresh,
    parameters=_parameters,
    tidy=_tidy,
)
