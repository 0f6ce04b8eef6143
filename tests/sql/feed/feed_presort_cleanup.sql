-- Keys.known
SELECT "userId" FROM (
    (SELECT "userId" FROM "FeedPresortedUser" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT "userId" FROM "FeedSegment" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT "userId" FROM "FeedPresortedRow" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
) AS known ORDER BY "userId" LIMIT %(limit)s;

-- Keys.stale
SELECT "userId" FROM (
    (SELECT "userId" FROM "FeedPresortedUser" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT "userId" FROM "FeedSegment" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT "userId" FROM "FeedPresortedRow" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
) AS known ORDER BY "userId" LIMIT %(limit)s;

-- Keys.count
SELECT count(*) FROM "FeedPresortedUser";

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
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

-- MARK_STALE
UPDATE "FeedPresortedUser" SET "fingerprint" = NULL WHERE "userId" = ANY(%(users)s);

-- REMOVE_USERS
DELETE FROM "FeedPresortedUser" WHERE "userId" = ANY(%(users)s);

-- FIND
WITH segments AS (
    SELECT s."userId", s."segmentIndex", CASE
        WHEN viewer."id" IS NULL THEN 'user-deleted'
        WHEN s."algorithmVersion" <> %(version)s THEN 'other-version'
        WHEN s."segmentIndex" >= %(maxSegments)s THEN 'beyond-max-segments'
        WHEN s."expiresAt" <= %(now)s THEN 'expired'
        WHEN jsonb_typeof(s."items") <> 'array' THEN 'unreadable'
        WHEN cardinality(s."presentation") <> cardinality(s."id") THEN 'unreadable'
        END AS "reason", s."items", s."presentation", s."id"
    FROM (
SELECT "userId", "segmentIndex", "algorithmVersion", "expiresAt", NULL::jsonb AS "items", "presentation", "id"
FROM "FeedSegment"
UNION ALL
SELECT "userId", "segmentIndex", "algorithmVersion", "expiresAt", "items", NULL, NULL FROM "FeedPresortedRow"
) AS s
    LEFT JOIN "User" viewer ON viewer."id" = s."userId" AND viewer."deletedAt" IS NULL
    WHERE s."userId" = ANY(%(keys)s)
),
shown AS MATERIALIZED (
    SELECT s."userId", s."segmentIndex",
'{"highlight": "post", "post": "post", "suggestion": "suggestion", "grid": "suggestion", "question": "question"}'::jsonb
    ->> i."presentation"
 AS "kind", i."id",
           CASE WHEN i."presentation" IN ('suggestion', 'grid') THEN i."id" END AS "author"
    FROM (SELECT * FROM segments WHERE "reason" IS NULL) s CROSS JOIN LATERAL unnest(s."presentation", s."id") AS i ("presentation", "id")
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
    FROM (SELECT * FROM segments WHERE "reason" IS NULL) s CROSS JOIN LATERAL jsonb_array_elements(
        CASE jsonb_typeof(s."items") WHEN 'array' THEN s."items" ELSE '[]' END) AS item
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
    WHERE a."id" IN (SELECT "author" FROM shown UNION SELECT "author" FROM posts) AND a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"
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
ORDER BY s."userId", s."segmentIndex";

-- FIND_GONE
SELECT k."userId", s."userId" IS NOT NULL
FROM unnest(%(keys)s::bigint[]) AS k ("userId")
LEFT JOIN "FeedPresortedUser" s ON s."userId" = k."userId"
LEFT JOIN "User" u ON u."id" = k."userId" AND u."deletedAt" IS NULL
WHERE u."id" IS NULL OR s."userId" IS NULL;

-- LOCK_USERS
SELECT "userId" FROM "FeedPresortedUser" WHERE "userId" = ANY(%(users)s) ORDER BY "userId" FOR UPDATE SKIP LOCKED;

-- REMOVE_SEGMENTS
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
SELECT (SELECT count(*) FROM removed) + (SELECT count(*) FROM removed_rows);

-- REMOVE_CARDS
DELETE FROM "FeedCard" c
WHERE EXISTS (SELECT FROM "FeedCard" n WHERE n."kind" = c."kind" AND n."id" = c."id" AND n."madeAt" > c."madeAt")
   OR c."kind" = 'post' AND NOT EXISTS (SELECT FROM "Post" p WHERE p."id" = c."id" AND p."deletedAt" IS NULL)
   OR c."kind" = 'suggestion' AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = c."id" AND u."deletedAt" IS NULL)
   OR c."kind" = 'question' AND NOT EXISTS (SELECT FROM "QuizQuestion" q WHERE q."id" = c."id");

-- REMOVE_SETS
DELETE FROM "FeedPublicPosts" p
WHERE NOT EXISTS (SELECT FROM "FeedPresortedUser" s WHERE s."publicPosts" = p."hash")
   OR EXISTS (SELECT FROM "FeedPublicPosts" n WHERE n."hash" = p."hash" AND n."madeAt" > p."madeAt");
