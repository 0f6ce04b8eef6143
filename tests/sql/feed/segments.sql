-- _WRITE_USERS
WITH shared AS MATERIALIZED (
SELECT hashtextextended(concat(%(settings)s::text, '|',
    (SELECT string_agg(question::text, '|') FROM (
SELECT q."id", q."prompt", quiz."id" AS "quiz", quiz."updatedAt", (
    SELECT COALESCE(jsonb_agg(jsonb_build_object('value', o."value", 'label', o."label")
                              ORDER BY o."order", o."id"), '[]')
    FROM "QuizOption" o
    WHERE o."questionId" = q."id" AND o."value" IS NOT NULL AND o."label" IS NOT NULL) AS "options"
FROM (
SELECT q."id", CASE WHEN q."updatedAt" >= '0001-01-01' AND q."updatedAt" < '10000-01-01' THEN q."updatedAt" END AS "updatedAt" FROM "Quiz" q WHERE q."isActive"
ORDER BY CASE WHEN q."updatedAt" >= '0001-01-01' AND q."updatedAt" < '10000-01-01' THEN q."updatedAt" END DESC NULLS LAST, q."id" DESC LIMIT 1
) AS quiz JOIN "QuizQuestion" q ON q."quizId" = quiz."id" AND q."prompt" IS NOT NULL
ORDER BY q."order", q."id"
) AS question)), 0) AS "hash"
),
newest AS MATERIALIZED (
SELECT COALESCE(sum(hashtextextended(newest."id"::text, 0)), 0) AS "hash" FROM (
SELECT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"  ORDER BY a."id" DESC LIMIT %(suggestions)s
) AS newest
),
new AS (
    SELECT "userId", "segments", "people"::bigint[] AS "people", "peopleSum", "posts"::bigint[] AS "posts", "last",
           "scored"
    FROM unnest(%(users)s::bigint[], %(segments)s::smallint[], %(people)s::text[], %(peopleSums)s::text[],
                %(posts)s::text[], %(lasts)s::integer[], %(scored)s::boolean[])
        AS new ("userId", "segments", "people", "peopleSum", "posts", "last", "scored")
)
INSERT INTO "FeedPresortedUser" AS stored
    ("userId", "algorithmVersion", "computedAt", "expiresAt", "segments", "skipped", "shared", "fingerprint", "people",
     "publicPosts", "posts", "scored", "lastScore")
SELECT k."userId", %(version)s, %(now)s, %(now)s::timestamptz + make_interval(mins => %(ttlMinutes)s::int),
       k."segments", CASE WHEN k."segments" = 0 THEN %(nothing)s END, (SELECT "hash" FROM shared),
hashtextextended(concat(
    (SELECT sum(hashtextextended(o."other"::text, 0)) FROM (
SELECT b."blockedId" AS "other" FROM "UserBlock" b WHERE b."blockerId" = k."userId" AND b."blockedId" IS NOT NULL
UNION ALL
SELECT b."blockerId" FROM "UserBlock" b WHERE b."blockedId" = k."userId" AND b."blockerId" IS NOT NULL
) AS o), '|',
    (SELECT sum(hashtextextended(o."other"::text, 0)) FROM (
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
) AS o), '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM (
SELECT m."other", CASE WHEN m."updatedAt" >= '0001-01-01' AND m."updatedAt" < '10000-01-01' THEN m."updatedAt" END AS "updatedAt" FROM (
    SELECT m."userBId" AS "other", m."updatedAt" FROM "Match" m
    WHERE m."userAId" = k."userId" AND m."state"::text = 'ACTIVE'
    UNION ALL
    SELECT m."userAId", m."updatedAt" FROM "Match" m
    WHERE m."userBId" = k."userId" AND m."state"::text = 'ACTIVE'
) AS m WHERE m."other" IS NOT NULL
) AS o), '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM (
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
) AS o), '|',
    (SELECT sum(hashtextextended(o."question", 0)) FROM (
SELECT jsonb_object_keys(r."answers") AS "question"
FROM "QuizResult" r WHERE r."userId" = k."userId" AND r."quizId" = (SELECT "id" FROM (
SELECT q."id", CASE WHEN q."updatedAt" >= '0001-01-01' AND q."updatedAt" < '10000-01-01' THEN q."updatedAt" END AS "updatedAt" FROM "Quiz" q WHERE q."isActive"
ORDER BY CASE WHEN q."updatedAt" >= '0001-01-01' AND q."updatedAt" < '10000-01-01' THEN q."updatedAt" END DESC NULLS LAST, q."id" DESC LIMIT 1
) AS quiz)
  AND jsonb_typeof(r."answers") = 'object'
) AS o), '|',
    (SELECT o::text FROM "UserAffinityProfile" o WHERE o."userId" = k."userId"), '|',
    (SELECT o."scoredAt" FROM "MatchCandidates" o WHERE o."userId" = k."userId"), '|',
    CASE WHEN NOT k."scored" THEN (SELECT "hash" FROM newest) END, '|',
    k."peopleSum"), 0)
,
       k."people", %(set)s, k."posts", k."scored", k."last"
FROM new k ORDER BY k."userId"
ON CONFLICT ("userId") DO UPDATE
SET "algorithmVersion" = EXCLUDED."algorithmVersion", "computedAt" = EXCLUDED."computedAt",
    "expiresAt" = EXCLUDED."expiresAt", "segments" = EXCLUDED."segments", "skipped" = EXCLUDED."skipped",
    "shared" = EXCLUDED."shared", "fingerprint" = EXCLUDED."fingerprint", "people" = EXCLUDED."people",
    "publicPosts" = EXCLUDED."publicPosts", "posts" = EXCLUDED."posts", "scored" = EXCLUDED."scored",
    "lastScore" = EXCLUDED."lastScore";

-- _COPY_SEGMENTS
COPY "FeedSegment" ("userId", "segmentIndex", "algorithmVersion", "computedAt", "expiresAt", "phase1Json",
                    "presentation", "id", "score", "match", "affinity", "recency", "quality", "trending")
FROM STDIN (FORMAT BINARY);

-- _REMOVE_SEGMENTS
DELETE FROM "FeedSegment" WHERE "userId" = ANY(%(users)s);

-- _REMOVE_ROWS
DELETE FROM "FeedPresortedRow" WHERE "userId" = ANY(%(users)s);
