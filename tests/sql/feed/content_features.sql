-- Keys.known
WITH live AS MATERIALIZED (
    (SELECT "id" FROM "Post"
     WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL AND %(days)s::int = 0
     ORDER BY "id" LIMIT %(limit)s)
    UNION ALL
    (SELECT "id" FROM "Post"
     WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL AND %(days)s::int > 0
       AND
"createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int) AND "createdAt" < '10000-01-01'
     ORDER BY "id" + 0 LIMIT %(limit)s)
)
SELECT "id" FROM (
    SELECT "id" FROM live
    UNION ALL
    (
SELECT f."postId" AS "id" FROM "PostFeatures" f
WHERE f."postId" BETWEEN %(first)s AND %(last)s
  AND NOT EXISTS (
      SELECT FROM "Post" p
      WHERE p."id" = f."postId" AND p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL)
     AND f."postId" <= (SELECT CASE WHEN count(*) = %(limit)s::bigint THEN max("id") ELSE %(last)s END FROM live))
) AS known ORDER BY "id" LIMIT %(limit)s;

-- Keys.stale
SELECT p."id" FROM (
SELECT p."id", p."text" FROM "Post" p
WHERE p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL AND %(days)s::int = 0
UNION ALL
SELECT p."id", p."text" FROM "Post" p
WHERE p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL
  AND
"createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int) AND "createdAt" < '10000-01-01'
 AND %(days)s::int > 0
) AS p
LEFT JOIN "PostFeatures" f ON f."postId" = p."id" AND f."postId" BETWEEN %(first)s AND %(last)s
WHERE f."fingerprint" IS DISTINCT FROM
hashtextextended(concat_ws('|', %(rules)s::int, %(maxTopics)s::int, least(
(SELECT count(DISTINCT m."id") FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId"
 WHERE pm."postId" = p."id" AND
m."deletedAt" IS NULL AND m."status"::text IN ('UPLOADED', 'PROCESSING', 'READY')
)
, 4), p."text"), 0)
UNION ALL
(
SELECT f."postId" AS "id" FROM "PostFeatures" f
WHERE f."postId" BETWEEN %(first)s AND %(last)s
  AND NOT EXISTS (
      SELECT FROM "Post" p
      WHERE p."id" = f."postId" AND p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL)
)
ORDER BY 1;

-- Keys.count
SELECT CASE WHEN %(days)s::int = 0 THEN (SELECT count(*) FROM "Post" WHERE "deletedAt" IS NULL) ELSE
    (SELECT count(*) FROM "Post" WHERE "deletedAt" IS NULL AND
"createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int) AND "createdAt" < '10000-01-01'
) END;

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
WITH live AS MATERIALIZED (
    (SELECT "id" FROM "Post"
     WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL AND %(days)s::int = 0
     ORDER BY "id" LIMIT %(limit)s)
    UNION ALL
    (SELECT "id" FROM "Post"
     WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL AND %(days)s::int > 0
       AND
"createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int) AND "createdAt" < '10000-01-01'
     ORDER BY "id" + 0 LIMIT %(limit)s)
)
SELECT "id" FROM (
    SELECT "id" FROM live
    UNION ALL
    (
SELECT f."postId" AS "id" FROM "PostFeatures" f
WHERE f."postId" BETWEEN %(first)s AND %(last)s
  AND NOT EXISTS (
      SELECT FROM "Post" p
      WHERE p."id" = f."postId" AND p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL)
     AND f."postId" <= (SELECT CASE WHEN count(*) = %(limit)s::bigint THEN max("id") ELSE %(last)s END FROM live))
) AS known ORDER BY "id" LIMIT %(limit)s
) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end";

-- Loss of PostFeatures
        SELECT (SELECT count(*) FROM "PostFeatures" s WHERE true AND NOT EXISTS (SELECT FROM "Post" p WHERE p."id" = s."postId" AND p."deletedAt" IS NULL)),
               (SELECT count(*) FROM "PostFeatures" s WHERE true);

-- WRITE_FEATURES
INSERT INTO "PostFeatures" AS f ("postId", "topics", "quality", "computedAt", "fingerprint")
SELECT "postId", string_to_array("topics", ' '), "quality", %(now)s, "fingerprint"
FROM unnest(%(posts)s::bigint[], %(topics)s::text[], %(qualities)s::float8[], %(fingerprints)s::bigint[])
    AS new ("postId", "topics", "quality", "fingerprint")
ORDER BY "postId"
ON CONFLICT ("postId") DO UPDATE
SET "topics" = EXCLUDED."topics", "quality" = EXCLUDED."quality", "computedAt" = EXCLUDED."computedAt",
    "fingerprint" = EXCLUDED."fingerprint"
WHERE (f."topics", f."quality", f."fingerprint")
    IS DISTINCT FROM (EXCLUDED."topics", EXCLUDED."quality", EXCLUDED."fingerprint");

-- REMOVE_FEATURES
DELETE FROM "PostFeatures" WHERE "postId" = ANY(%(gone)s);

-- READ_POSTS
SELECT p."id", COALESCE(p."text", ''),
(SELECT count(DISTINCT m."id") FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId"
 WHERE pm."postId" = p."id" AND
m."deletedAt" IS NULL AND m."status"::text IN ('UPLOADED', 'PROCESSING', 'READY')
)
 AS "media",
hashtextextended(concat_ws('|', %(rules)s::int, %(maxTopics)s::int, least(
(SELECT count(DISTINCT m."id") FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId"
 WHERE pm."postId" = p."id" AND
m."deletedAt" IS NULL AND m."status"::text IN ('UPLOADED', 'PROCESSING', 'READY')
)
, 4), p."text"), 0)
 AS "fingerprint"
FROM "Post" p WHERE p."id" = ANY(%(keys)s) AND p."deletedAt" IS NULL
ORDER BY p."id";
