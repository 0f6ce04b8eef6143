-- READ_FINGERPRINTS
SELECT array_agg("userId"::int8), array_agg("fingerprint"::int8) FROM (
SELECT t."userId", COALESCE(sum(hashint8extended(t."otherId"::bigint, t."kind") & 1099511627775), 0)::int8
       AS "fingerprint"
FROM (
SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId",
       CASE l."action"::text WHEN 'LIKE' THEN 1 ELSE 2 END::bigint AS "kind"
FROM "Like" l WHERE l."fromUserId" = ANY(%(ids)s) AND l."action"::text IN ('LIKE', 'DISLIKE')
UNION ALL
SELECT l."toUserId", l."fromUserId", CASE l."action"::text WHEN 'LIKE' THEN 3 ELSE 4 END
FROM "Like" l WHERE l."toUserId" = ANY(%(ids)s) AND l."action"::text IN ('LIKE', 'DISLIKE')
UNION ALL
SELECT "userAId", "userBId", 5 FROM "Match" WHERE "userAId" = ANY(%(ids)s)
UNION ALL
SELECT "userBId", "userAId", 5 FROM "Match" WHERE "userBId" = ANY(%(ids)s)
UNION ALL
SELECT a."userId", b."userId",
    hashtextextended(concat_ws(' ', r."attractive", r."smart", r."funny", r."interesting"), 6) AS "kind"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
 AND a."userId" = ANY(%(ids)s)
UNION ALL
SELECT b."userId", a."userId",
    hashtextextended(concat_ws(' ', r."attractive", r."smart", r."funny", r."interesting"), 7) AS "kind"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
 AND b."userId" = ANY(%(ids)s)
) AS t GROUP BY t."userId"
) AS rows;
