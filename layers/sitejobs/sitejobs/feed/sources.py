"""What a feed is made of, as SQL: posts, people, questions, and what stands between users.

Reading and fingerprints use the same pieces, so that whatever a feed shows is what its fingerprint covers. A run's
time is %(now)s: what came later is the next run's.
"""

from typing import LiteralString

from sitejobs.feed.media import SHOWN_TYPES

IS_VISIBLE: LiteralString = """a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible" """
"""Condition on `"User" a` and `"Profile" c`: may appear in others' feeds."""

_TAKEN: LiteralString = """
p."id", p."userId" AS "author", p."text", p."createdAt", c."displayName" AS "name", c."avatarUrl" AS "avatar"
"""
_RECENT: LiteralString = """
p."deletedAt" IS NULL AND p."createdAt" <= %(now)s
AND p."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int)
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
    WHERE p."visibility" = 'PUBLIC' AND {_RECENT} AND {IS_VISIBLE}
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(publicPosts)s
) AS p {_WITH_FIGURES}
"""  # noqa: S608 - put together from constants
"""The newest public posts of people who may appear."""

# Whoever is asked for, as `k."userId"`.
_OWN_POSTS: LiteralString = f"""
SELECT {_FIGURES} FROM (
    SELECT {_TAKEN} FROM "Post" p LEFT JOIN "Profile" c ON c."userId" = p."userId" AND c."deletedAt" IS NULL
    WHERE p."userId" = k."userId" AND {_RECENT}
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(ownPosts)s
) AS p {_WITH_FIGURES}
"""  # noqa: S608 - put together from constants
_FOLLOWED_POSTS: LiteralString = f"""
SELECT {_FIGURES} FROM (
    SELECT {_TAKEN} FROM "ProfileAccess" g
    JOIN "User" a ON a."id" = g."ownerUserId"
    JOIN "Profile" c ON c."userId" = g."ownerUserId"
    JOIN "Post" p ON p."userId" = g."ownerUserId"
    WHERE g."viewerUserId" = k."userId" AND g."ownerUserId" <> k."userId" AND g."status"::text = 'GRANTED'
      AND p."visibility"::text = 'PRIVATE' AND {_RECENT} AND {IS_VISIBLE}
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(followedPosts)s
) AS p {_WITH_FIGURES}
"""  # noqa: S608 - put together from constants
OWN_AND_FOLLOWED_POSTS: LiteralString = f"{_OWN_POSTS} UNION ALL {_FOLLOWED_POSTS}"
"""Posts that only `k."userId"` has as candidates: the own ones, and private ones of users who let this one in."""

QUIZ: LiteralString = """
SELECT q."id", q."updatedAt" FROM "Quiz" q WHERE q."isActive"
ORDER BY q."updatedAt" DESC, q."id" DESC LIMIT 1
"""
QUESTIONS: LiteralString = f"""
SELECT q."id", q."prompt", quiz."id" AS "quiz", quiz."updatedAt", (
    SELECT COALESCE(jsonb_agg(jsonb_build_object('value', o."value", 'label', o."label")
                              ORDER BY o."order", o."id"), '[]')
    FROM "QuizOption" o WHERE o."questionId" = q."id") AS "options"
FROM ({QUIZ}) AS quiz JOIN "QuizQuestion" q ON q."quizId" = quiz."id"
ORDER BY q."order", q."id"
"""  # noqa: S608 - put together from constants
ANSWERED: LiteralString = f"""
SELECT jsonb_object_keys(r."answers") AS "question"
FROM "QuizResult" r WHERE r."userId" = k."userId" AND r."quizId" = (SELECT "id" FROM ({QUIZ}) AS quiz)
  AND jsonb_typeof(r."answers") = 'object'
"""  # noqa: S608 - put together from constants
"""Questions that `k."userId"` need not be asked any more."""

BLOCKED: LiteralString = """
SELECT b."blockedId" AS "other" FROM "UserBlock" b WHERE b."blockerId" = k."userId"
UNION ALL
SELECT b."blockerId" FROM "UserBlock" b WHERE b."blockedId" = k."userId"
"""
"""Who must not appear to `k."userId"`: blocks count both ways."""

DISLIKED: LiteralString = """
SELECT l."toUserId" AS "other" FROM "Like" l WHERE l."fromUserId" = k."userId" AND l."action"::text = 'DISLIKE'
"""
"""Whom `k."userId"` need not be suggested again."""

MATCHES: LiteralString = """
SELECT "other", "updatedAt" FROM (
    SELECT m."userBId" AS "other", m."updatedAt" FROM "Match" m
    WHERE m."userAId" = k."userId" AND m."state"::text = 'ACTIVE'
    UNION ALL
    SELECT m."userAId", m."updatedAt" FROM "Match" m
    WHERE m."userBId" = k."userId" AND m."state"::text = 'ACTIVE'
) AS m
"""
SCORED: LiteralString = """
SELECT m."userId", m."candidateUserId" AS "other", m."score", m."rank" FROM "MatchScore" m
WHERE m."userId" = ANY(%(keys)s) AND m."rank" <= %(suggestions)s
"""
NEWEST_PEOPLE: LiteralString = f"""
SELECT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE {IS_VISIBLE} ORDER BY a."id" DESC LIMIT %(suggestions)s
"""  # noqa: S608 - put together from constants
"""Who is suggested to users for whom nobody is scored."""

PERSON: LiteralString = f"""
SELECT a."id", c."displayName", c."avatarUrl", c."bio" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE {IS_VISIBLE}
"""  # noqa: S608 - put together from constants
