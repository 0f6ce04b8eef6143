"""What a feed is made of, as SQL: posts, people, questions, and what stands between users.

Reading and fingerprints use the same pieces, so that whatever a feed shows is what its fingerprint covers. A run's
time is %(now)s: what came later is the next run's.
"""

from typing import LiteralString

from sitejobs.feed.media import SHOWN_TYPES
from sitejobs.postgres.values import moment

IS_VISIBLE: LiteralString = """a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible" """
"""Condition on `"User" a` and `"Profile" c`: may appear in others' feeds."""

_TAKEN: LiteralString = """
p."id", p."userId" AS "author", p."text", p."createdAt", c."displayName" AS "name", c."avatarUrl" AS "avatar"
"""


def _recent(post: LiteralString) -> LiteralString:
    return f"""
    {post}."deletedAt" IS NULL AND {post}."createdAt" <= %(now)s
    AND {post}."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int)
    """


# What is looked up only for the posts that are taken.
_FIGURES: LiteralString = f"""p.*, {SHOWN_TYPES} AS "media", f."topics", f."quality", t."popularity" """
_WITH_FIGURES: LiteralString = """
LEFT JOIN "PostFeatures" f ON f."postId" = p."id"
LEFT JOIN "TrendingScore" t ON t."postId" = p."id" AND t."expiresAt" > %(now)s
"""
PUBLIC_POSTS: LiteralString = f"""
SELECT {_FIGURES} FROM (
    SELECT {_TAKEN} FROM "Post" p
    JOIN "User" a ON a."id" = p."userId"
    JOIN "Profile" c ON c."userId" = p."userId"
    -- The oldest post of an author's share: of the author alone, so that the server need not find it for each post
    LEFT JOIN LATERAL (
        SELECT o."createdAt", o."id" FROM "Post" o
        WHERE o."userId" = p."userId" AND o."visibility" = 'PUBLIC' AND {_recent("o")}
        ORDER BY o."createdAt" DESC, o."id" DESC OFFSET %(authorPosts)s - 1 LIMIT 1
    ) AS oldest ON true
    WHERE p."visibility" = 'PUBLIC' AND {_recent("p")} AND {IS_VISIBLE}
      AND (oldest."id" IS NULL OR (p."createdAt", p."id") >= (oldest."createdAt", oldest."id"))
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(publicPosts)s
) AS p {_WITH_FIGURES}
"""
"""The newest public posts of people who may appear, of each the newest few: nobody fills everybody's feed."""

# Whoever is asked for, as `k."userId"`.
_OWN_POSTS: LiteralString = f"""
SELECT {_FIGURES} FROM (
    SELECT {_TAKEN} FROM "Post" p LEFT JOIN "Profile" c ON c."userId" = p."userId" AND c."deletedAt" IS NULL
    WHERE p."userId" = k."userId" AND {_recent("p")}
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(ownPosts)s
) AS p {_WITH_FIGURES}
"""
_FOLLOWED_POSTS: LiteralString = f"""
SELECT {_FIGURES} FROM (
    SELECT {_TAKEN} FROM (
        SELECT DISTINCT g."ownerUserId" FROM "ProfileAccess" g
        WHERE g."viewerUserId" = k."userId" AND g."ownerUserId" <> k."userId" AND g."status"::text = 'GRANTED'
    ) AS g
    JOIN "User" a ON a."id" = g."ownerUserId"
    JOIN "Profile" c ON c."userId" = g."ownerUserId"
    CROSS JOIN LATERAL (
        SELECT p."id", p."userId", p."text", p."createdAt" FROM "Post" p
        WHERE p."userId" = g."ownerUserId" AND p."visibility"::text = 'PRIVATE' AND {_recent("p")}
        ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(authorPosts)s
    ) AS p
    WHERE {IS_VISIBLE}
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(followedPosts)s
) AS p {_WITH_FIGURES}
"""
OWN_AND_FOLLOWED_POSTS: LiteralString = f"{_OWN_POSTS} UNION ALL {_FOLLOWED_POSTS}"
"""Posts that only `k."userId"` has as candidates: the own ones, and private ones of users who let this one in."""

_CHANGED: LiteralString = moment('q."updatedAt"')
QUIZ: LiteralString = f"""
SELECT q."id", {_CHANGED} AS "updatedAt" FROM "Quiz" q WHERE q."isActive"
ORDER BY {_CHANGED} DESC NULLS LAST, q."id" DESC LIMIT 1
"""
QUESTIONS: LiteralString = f"""
SELECT q."id", q."prompt", quiz."id" AS "quiz", quiz."updatedAt", (
    SELECT COALESCE(jsonb_agg(jsonb_build_object('value', o."value", 'label', o."label")
                              ORDER BY o."order", o."id"), '[]')
    FROM "QuizOption" o
    WHERE o."questionId" = q."id" AND o."value" IS NOT NULL AND o."label" IS NOT NULL) AS "options"
FROM ({QUIZ}) AS quiz JOIN "QuizQuestion" q ON q."quizId" = quiz."id" AND q."prompt" IS NOT NULL
ORDER BY q."order", q."id"
"""
ANSWERED: LiteralString = f"""
SELECT jsonb_object_keys(r."answers") AS "question"
FROM "QuizResult" r WHERE r."userId" = k."userId" AND r."quizId" = (SELECT "id" FROM ({QUIZ}) AS quiz)
  AND jsonb_typeof(r."answers") = 'object'
"""
"""Questions that `k."userId"` need not be asked any more."""

BLOCKED: LiteralString = """
SELECT b."blockedId" AS "other" FROM "UserBlock" b WHERE b."blockerId" = k."userId" AND b."blockedId" IS NOT NULL
UNION ALL
SELECT b."blockerId" FROM "UserBlock" b WHERE b."blockedId" = k."userId" AND b."blockerId" IS NOT NULL
"""
"""Who must not appear to `k."userId"`: blocks count both ways."""

DISLIKED: LiteralString = """
SELECT l."toUserId" AS "other" FROM "Like" l
WHERE l."fromUserId" = k."userId" AND l."action"::text = 'DISLIKE' AND l."toUserId" IS NOT NULL
"""
"""Whom `k."userId"` need not be suggested again."""

MATCHES: LiteralString = f"""
SELECT m."other", {moment('m."updatedAt"')} AS "updatedAt" FROM (
    SELECT m."userBId" AS "other", m."updatedAt" FROM "Match" m
    WHERE m."userAId" = k."userId" AND m."state"::text = 'ACTIVE'
    UNION ALL
    SELECT m."userAId", m."updatedAt" FROM "Match" m
    WHERE m."userBId" = k."userId" AND m."state"::text = 'ACTIVE'
) AS m WHERE m."other" IS NOT NULL
"""
IS_SCORE: LiteralString = """m."score" > '-Infinity' AND m."score" < 'Infinity' """
"""Condition on `"MatchScore" m`: NaN counts as more than infinity."""

SCORED: LiteralString = """
SELECT m."userId", m."candidateUserId" AS "other", m."score", m."rank" FROM "MatchScore" m
WHERE m."userId" = ANY(%(keys)s) AND m."rank" <= %(suggestions)s
"""
NEWEST_PEOPLE: LiteralString = f"""
SELECT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE {IS_VISIBLE} ORDER BY a."id" DESC LIMIT %(suggestions)s
"""
"""Who is suggested to users for whom nobody is scored."""

PERSON: LiteralString = f"""
SELECT a."id", c."displayName", c."avatarUrl", c."bio" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE {IS_VISIBLE}
"""
