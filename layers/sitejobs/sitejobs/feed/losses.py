"""SQL that counts what the feed's jobs would remove because its source has gone. What goes by age is not counted."""

from typing import Final, LiteralString

from sitejobs.feed.sources import IS_VISIBLE, SEGMENTS, cards_of
from sitejobs.jobs.losses import SAMPLE, Loss, lost

FEATURES = (lost("PostFeatures", 'SELECT FROM "Post" p WHERE p."id" = s."postId" AND p."deletedAt" IS NULL'),)
"""Features of posts that are gone."""

# A stored post had likes. Within the window it is lost when none is left.
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
"""Unexpired scores of posts that are gone, private, by hidden authors or without likes."""

# Likes of each user that are looked at: the last ones, by their index. Likes older than the lookback count too.
_LOOKED_AT: Final[LiteralString] = "20"
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
"""Profiles of users who are gone, and those that would be emptied."""

_SAMPLED: Final[LiteralString] = f"""
SELECT "userId" FROM "FeedPresortedUser" ORDER BY hashint8("userId") LIMIT {SAMPLE}
"""
_LOOKED_INTO: Final[LiteralString] = f"""
(SELECT s.* FROM ({SEGMENTS}) AS s WHERE s."userId" = ANY(ARRAY({_SAMPLED})) AND s."expiresAt" > %(now)s)
"""

# The share is one of cards, not of segments: a popular post that goes is in everybody's first segment. Cards of
# questions have no author and do not count.
FEEDS = (
    Loss(
        "FeedSegment",
        f"""
        WITH held AS (
            SELECT COALESCE(sum(f."segments"), 0) AS "all",
                   COALESCE(sum(f."segments") FILTER (WHERE u."id" IS NULL), 0) AS "left"
            FROM "FeedPresortedUser" f LEFT JOIN "User" u ON u."id" = f."userId" AND u."deletedAt" IS NULL
        ), shown AS (
            {cards_of(_LOOKED_INTO)}
        ), cards AS (
            SELECT avg(CASE WHEN a."id" IS NULL OR s."kind" = 'post' AND p."id" IS NULL THEN 1 ELSE 0 END) AS "gone"
            FROM shown s
            LEFT JOIN "Post" p ON s."kind" = 'post' AND p."id" = s."id" AND p."deletedAt" IS NULL
            LEFT JOIN (
                SELECT DISTINCT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id" WHERE {IS_VISIBLE}
            ) AS a ON a."id" = COALESCE(p."userId", s."author")
            WHERE s."kind" <> 'question' AND COALESCE(p."userId", s."author") IS DISTINCT FROM s."userId"
        )
        SELECT GREATEST(held."left", round(held."all" * COALESCE(cards."gone", 0)))::bigint, held."all"::bigint
        FROM held, cards
        """,
    ),
)
"""Segments of users who are gone, or as large a share of all as cards of gone posts and people have in a sample."""
