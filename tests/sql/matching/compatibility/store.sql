-- _READ_STORED_ROWS
SELECT array_agg("viewerUserId"::int8), array_agg("targetUserId"::int8), array_agg("score"::float4), array_agg("scoreQuiz"::float4), array_agg("scoreInterests"::float4), array_agg("scoreRatingsQuality"::float4), array_agg("scoreRatingsFit"::float4), array_agg("avgAttractive"::float4), array_agg("avgSmart"::float4), array_agg("avgFunny"::float4), array_agg("avgInteresting"::float4), array_agg("chance"::float4), array_agg("ratingCount"::int4), array_agg("sharedInterestCount"::int2), array_agg("otherVersion"::int4), array_agg("shared0"::int8), array_agg("shared1"::int8), array_agg("shared2"::int8), array_agg("shared3"::int8), array_agg("shared4"::int8) FROM (
SELECT "viewerUserId", "targetUserId", COALESCE("score", 'NaN') AS "score",
       "scoreQuiz", "scoreInterests", "scoreRatingsQuality", "scoreRatingsFit",
       COALESCE("avgAttractive", 'NaN') AS "avgAttractive", COALESCE("avgSmart", 'NaN') AS "avgSmart",
       COALESCE("avgFunny", 'NaN') AS "avgFunny", COALESCE("avgInteresting", 'NaN') AS "avgInteresting",
       "ratingCount", "sharedInterestCount", COALESCE("chance", 'NaN') AS "chance",
       ("algorithmVersion" <> %(version)s)::int AS "otherVersion",
       COALESCE("sharedInterestIds"[1], %(missing)s) AS "shared0",
       COALESCE("sharedInterestIds"[2], %(missing)s) AS "shared1",
       COALESCE("sharedInterestIds"[3], %(missing)s) AS "shared2",
       COALESCE("sharedInterestIds"[4], %(missing)s) AS "shared3",
       COALESCE("sharedInterestIds"[5], %(missing)s) AS "shared4"
FROM "UserCompatibility" WHERE "viewerUserId" = ANY(%(ids)s)
) AS rows;

-- _DELETE_VIEWERS
DELETE FROM "UserCompatibilityViewer" WHERE "userId" = ANY(%(ids)s);

-- _DELETE_PAIRS
DELETE FROM "UserCompatibility" c USING unnest(%(viewers)s::bigint[], %(targets)s::bigint[]) AS old ("viewer", "target")
WHERE c."viewerUserId" = old."viewer" AND c."targetUserId" = old."target";

-- _COPY_ROWS
COPY "UserCompatibility" ("viewerUserId", "targetUserId", "score", "scoreQuiz", "scoreInterests", "scoreRatingsQuality", "scoreRatingsFit", "avgAttractive", "avgSmart", "avgFunny", "avgInteresting", "ratingCount", "sharedInterestCount", "chance", "computedAt", "algorithmVersion", "sharedInterestIds") FROM STDIN (FORMAT BINARY);

-- _WRITE_VIEWERS
INSERT INTO "UserCompatibilityViewer" AS stored
    ("userId", "fingerprint", "rows", "skipped", "algorithmVersion", "computedAt")
SELECT given."id", hashtextextended(
        concat_ws('/', %(version)s::text, given."hash"::text, given."rows"::text, given."total"::text, given."chances"::text), 0), given."rows",
       CASE WHEN given."rows" = 0 THEN %(no_targets)s::text END, %(version)s, %(computed_at)s
FROM (
    SELECT g.*, c."chances"
    FROM unnest(%(ids)s::bigint[], %(hashes)s::bigint[], %(rows)s::int[], %(totals)s::numeric[])
        AS g ("id", "hash", "rows", "total")
    LEFT JOIN (
SELECT l."userId",
       sum(hashint8extended(s."id"::bigint, round(s."score" * 100)::bigint) & 1099511627775)::int8 AS "chances"
FROM "MatchList" l JOIN "MatchCandidates" m ON m."userId" = l."userId"
CROSS JOIN LATERAL unnest(m."candidateUserId"[:%(suggestions)s::int], m."score"[:%(suggestions)s::int])
    AS s ("id", "score")
WHERE l."userId" = ANY(%(ids)s) AND l."scoreLike" IS NOT NULL AND s."score" BETWEEN 0 AND 1 GROUP BY l."userId"
) AS c ON c."userId" = g."id"
) AS given
ORDER BY given."id"
ON CONFLICT ("userId") DO UPDATE SET "fingerprint" = excluded."fingerprint", "rows" = excluded."rows",
    "skipped" = excluded."skipped", "algorithmVersion" = excluded."algorithmVersion",
    "computedAt" = excluded."computedAt"
WHERE stored."userId" = ANY(%(changed)s)
   OR (stored."fingerprint", stored."rows", stored."algorithmVersion")
      IS DISTINCT FROM (excluded."fingerprint", excluded."rows", excluded."algorithmVersion");
