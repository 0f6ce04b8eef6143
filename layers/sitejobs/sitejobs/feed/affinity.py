"""affinity: each user's likes as shares of authors, topics and kinds of post."""

from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.feed import losses
from sitejobs.feed.media import CONTENT_TYPE
from sitejobs.feed.options import AFFINITY, AffinityOptions
from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import COUNT_USERS, KeyedJob, Keys, Parameters, users_and
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.postgres.values import of_later_run

RULES = 1
"""Part of every fingerprint. Raise it when the same likes would give another profile: all are then computed anew."""

_PARAMETERS: Parameters = {
    "rules": RULES,
    "creators": 20,
    "topics": 30,
    "explored": 30,  # distinct topics at which explorationFactor reaches 1
    "unknown": 0.5,  # explorationFactor of a user without a known topic
}

# Likes after the run's start belong to the next run. Likes are read first, by their index: PostgreSQL estimates too few
# public posts and would begin with all of them.
_LIKES: Final[LiteralString] = """
SELECT DISTINCT l."userId", l."postId" FROM "LikedPost" l
WHERE l."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int) AND l."createdAt" <= %(now)s
"""
# Counted are likes of public undeleted posts by other undeleted users. A post's features may be missing, since
# content-features looks back less far.
_LIKED: Final[LiteralString] = f"""
SELECT l."userId", p."id" AS "postId", p."userId" AS "creator", {CONTENT_TYPE} AS "type",
       COALESCE(f."topics", '{{}}') AS "topics"
FROM likes l
JOIN "User" u ON u."id" = l."userId" AND u."deletedAt" IS NULL
JOIN "Post" p ON p."id" = l."postId" AND p."deletedAt" IS NULL AND p."visibility"::text = 'PUBLIC'
             AND p."userId" <> l."userId"
JOIN "User" c ON c."id" = p."userId" AND c."deletedAt" IS NULL
LEFT JOIN "PostFeatures" f ON f."postId" = p."id"
"""
# Hash of everything that a profile is computed from. A sum, so that the order of the likes does not matter.
_FINGERPRINT: Final[LiteralString] = """
hashtextextended(concat_ws('|', %(rules)s::int, %(days)s::int, count(*), sum(
    hashtextextended(concat_ws('|', "postId", "creator", "type", array_to_string("topics", ' ')), 0))), 0)
"""
STALE: Final[LiteralString] = f"""
WITH likes AS MATERIALIZED ({_LIKES} AND l."userId" BETWEEN %(first)s AND %(last)s),
liked AS ({_LIKED}),
current AS (SELECT "userId", {_FINGERPRINT} AS "fingerprint" FROM liked GROUP BY "userId"),
stored AS (SELECT "userId", "fingerprint", "topCreators" = '{{}}' AS "empty", EXISTS (
               SELECT FROM "User" u WHERE u."id" = "userId" AND u."deletedAt" IS NULL) AS "here"
           FROM "UserAffinityProfile" WHERE "userId" BETWEEN %(first)s AND %(last)s)
SELECT "userId" FROM current FULL JOIN stored USING ("userId")
WHERE CASE WHEN current."fingerprint" IS NULL THEN NOT (stored."empty" AND stored."here")
      ELSE stored."fingerprint" IS DISTINCT FROM current."fingerprint" END
ORDER BY "userId"
"""
"""Users of a key range whose stored profile is missing or differs from what a run would store."""

REMOVE_PROFILES: Final[LiteralString] = """
DELETE FROM "UserAffinityProfile" a
WHERE a."userId" = ANY(%(keys)s)
  AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = a."userId" AND u."deletedAt" IS NULL)
"""
"""Removes the profiles of users who are deleted or gone."""

WRITE_PROFILES: Final[LiteralString] = f"""
WITH likes AS MATERIALIZED ({_LIKES} AND l."userId" = ANY(%(keys)s)),
liked AS MATERIALIZED ({_LIKED}),
whole AS (
    SELECT "userId", count(*) AS "likes", {_FINGERPRINT} AS "fingerprint",
           count(*) FILTER (WHERE "type" = 'photos') AS "photos",
           count(*) FILTER (WHERE "type" = 'videos') AS "videos",
           count(*) FILTER (WHERE "type" = 'text') AS "text"
    FROM liked GROUP BY "userId"
),
creators AS (
    SELECT "userId", array_agg("creator" ORDER BY "place") AS "names", array_agg("share" ORDER BY "place") AS "shares"
    FROM (SELECT "userId", "creator", (count(*) / sum(count(*)) OVER each)::real AS "share",
                 row_number() OVER (each ORDER BY count(*) DESC, "creator") AS "place"
          FROM liked GROUP BY "userId", "creator" WINDOW each AS (PARTITION BY "userId")) AS counted
    WHERE "place" <= %(creators)s GROUP BY "userId"
),
topics AS (
    SELECT "userId", max("distinct") AS "distinct", array_agg("topic" ORDER BY "place") AS "names",
           array_agg("share" ORDER BY "place") AS "shares"
    FROM (SELECT "userId", "topic", (count(*) / sum(count(*)) OVER each)::real AS "share",
                 count(*) OVER each AS "distinct",
                 row_number() OVER (each ORDER BY count(*) DESC, "topic" COLLATE "C") AS "place"
          FROM liked CROSS JOIN unnest(liked."topics") AS t ("topic") GROUP BY "userId", "topic"
          WINDOW each AS (PARTITION BY "userId")) AS counted
    WHERE "place" <= %(topics)s GROUP BY "userId"
)
INSERT INTO "UserAffinityProfile" AS a
    ("userId", "topCreators", "topCreatorShares", "topTopics", "topTopicShares", "contentTypePrefs",
     "engagementVelocity", "explorationFactor", "computedAt", "fingerprint")
SELECT k."userId", COALESCE(creators."names", '{{}}'), COALESCE(creators."shares", '{{}}'),
       COALESCE(topics."names", '{{}}'), COALESCE(topics."shares", '{{}}'),
       jsonb_build_object('photos', COALESCE((whole."photos" / whole."likes"::float8)::real, 0),
                          'videos', COALESCE((whole."videos" / whole."likes"::float8)::real, 0),
                          'text', COALESCE((whole."text" / whole."likes"::float8)::real, 0)),
       COALESCE(whole."likes", 0) / %(days)s::float8,
       CASE WHEN topics."distinct" > 0 THEN least(topics."distinct" / %(explored)s::float8, 1)
            ELSE %(unknown)s END,
       %(now)s, COALESCE(whole."fingerprint", 0)
FROM unnest(%(keys)s::bigint[]) AS k ("userId")
LEFT JOIN whole ON whole."userId" = k."userId"
LEFT JOIN creators ON creators."userId" = k."userId"
LEFT JOIN topics ON topics."userId" = k."userId"
WHERE whole."userId" IS NOT NULL
   OR EXISTS (SELECT FROM "UserAffinityProfile" s WHERE s."userId" = k."userId")
ORDER BY k."userId"
ON CONFLICT ("userId") DO UPDATE
SET "topCreators" = EXCLUDED."topCreators", "topCreatorShares" = EXCLUDED."topCreatorShares",
    "topTopics" = EXCLUDED."topTopics", "topTopicShares" = EXCLUDED."topTopicShares",
    "contentTypePrefs" = EXCLUDED."contentTypePrefs", "engagementVelocity" = EXCLUDED."engagementVelocity",
    "explorationFactor" = EXCLUDED."explorationFactor", "computedAt" = EXCLUDED."computedAt",
    "fingerprint" = EXCLUDED."fingerprint"
WHERE NOT {of_later_run('a."computedAt"')}
  AND (a."topCreators", a."topCreatorShares", a."topTopics", a."topTopicShares", a."contentTypePrefs",
       a."engagementVelocity", a."explorationFactor", a."fingerprint")
      IS DISTINCT FROM (EXCLUDED."topCreators", EXCLUDED."topCreatorShares", EXCLUDED."topTopics",
       EXCLUDED."topTopicShares", EXCLUDED."contentTypePrefs", EXCLUDED."engagementVelocity",
       EXCLUDED."explorationFactor", EXCLUDED."fingerprint")
"""
"""Computes profiles and stores those that differ. A stored profile becomes empty when the user's last like goes."""

COUNT_SKIPPED: Final[LiteralString] = """
SELECT count(*) FILTER (WHERE u."id" IS NULL), count(*) FILTER (WHERE u."id" IS NOT NULL AND a."userId" IS NULL)
FROM unnest(%(keys)s::bigint[]) AS k ("userId")
LEFT JOIN "User" u ON u."id" = k."userId" AND u."deletedAt" IS NULL
LEFT JOIN "UserAffinityProfile" a ON a."userId" = k."userId"
"""
"""Counts the users who are gone, and those who have no profile since they never liked anything."""


def _parameters(options: AffinityOptions, environment: Mapping[str, str]) -> Parameters:
    return {**_PARAMETERS, "days": options.lookback_days}


def refresh(connection: Connection, keys: list[int], parameters: Parameters) -> PageSummary:
    """Write the profiles of these users; empty those of users without likes, remove those of deleted users."""
    given = {**parameters, "keys": keys}
    connection.execute(REMOVE_PROFILES, given)
    written = connection.execute(WRITE_PROFILES, given).rowcount
    row = connection.execute(COUNT_SKIPPED, given).fetchone()
    assert row is not None
    left, without_likes = row
    summary = PageSummary(processed=len(keys), written=written)
    summary.skip(SkipReason.DELETED, left)
    summary.skip(SkipReason.NO_LIKES, without_likes)
    summary.skip(SkipReason.UNCHANGED, len(keys) - written - left - without_likes)
    return summary


JOB = KeyedJob(
    AFFINITY,
    Keys(users_and('"UserAffinityProfile"'), STALE, COUNT_USERS, losses.AFFINITY),
    refresh,
    parameters=_parameters,
)
