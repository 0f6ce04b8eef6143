-- _OWN_AND_FOLLOWED
SELECT k."userId", post.* FROM unnest(%(keys)s::bigint[]) AS k ("userId") CROSS JOIN LATERAL (
SELECT p.*,
(SELECT array_agg(m."type"::text ORDER BY pm."order", m."id")
 FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId" WHERE pm."postId" = p."id" AND
m."deletedAt" IS NULL AND m."status"::text IN ('UPLOADED', 'PROCESSING', 'READY')
)
 AS "media", f."topics", f."quality", t."popularity"  FROM (
    SELECT
p."id", p."userId" AS "author", p."text", p."createdAt", c."displayName" AS "name", c."avatarUrl" AS "avatar"
 FROM "Post" p LEFT JOIN "Profile" c ON c."userId" = p."userId" AND c."deletedAt" IS NULL
    WHERE p."userId" = k."userId" AND
    p."deletedAt" IS NULL AND p."createdAt" <= %(now)s
    AND p."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int)
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(ownPosts)s
) AS p
LEFT JOIN "PostFeatures" f ON f."postId" = p."id"
LEFT JOIN "TrendingScore" t ON t."postId" = p."id" AND t."expiresAt" > %(now)s
 UNION ALL
SELECT p.*,
(SELECT array_agg(m."type"::text ORDER BY pm."order", m."id")
 FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId" WHERE pm."postId" = p."id" AND
m."deletedAt" IS NULL AND m."status"::text IN ('UPLOADED', 'PROCESSING', 'READY')
)
 AS "media", f."topics", f."quality", t."popularity"  FROM (
    SELECT
p."id", p."userId" AS "author", p."text", p."createdAt", c."displayName" AS "name", c."avatarUrl" AS "avatar"
 FROM (
        SELECT DISTINCT g."ownerUserId" FROM "ProfileAccess" g
        WHERE g."viewerUserId" = k."userId" AND g."ownerUserId" <> k."userId" AND g."status"::text = 'GRANTED'
    ) AS g
    JOIN "User" a ON a."id" = g."ownerUserId"
    JOIN "Profile" c ON c."userId" = g."ownerUserId"
    CROSS JOIN LATERAL (
        SELECT p."id", p."userId", p."text", p."createdAt" FROM "Post" p
        WHERE p."userId" = g."ownerUserId" AND p."visibility"::text = 'PRIVATE' AND
    p."deletedAt" IS NULL AND p."createdAt" <= %(now)s
    AND p."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int)
        ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(authorPosts)s
    ) AS p
    WHERE a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(followedPosts)s
) AS p
LEFT JOIN "PostFeatures" f ON f."postId" = p."id"
LEFT JOIN "TrendingScore" t ON t."postId" = p."id" AND t."expiresAt" > %(now)s
) AS post;

-- _BLOCKED
SELECT array_agg("userId"::int8), array_agg("other"::int8) FROM (SELECT k."userId", o."other" FROM unnest(%(keys)s::bigint[]) AS k ("userId") CROSS JOIN LATERAL (
SELECT b."blockedId" AS "other" FROM "UserBlock" b WHERE b."blockerId" = k."userId" AND b."blockedId" IS NOT NULL
UNION ALL
SELECT b."blockerId" FROM "UserBlock" b WHERE b."blockedId" = k."userId" AND b."blockerId" IS NOT NULL
) AS o) AS rows;

-- _DECIDED
SELECT array_agg("userId"::int8), array_agg("other"::int8) FROM (SELECT k."userId", o."other" FROM unnest(%(keys)s::bigint[]) AS k ("userId") CROSS JOIN LATERAL (
SELECT l."toUserId" AS "other" FROM "Like" l
WHERE l."fromUserId" = k."userId" AND l."action" IS NOT NULL AND l."toUserId" IS NOT NULL AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
UNION
SELECT l."fromUserId" FROM "Like" l
WHERE l."toUserId" = k."userId" AND l."action"::text = 'DISLIKE' AND l."fromUserId" IS NOT NULL
UNION
SELECT c."userBId" FROM "Conversation" c WHERE c."userAId" = k."userId" AND c."userBId" IS NOT NULL
UNION
SELECT c."userAId" FROM "Conversation" c WHERE c."userBId" = k."userId" AND c."userAId" IS NOT NULL
) AS o) AS rows;

-- sources.NEWEST_PEOPLE
SELECT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"  ORDER BY a."id" DESC LIMIT %(suggestions)s;

-- _MATCHES
SELECT k."userId", o."other" FROM unnest(%(keys)s::bigint[]) AS k ("userId") CROSS JOIN LATERAL (
SELECT m."other", CASE WHEN m."updatedAt" >= '0001-01-01' AND m."updatedAt" < '10000-01-01' THEN m."updatedAt" END AS "updatedAt" FROM (
    SELECT m."userBId" AS "other", m."updatedAt" FROM "Match" m
    WHERE m."userAId" = k."userId" AND m."state"::text = 'ACTIVE'
    UNION ALL
    SELECT m."userAId", m."updatedAt" FROM "Match" m
    WHERE m."userBId" = k."userId" AND m."state"::text = 'ACTIVE'
) AS m WHERE m."other" IS NOT NULL
) AS o
ORDER BY k."userId", o."updatedAt" DESC NULLS LAST, o."other";

-- _ANSWERED
SELECT k."userId", o."question" FROM unnest(%(keys)s::bigint[]) AS k ("userId") CROSS JOIN LATERAL (
SELECT jsonb_object_keys(r."answers") AS "question"
FROM "QuizResult" r WHERE r."userId" = k."userId" AND r."quizId" = (SELECT "id" FROM (
SELECT q."id", CASE WHEN q."updatedAt" >= '0001-01-01' AND q."updatedAt" < '10000-01-01' THEN q."updatedAt" END AS "updatedAt" FROM "Quiz" q WHERE q."isActive"
ORDER BY CASE WHEN q."updatedAt" >= '0001-01-01' AND q."updatedAt" < '10000-01-01' THEN q."updatedAt" END DESC NULLS LAST, q."id" DESC LIMIT 1
) AS quiz)
  AND jsonb_typeof(r."answers") = 'object'
) AS o;

-- sources.QUESTIONS
SELECT q."id", q."prompt", quiz."id" AS "quiz", quiz."updatedAt", (
    SELECT COALESCE(jsonb_agg(jsonb_build_object('value', o."value", 'label', o."label")
                              ORDER BY o."order", o."id"), '[]')
    FROM "QuizOption" o
    WHERE o."questionId" = q."id" AND o."value" IS NOT NULL AND o."label" IS NOT NULL) AS "options"
FROM (
SELECT q."id", CASE WHEN q."updatedAt" >= '0001-01-01' AND q."updatedAt" < '10000-01-01' THEN q."updatedAt" END AS "updatedAt" FROM "Quiz" q WHERE q."isActive"
ORDER BY CASE WHEN q."updatedAt" >= '0001-01-01' AND q."updatedAt" < '10000-01-01' THEN q."updatedAt" END DESC NULLS LAST, q."id" DESC LIMIT 1
) AS quiz JOIN "QuizQuestion" q ON q."quizId" = quiz."id" AND q."prompt" IS NOT NULL
ORDER BY q."order", q."id";

-- _OTHER_PEOPLE
SELECT k."userId", o."other" FROM unnest(%(keys)s::bigint[]) AS k ("userId") CROSS JOIN LATERAL (
SELECT a."id" AS "other" FROM "User" a
WHERE a."deletedAt" IS NULL AND a."id" <> k."userId"
  AND EXISTS (SELECT FROM "Profile" c WHERE c."userId" = a."id" AND c."deletedAt" IS NULL)
  AND a."id" NOT IN (
SELECT b."blockedId" AS "other" FROM "UserBlock" b WHERE b."blockerId" = k."userId" AND b."blockedId" IS NOT NULL
UNION ALL
SELECT b."blockerId" FROM "UserBlock" b WHERE b."blockedId" = k."userId" AND b."blockerId" IS NOT NULL
) AND a."id" NOT IN (
SELECT l."toUserId" AS "other" FROM "Like" l
WHERE l."fromUserId" = k."userId" AND l."action" IS NOT NULL AND l."toUserId" IS NOT NULL AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
UNION
SELECT l."fromUserId" FROM "Like" l
WHERE l."toUserId" = k."userId" AND l."action"::text = 'DISLIKE' AND l."fromUserId" IS NOT NULL
UNION
SELECT c."userBId" FROM "Conversation" c WHERE c."userAId" = k."userId" AND c."userBId" IS NOT NULL
UNION
SELECT c."userAId" FROM "Conversation" c WHERE c."userBId" = k."userId" AND c."userAId" IS NOT NULL
)
ORDER BY a."id" DESC LIMIT %(suggestions)s
) AS o ORDER BY k."userId", o."other" DESC;

-- _PROFILES
SELECT "userId", "topCreators", "topCreatorShares", "topTopics", "topTopicShares", "contentTypePrefs"
FROM "UserAffinityProfile" WHERE "userId" = ANY(%(keys)s);

-- _VISIBLE
SELECT array_agg("id"::int8), array_agg("hash"::int8), array_agg("unwritten"::int4) FROM (
SELECT p."id", p."hash", (p."hash" IS DISTINCT FROM (
    SELECT f."hash" FROM "FeedCard" f WHERE f."kind" = 'suggestion' AND f."id" = p."id" ORDER BY f."madeAt" DESC LIMIT 1
))::int AS "unwritten"
FROM (SELECT person."id", hashtextextended(person::text, 2) AS "hash" FROM (
SELECT a."id", c."displayName", c."avatarUrl", c."bio" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"
 AND a."id" = ANY(%(ids)s) AND c."userId" = ANY(%(ids)s)) AS person) AS p
) AS rows;

-- _PEOPLE
SELECT a."id", c."displayName", c."avatarUrl", c."bio" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"
 AND a."id" = ANY(%(ids)s) AND c."userId" = ANY(%(ids)s);

-- sources.SCORED
SELECT m."userId", m."candidateUserId"[:%(suggestions)s::int], m."score"[:%(suggestions)s::int]::float8[]
FROM "MatchCandidates" m WHERE m."userId" = ANY(%(keys)s);
