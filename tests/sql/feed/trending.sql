-- Keys.known
SELECT "id" FROM (
    (SELECT "id" FROM "Post" WHERE "id" BETWEEN %(first)s AND %(last)s AND "createdAt"
BETWEEN %(now)s::timestamptz - make_interval(hours => %(windowHours)s::int) AND %(now)s::timestamptz
     ORDER BY "id" + 0 LIMIT %(limit)s)
    UNION
    (SELECT "postId" FROM "TrendingScore" WHERE "postId" BETWEEN %(first)s AND %(last)s
     ORDER BY "postId" LIMIT %(limit)s)
) AS known ORDER BY "id" LIMIT %(limit)s;

-- Keys.stale
SELECT "id" FROM (
    (SELECT "id" FROM "Post" WHERE "id" BETWEEN %(first)s AND %(last)s AND "createdAt"
BETWEEN %(now)s::timestamptz - make_interval(hours => %(windowHours)s::int) AND %(now)s::timestamptz
     ORDER BY "id" + 0 LIMIT %(limit)s)
    UNION
    (SELECT "postId" FROM "TrendingScore" WHERE "postId" BETWEEN %(first)s AND %(last)s
     ORDER BY "postId" LIMIT %(limit)s)
) AS known ORDER BY "id" LIMIT %(limit)s;

-- Keys.count
SELECT count(*) FROM "Post" WHERE "createdAt"
BETWEEN %(now)s::timestamptz - make_interval(hours => %(windowHours)s::int) AND %(now)s::timestamptz;

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
SELECT "id" FROM (
    (SELECT "id" FROM "Post" WHERE "id" BETWEEN %(first)s AND %(last)s AND "createdAt"
BETWEEN %(now)s::timestamptz - make_interval(hours => %(windowHours)s::int) AND %(now)s::timestamptz
     ORDER BY "id" + 0 LIMIT %(limit)s)
    UNION
    (SELECT "postId" FROM "TrendingScore" WHERE "postId" BETWEEN %(first)s AND %(last)s
     ORDER BY "postId" LIMIT %(limit)s)
) AS known ORDER BY "id" LIMIT %(limit)s
) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end";

-- Loss of TrendingScore
        SELECT (SELECT count(*) FROM "TrendingScore" s WHERE s."expiresAt" > %(now)s AND NOT EXISTS (
        SELECT FROM "Post" p JOIN "User" a ON a."id" = p."userId" JOIN "Profile" c ON c."userId" = a."id"
        WHERE p."id" = s."postId" AND p."deletedAt" IS NULL AND p."visibility"::text = 'PUBLIC' AND a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"
          AND EXISTS (SELECT FROM "LikedPost" l WHERE l."postId" = p."id")
        )),
               (SELECT count(*) FROM "TrendingScore" s WHERE s."expiresAt" > %(now)s);

-- REMOVE_SCORES
DELETE FROM "TrendingScore"
WHERE "postId" = ANY(%(keys)s) AND NOT ("computedAt" > %(now)s AND "computedAt" <= clock_timestamp())
  AND ("expiresAt" <= %(now)s OR NOT "postId" = ANY(%(posts)s));

-- WRITE_SCORES
INSERT INTO "TrendingScore" AS t
    ("postId", "popularity", "velocity", "peakVelocity", "peakTime", "computedAt", "expiresAt")
SELECT "postId", "popularity", "velocity", "velocity", %(now)s, %(now)s,
       %(now)s::timestamptz + make_interval(hours => %(expiryHours)s::int)
FROM unnest(%(posts)s::bigint[], %(popularities)s::float8[], %(velocities)s::float8[])
    AS new ("postId", "popularity", "velocity")
ORDER BY "postId"
ON CONFLICT ("postId") DO UPDATE
SET "popularity" = EXCLUDED."popularity", "velocity" = EXCLUDED."velocity",
    "peakVelocity" = CASE WHEN t."peakTime" > clock_timestamp() THEN EXCLUDED."velocity"
        ELSE greatest(t."peakVelocity", EXCLUDED."velocity") END,
    "peakTime" = CASE WHEN EXCLUDED."velocity" > t."peakVelocity" OR t."peakTime" > clock_timestamp()
        THEN EXCLUDED."peakTime" ELSE t."peakTime" END,
    "computedAt" = EXCLUDED."computedAt", "expiresAt" = EXCLUDED."expiresAt"
WHERE NOT (t."computedAt" > %(now)s AND t."computedAt" <= clock_timestamp())
  AND (t."popularity", t."velocity", t."expiresAt")
      IS DISTINCT FROM (EXCLUDED."popularity", EXCLUDED."velocity", EXCLUDED."expiresAt");

-- READ_POSTS
SELECT k."id", CASE
    WHEN p."id" IS NULL OR author."id" IS NULL THEN 'deleted'
    WHEN p."visibility"::text IS DISTINCT FROM 'PUBLIC' THEN 'private'
    WHEN NOT author."visible" THEN 'author-hidden'
    WHEN (p."createdAt"
BETWEEN %(now)s::timestamptz - make_interval(hours => %(windowHours)s::int) AND %(now)s::timestamptz
) IS NOT TRUE THEN 'out-of-window'
    WHEN likes."count" < %(minEngagements)s THEN 'few-likes'
    END AS "reason",
    likes."count",
    CASE WHEN p."createdAt"
BETWEEN %(now)s::timestamptz - make_interval(hours => %(windowHours)s::int) AND %(now)s::timestamptz
         THEN extract(epoch FROM %(now)s::timestamptz - p."createdAt")::float8 / 3600 END AS "age"
FROM unnest(%(keys)s::bigint[]) AS k ("id")
LEFT JOIN "Post" p ON p."id" = k."id" AND p."deletedAt" IS NULL
LEFT JOIN LATERAL (
    SELECT a."id", EXISTS (SELECT FROM "Profile" c WHERE c."userId" = a."id" AND a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible" ) AS "visible"
    FROM "User" a WHERE a."id" = p."userId" AND a."deletedAt" IS NULL
) AS author ON true
LEFT JOIN LATERAL (
    SELECT count(DISTINCT l."userId") FROM "LikedPost" l
    JOIN "User" liker ON liker."id" = l."userId" AND liker."deletedAt" IS NULL
    WHERE l."postId" = p."id" AND l."userId" <> p."userId" AND l."createdAt"
BETWEEN %(now)s::timestamptz - make_interval(hours => %(windowHours)s::int) AND %(now)s::timestamptz
) AS likes ON true
ORDER BY k."id";
