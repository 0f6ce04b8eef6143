-- Keys.known
SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s;

-- Keys.stale
SELECT u."id" FROM "User" u
LEFT JOIN (
SELECT t."userId", COALESCE(sum(hashint8extended(t."otherId"::bigint, t."kind") & 1099511627775), 0)::int8
       AS "fingerprint"
FROM (
SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId",
       CASE l."action"::text WHEN 'LIKE' THEN 1 ELSE 2 END::bigint AS "kind"
FROM "Like" l WHERE l."fromUserId" BETWEEN %(first)s AND %(last)s AND l."action"::text IN ('LIKE', 'DISLIKE')
UNION ALL
SELECT l."toUserId", l."fromUserId", CASE l."action"::text WHEN 'LIKE' THEN 3 ELSE 4 END
FROM "Like" l WHERE l."toUserId" BETWEEN %(first)s AND %(last)s AND l."action"::text IN ('LIKE', 'DISLIKE')
UNION ALL
SELECT "userAId", "userBId", 5 FROM "Match" WHERE "userAId" BETWEEN %(first)s AND %(last)s
UNION ALL
SELECT "userBId", "userAId", 5 FROM "Match" WHERE "userBId" BETWEEN %(first)s AND %(last)s
UNION ALL
SELECT a."userId", b."userId",
    hashtextextended(concat_ws(' ', r."attractive", r."smart", r."funny", r."interesting"), 6) AS "kind"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
 AND a."userId" BETWEEN %(first)s AND %(last)s
UNION ALL
SELECT b."userId", a."userId",
    hashtextextended(concat_ws(' ', r."attractive", r."smart", r."funny", r."interesting"), 7) AS "kind"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
 AND b."userId" BETWEEN %(first)s AND %(last)s
) AS t GROUP BY t."userId"
) AS t ON t."userId" = u."id"
LEFT JOIN "UserMatchEffect" e ON e."modelId" = %(model)s AND e."userId" = u."id"
WHERE u."id" BETWEEN %(first)s AND %(last)s AND u."deletedAt" IS NULL
  AND COALESCE(t."fingerprint", 0) <> COALESCE(e."fingerprint", 0)
  AND EXISTS (SELECT FROM "Profile" p WHERE p."userId" = u."id" AND p."deletedAt" IS NULL)
ORDER BY u."id" LIMIT %(limit)s;

-- Keys.count
SELECT count(*) FROM "User";

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s
) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end";

-- _IS_OLD
SELECT EXISTS (SELECT FROM "UserMatchEffect" WHERE "modelId" = %(model)s AND "fingerprint" IS NULL);
