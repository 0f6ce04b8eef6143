-- Keys.known
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "UserAffinityProfile" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s;

-- Keys.stale
WITH likes AS MATERIALIZED (
SELECT DISTINCT l."userId", l."postId" FROM "LikedPost" l
WHERE l."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int) AND l."createdAt" <= %(now)s
 AND l."userId" BETWEEN %(first)s AND %(last)s),
liked AS (
SELECT l."userId", p."id" AS "postId", p."userId" AS "creator",
(SELECT CASE WHEN bool_or(m."type"::text = 'VIDEO') THEN 'videos'
             WHEN bool_or(m."type"::text = 'IMAGE') THEN 'photos' ELSE 'text' END
 FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId" WHERE pm."postId" = p."id" AND
m."deletedAt" IS NULL AND m."status"::text IN ('UPLOADED', 'PROCESSING', 'READY')
)
 AS "type",
       COALESCE(f."topics", '{}') AS "topics"
FROM likes l
JOIN "User" u ON u."id" = l."userId" AND u."deletedAt" IS NULL
JOIN "Post" p ON p."id" = l."postId" AND p."deletedAt" IS NULL AND p."visibility"::text = 'PUBLIC'
             AND p."userId" <> l."userId"
JOIN "User" c ON c."id" = p."userId" AND c."deletedAt" IS NULL
LEFT JOIN "PostFeatures" f ON f."postId" = p."id"
),
current AS (SELECT "userId",
hashtextextended(concat_ws('|', %(rules)s::int, %(days)s::int, count(*), sum(
    hashtextextended(concat_ws('|', "postId", "creator", "type", array_to_string("topics", ' ')), 0))), 0)
 AS "fingerprint" FROM liked GROUP BY "userId"),
stored AS (SELECT "userId", "fingerprint", "topCreators" = '{}' AS "empty", EXISTS (
               SELECT FROM "User" u WHERE u."id" = "userId" AND u."deletedAt" IS NULL) AS "here"
           FROM "UserAffinityProfile" WHERE "userId" BETWEEN %(first)s AND %(last)s)
SELECT "userId" FROM current FULL JOIN stored USING ("userId")
WHERE CASE WHEN current."fingerprint" IS NULL THEN NOT (stored."empty" AND stored."here")
      ELSE stored."fingerprint" IS DISTINCT FROM current."fingerprint" END
ORDER BY "userId";

-- Keys.count
SELECT count(*) FROM "User";

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "UserAffinityProfile" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s
    ) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end";

-- Loss of UserAffinityProfile
        SELECT count(*) FILTER (WHERE u."id" IS NULL OR NOT a."empty" AND NOT EXISTS (
            SELECT FROM (
                SELECT l."postId" FROM "LikedPost" l WHERE l."userId" = a."userId"
                ORDER BY l."createdAt" DESC LIMIT 20
            ) AS liked
            JOIN "Post" p ON p."id" = liked."postId" AND p."deletedAt" IS NULL)), count(*)
        FROM (SELECT "userId", "topCreators" = '{}' AS "empty" FROM "UserAffinityProfile") AS a
        LEFT JOIN "User" u ON u."id" = a."userId" AND u."deletedAt" IS NULL;

-- REMOVE_PROFILES
DELETE FROM "UserAffinityProfile" a
WHERE a."userId" = ANY(%(keys)s)
  AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = a."userId" AND u."deletedAt" IS NULL);

-- WRITE_PROFILES
WITH likes AS MATERIALIZED (
SELECT DISTINCT l."userId", l."postId" FROM "LikedPost" l
WHERE l."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int) AND l."createdAt" <= %(now)s
 AND l."userId" = ANY(%(keys)s)),
liked AS MATERIALIZED (
SELECT l."userId", p."id" AS "postId", p."userId" AS "creator",
(SELECT CASE WHEN bool_or(m."type"::text = 'VIDEO') THEN 'videos'
             WHEN bool_or(m."type"::text = 'IMAGE') THEN 'photos' ELSE 'text' END
 FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId" WHERE pm."postId" = p."id" AND
m."deletedAt" IS NULL AND m."status"::text IN ('UPLOADED', 'PROCESSING', 'READY')
)
 AS "type",
       COALESCE(f."topics", '{}') AS "topics"
FROM likes l
JOIN "User" u ON u."id" = l."userId" AND u."deletedAt" IS NULL
JOIN "Post" p ON p."id" = l."postId" AND p."deletedAt" IS NULL AND p."visibility"::text = 'PUBLIC'
             AND p."userId" <> l."userId"
JOIN "User" c ON c."id" = p."userId" AND c."deletedAt" IS NULL
LEFT JOIN "PostFeatures" f ON f."postId" = p."id"
),
whole AS (
    SELECT "userId", count(*) AS "likes",
hashtextextended(concat_ws('|', %(rules)s::int, %(days)s::int, count(*), sum(
    hashtextextended(concat_ws('|', "postId", "creator", "type", array_to_string("topics", ' ')), 0))), 0)
 AS "fingerprint",
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
SELECT k."userId", COALESCE(creators."names", '{}'), COALESCE(creators."shares", '{}'),
       COALESCE(topics."names", '{}'), COALESCE(topics."shares", '{}'),
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
WHERE NOT (a."computedAt" > %(now)s AND a."computedAt" <= clock_timestamp())
  AND (a."topCreators", a."topCreatorShares", a."topTopics", a."topTopicShares", a."contentTypePrefs",
       a."engagementVelocity", a."explorationFactor", a."fingerprint")
      IS DISTINCT FROM (EXCLUDED."topCreators", EXCLUDED."topCreatorShares", EXCLUDED."topTopics",
       EXCLUDED."topTopicShares", EXCLUDED."contentTypePrefs", EXCLUDED."engagementVelocity",
       EXCLUDED."explorationFactor", EXCLUDED."fingerprint");

-- COUNT_SKIPPED
SELECT count(*) FILTER (WHERE u."id" IS NULL), count(*) FILTER (WHERE u."id" IS NOT NULL AND a."userId" IS NULL)
FROM unnest(%(keys)s::bigint[]) AS k ("userId")
LEFT JOIN "User" u ON u."id" = k."userId" AND u."deletedAt" IS NULL
LEFT JOIN "UserAffinityProfile" a ON a."userId" = k."userId";
