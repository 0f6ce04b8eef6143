"""What the feed's jobs would remove because its source has gone, as SQL; what goes by age was meant to go."""

from typing import LiteralString

from sitejobs.feed.sources import IS_VISIBLE
from sitejobs.jobs.losses import SAMPLE, Loss, lost
from sitejobs.options import MAX_ID, MIN_ID

FEATURES = (lost("PostFeatures", 'SELECT FROM "Post" p WHERE p."id" = s."postId" AND p."deletedAt" IS NULL'),)

# A post within the window without a single like had some when it was stored.
TRENDING = (
    lost(
        "TrendingScore",
        f"""
        SELECT FROM "Post" p JOIN "User" a ON a."id" = p."userId" JOIN "Profile" c ON c."userId" = a."id"
        WHERE p."id" = s."postId" AND p."deletedAt" IS NULL AND p."visibility"::text = 'PUBLIC' AND {IS_VISIBLE}
          AND EXISTS (SELECT FROM "LikedPost" l WHERE l."postId" = p."id")
        """,
        only='s."expiresAt" > %(now)s',
    ),
)

# The last likes of each user are looked at, by their index. Likes that are too old to count are likes all the same.
_LOOKED_AT: LiteralString = "20"
AFFINITY = (
    Loss(
        "UserAffinityProfile",
        f"""
        SELECT count(*) FILTER (WHERE u."id" IS NULL OR NOT a."empty" AND NOT EXISTS (
            SELECT FROM (
                SELECT l."postId" FROM "LikedPost" l WHERE l."userId" = a."userId"
                ORDER BY l."createdAt" DESC LIMIT {_LOOKED_AT}
            ) AS liked
            JOIN "Post" p ON p."id" = liked."postId" AND p."deletedAt" IS NULL)), count(*)
        FROM (SELECT "userId", "topCreators" = '{{}}' AS "empty" FROM "UserAffinityProfile") AS a
        LEFT JOIN "User" u ON u."id" = a."userId" AND u."deletedAt" IS NULL
        """,
    ),
)
"""Profiles of users who have gone, and those that would be emptied."""

_SAMPLED: LiteralString = f"""
SELECT "userId" FROM "FeedPresortedUser" ORDER BY hashint8("userId") LIMIT {SAMPLE}
"""


def _id(text: LiteralString) -> LiteralString:
    return f"""CASE WHEN ({text}) ~ '^-?[0-9]{{1,19}}$' AND ({text})::numeric BETWEEN {MIN_ID} AND {MAX_ID}
        THEN ({text})::bigint END"""


# Of cards, not of segments: one popular post that goes is in everybody's first segment. Cards of questions show nobody.
FEEDS = (
    Loss(
        "FeedPresorted",
        f"""
        WITH held AS (
            SELECT COALESCE(sum(f."segments"), 0) AS "all",
                   COALESCE(sum(f."segments") FILTER (WHERE u."id" IS NULL), 0) AS "left"
            FROM "FeedPresortedUser" f LEFT JOIN "User" u ON u."id" = f."userId" AND u."deletedAt" IS NULL
        ), shown AS (
            SELECT s."userId", item->>'kind' AS "kind", {_id("item->>'id'")} AS "id",
                   {_id("item->'author'->>'id'")} AS "author"
            FROM "FeedPresorted" s
            CROSS JOIN LATERAL jsonb_array_elements(
                CASE jsonb_typeof(s."items") WHEN 'array' THEN s."items" ELSE '[]' END) AS item
            WHERE s."userId" = ANY(ARRAY({_SAMPLED})) AND s."expiresAt" > %(now)s
        ), cards AS (
            SELECT avg(CASE WHEN a."id" IS NULL OR s."kind" = 'post' AND p."id" IS NULL THEN 1 ELSE 0 END) AS "gone"
            FROM shown s
            LEFT JOIN (
                SELECT DISTINCT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id" WHERE {IS_VISIBLE}
            ) AS a ON a."id" = s."author"
            LEFT JOIN "Post" p ON p."id" = s."id" AND p."deletedAt" IS NULL
            WHERE s."author" <> s."userId"
        )
        SELECT GREATEST(held."left", round(held."all" * COALESCE(cards."gone", 0)))::bigint, held."all"::bigint
        FROM held, cards
        """,
    ),
)
"""Segments of users who have gone, or of as large a share as the cards that show what has gone."""
