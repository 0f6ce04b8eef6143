-- Keys.known
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "FeedPresortedUser" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s;

-- Keys.stale
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
here AS (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL),
stored AS MATERIALIZED (
    SELECT s.*, reached."userId" IS NOT NULL AS "reached"
    FROM "FeedPresortedUser" s LEFT JOIN unnest(%(reached)s::bigint[]) AS reached ("userId") USING ("userId")
    WHERE s."userId" BETWEEN %(first)s AND %(last)s
),
-- Of those alone whose own inputs will be looked at. Many users depend on the same people: each is looked up once.
depending AS MATERIALIZED (
    SELECT s."userId", p."id" FROM stored s CROSS JOIN LATERAL unnest(s."people") AS p ("id")
    WHERE s."shared" = (SELECT "hash" FROM shared) AND NOT s."reached"
),
people AS MATERIALIZED (
    SELECT person."id", hashtextextended(person::text, 2) AS "hash"
    FROM (
SELECT a."id", c."displayName", c."avatarUrl", c."bio" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"
 AND a."id" IN (SELECT "id" FROM depending)) AS person
),
sums AS MATERIALIZED (
    SELECT d."userId", sum(p."hash") AS "peopleSum" FROM depending d JOIN people p USING ("id") GROUP BY d."userId"
)
SELECT COALESCE(here."id", k."userId") AS "id"
FROM here FULL JOIN (SELECT * FROM stored LEFT JOIN sums USING ("userId")) AS k ON k."userId" = here."id"
WHERE CASE
    WHEN here."id" IS NULL OR k."userId" IS NULL THEN true
    WHEN (k."computedAt" > %(now)s AND k."computedAt" <= clock_timestamp()) THEN false
    WHEN k."computedAt" > %(now)s THEN true
    WHEN k."shared" <> (SELECT "hash" FROM shared) OR k."fingerprint" IS NULL OR k."reached" THEN true
    WHEN k."computedAt" <= %(now)s::timestamptz - make_interval(secs => %(ttlMinutes)s::int * 30) THEN true
    ELSE k."fingerprint" <>
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
 END
ORDER BY 1;

-- Keys.count
SELECT count(*) FROM "User";

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "FeedPresortedUser" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s
    ) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end";

-- Loss of FeedSegment
        WITH held AS (
            SELECT COALESCE(sum(f."segments"), 0) AS "all",
                   COALESCE(sum(f."segments") FILTER (WHERE u."id" IS NULL), 0) AS "left"
            FROM "FeedPresortedUser" f LEFT JOIN "User" u ON u."id" = f."userId" AND u."deletedAt" IS NULL
        ), shown AS (
    SELECT s."userId", s."segmentIndex",
'{"highlight": "post", "post": "post", "suggestion": "suggestion", "grid": "suggestion", "question": "question"}'::jsonb
    ->> i."presentation"
 AS "kind", i."id",
           CASE WHEN i."presentation" IN ('suggestion', 'grid') THEN i."id" END AS "author"
    FROM
(SELECT s.* FROM (
SELECT "userId", "segmentIndex", "algorithmVersion", "expiresAt", NULL::jsonb AS "items", "presentation", "id"
FROM "FeedSegment"
UNION ALL
SELECT "userId", "segmentIndex", "algorithmVersion", "expiresAt", "items", NULL, NULL FROM "FeedPresortedRow"
) AS s WHERE s."userId" = ANY(ARRAY(
SELECT "userId" FROM "FeedPresortedUser" ORDER BY hashint8("userId") LIMIT 1000
)) AND s."expiresAt" > %(now)s)
 s CROSS JOIN LATERAL unnest(s."presentation", s."id") AS i ("presentation", "id")
    WHERE s."items" IS NULL
    UNION ALL
    SELECT s."userId", s."segmentIndex", item->>'kind',
    CASE WHEN item->>'id' ~ '^-?[0-9]{1,18}$' THEN (item->>'id')::bigint
         WHEN item->>'id' ~ '^-?[0-9]{19}$' THEN CASE
             WHEN (item->>'id')::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN (item->>'id')::bigint END
         END,
    CASE WHEN item->'author'->>'id' ~ '^-?[0-9]{1,18}$' THEN (item->'author'->>'id')::bigint
         WHEN item->'author'->>'id' ~ '^-?[0-9]{19}$' THEN CASE
             WHEN (item->'author'->>'id')::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN (item->'author'->>'id')::bigint END
         END
    FROM
(SELECT s.* FROM (
SELECT "userId", "segmentIndex", "algorithmVersion", "expiresAt", NULL::jsonb AS "items", "presentation", "id"
FROM "FeedSegment"
UNION ALL
SELECT "userId", "segmentIndex", "algorithmVersion", "expiresAt", "items", NULL, NULL FROM "FeedPresortedRow"
) AS s WHERE s."userId" = ANY(ARRAY(
SELECT "userId" FROM "FeedPresortedUser" ORDER BY hashint8("userId") LIMIT 1000
)) AND s."expiresAt" > %(now)s)
 s CROSS JOIN LATERAL jsonb_array_elements(
        CASE jsonb_typeof(s."items") WHEN 'array' THEN s."items" ELSE '[]' END) AS item
        ), cards AS (
            SELECT avg(CASE WHEN a."id" IS NULL OR s."kind" = 'post' AND p."id" IS NULL THEN 1 ELSE 0 END) AS "gone"
            FROM shown s
            LEFT JOIN "Post" p ON s."kind" = 'post' AND p."id" = s."id" AND p."deletedAt" IS NULL
            LEFT JOIN (
                SELECT DISTINCT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id" WHERE a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"
            ) AS a ON a."id" = COALESCE(p."userId", s."author")
            WHERE s."kind" <> 'question' AND COALESCE(p."userId", s."author") IS DISTINCT FROM s."userId"
        )
        SELECT GREATEST(held."left", round(held."all" * COALESCE(cards."gone", 0)))::bigint, held."all"::bigint
        FROM held, cards;

-- READ_ONLY
SET TRANSACTION READ ONLY;

-- _READ_STORED
SELECT k."userId", u."id" IS NOT NULL, (s."computedAt" > %(now)s AND s."computedAt" <= clock_timestamp()), s."computedAt" = %(now)s
FROM unnest(%(keys)s::bigint[]) AS k ("userId")
LEFT JOIN "User" u ON u."id" = k."userId" AND u."deletedAt" IS NULL
LEFT JOIN "FeedPresortedUser" s ON s."userId" = k."userId"
ORDER BY k."userId";

-- _REMOVE_USERS
DELETE FROM "FeedPresortedUser" WHERE "userId" = ANY(%(gone)s);

-- STALE
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
here AS (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL),
stored AS MATERIALIZED (
    SELECT s.*, reached."userId" IS NOT NULL AS "reached"
    FROM "FeedPresortedUser" s LEFT JOIN unnest(%(reached)s::bigint[]) AS reached ("userId") USING ("userId")
    WHERE s."userId" BETWEEN %(first)s AND %(last)s
),
-- Of those alone whose own inputs will be looked at. Many users depend on the same people: each is looked up once.
depending AS MATERIALIZED (
    SELECT s."userId", p."id" FROM stored s CROSS JOIN LATERAL unnest(s."people") AS p ("id")
    WHERE s."shared" = (SELECT "hash" FROM shared) AND NOT s."reached"
),
people AS MATERIALIZED (
    SELECT person."id", hashtextextended(person::text, 2) AS "hash"
    FROM (
SELECT a."id", c."displayName", c."avatarUrl", c."bio" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"
 AND a."id" IN (SELECT "id" FROM depending)) AS person
),
sums AS MATERIALIZED (
    SELECT d."userId", sum(p."hash") AS "peopleSum" FROM depending d JOIN people p USING ("id") GROUP BY d."userId"
)
SELECT COALESCE(here."id", k."userId") AS "id"
FROM here FULL JOIN (SELECT * FROM stored LEFT JOIN sums USING ("userId")) AS k ON k."userId" = here."id"
WHERE CASE
    WHEN here."id" IS NULL OR k."userId" IS NULL THEN true
    WHEN (k."computedAt" > %(now)s AND k."computedAt" <= clock_timestamp()) THEN false
    WHEN k."computedAt" > %(now)s THEN true
    WHEN k."shared" <> (SELECT "hash" FROM shared) OR k."fingerprint" IS NULL OR k."reached" THEN true
    WHEN k."computedAt" <= %(now)s::timestamptz - make_interval(secs => %(ttlMinutes)s::int * 30) THEN true
    ELSE k."fingerprint" <>
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
 END
ORDER BY 1;
