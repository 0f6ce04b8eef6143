-- FIND_CUT
SELECT extract(epoch FROM percentile_disc(%(share)s) WITHIN GROUP (ORDER BY l."at"))::float8
FROM (SELECT CASE WHEN "createdAt" >= '0001-01-01' AND "createdAt" < '10000-01-01' THEN "createdAt" END AS "at" FROM "Like" WHERE "action"::text IN ('LIKE', 'DISLIKE')) AS l;

-- COUNT_CUT
SELECT count(*), count(*) FILTER (WHERE "at" < %(cut)s OR "at" IS NULL), count(*) FILTER (WHERE "at" = %(cut)s),
       count(*) FILTER (WHERE "liked"), max("at")
FROM (SELECT extract(epoch FROM CASE WHEN "createdAt" >= '0001-01-01' AND "createdAt" < '10000-01-01' THEN "createdAt" END)::float8 AS "at", "action"::text = 'LIKE' AS "liked"
      FROM "Like" WHERE "action"::text IN ('LIKE', 'DISLIKE')) AS l;

-- COUNT_RETURNED
SELECT COALESCE(avg(EXISTS (
    SELECT FROM "Like" k WHERE k."fromUserId" = v."viewer" AND k."action"::text IN ('LIKE', 'DISLIKE')
      AND extract(epoch FROM CASE WHEN k."createdAt" >= '0001-01-01' AND k."createdAt" < '10000-01-01' THEN k."createdAt" END)::float8 < %(cut)s)::int), 0)::float8
FROM (SELECT DISTINCT l."fromUserId" AS "viewer" FROM "Like" l
      WHERE l."action"::text IN ('LIKE', 'DISLIKE') AND extract(epoch FROM CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END)::float8 >= %(cut)s
      LIMIT %(viewers)s) AS v;

-- READ_MADE
SELECT array_agg("viewer"::int8), array_agg("candidate"::int8), array_agg("at"::float8), array_agg("liked"::int2) FROM (
WITH decided AS (
    SELECT l."fromUserId" AS "viewer", l."toUserId" AS "candidate", COALESCE(extract(epoch FROM min(CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END))::float8, '-Infinity') AS "at",
           ((array_agg(l."action"::text ORDER BY CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END DESC NULLS LAST, l."action"::text DESC))[1]
            = 'LIKE')::int AS "liked"
    FROM "Like" l
    WHERE l."fromUserId" = ANY (%(ids)s) AND l."toUserId" <> l."fromUserId" AND l."action"::text IN ('LIKE', 'DISLIKE')
    GROUP BY l."fromUserId", l."toUserId"
), matched AS (
    SELECT "userAId" AS "viewer", "userBId" AS "candidate" FROM "Match"
    WHERE "userAId" = ANY (%(ids)s) AND "userAId" <> "userBId"
    UNION
    SELECT "userBId", "userAId" FROM "Match" WHERE "userBId" = ANY (%(ids)s) AND "userAId" <> "userBId"
)
SELECT "viewer", "candidate", "at", "liked" FROM decided
UNION ALL
SELECT m."viewer", m."candidate", '-Infinity', 1 FROM matched m
WHERE NOT EXISTS (SELECT FROM decided d WHERE d."viewer" = m."viewer" AND d."candidate" = m."candidate")
) AS rows;

-- READ_TAKEN
SELECT array_agg("viewer"::int8), array_agg("candidate"::int8), array_agg("at"::float8), array_agg("liked"::int2) FROM (
WITH decided AS (
    SELECT l."fromUserId" AS "viewer", l."toUserId" AS "candidate", COALESCE(extract(epoch FROM min(CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END))::float8, '-Infinity') AS "at",
           ((array_agg(l."action"::text ORDER BY CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END DESC NULLS LAST, l."action"::text DESC))[1]
            = 'LIKE')::int AS "liked"
    FROM "Like" l
    WHERE l."toUserId" = ANY (%(ids)s) AND l."toUserId" <> l."fromUserId" AND l."action"::text IN ('LIKE', 'DISLIKE')
    GROUP BY l."fromUserId", l."toUserId"
), matched AS (
    SELECT "userAId" AS "viewer", "userBId" AS "candidate" FROM "Match"
    WHERE "userBId" = ANY (%(ids)s) AND "userAId" <> "userBId"
    UNION
    SELECT "userBId", "userAId" FROM "Match" WHERE "userAId" = ANY (%(ids)s) AND "userAId" <> "userBId"
)
SELECT "viewer", "candidate", "at", "liked" FROM decided
UNION ALL
SELECT m."viewer", m."candidate", '-Infinity', 1 FROM matched m
WHERE NOT EXISTS (SELECT FROM decided d WHERE d."viewer" = m."viewer" AND d."candidate" = m."candidate")
) AS rows;

-- READ_RATINGS_ONCE
SELECT array_agg("viewer"::int8), array_agg("candidate"::int8), array_agg("attractive"::float4), array_agg("smart"::float4), array_agg("funny"::float4), array_agg("interesting"::float4), array_agg("at"::float8) FROM (
SELECT r."viewer", r."candidate", r."attractive"::float4 AS "attractive", r."smart"::float4 AS "smart",
       r."funny"::float4 AS "funny", r."interesting"::float4 AS "interesting",
       COALESCE(extract(epoch FROM CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END)::float8, '-Infinity') AS "at"
FROM (
    SELECT DISTINCT ON (r."raterProfileId", r."targetProfileId") a."userId" AS "viewer", b."userId" AS "candidate", r."attractive", r."smart", r."funny",
           r."interesting", r."createdAt"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE a."userId" = ANY (%(ids)s) AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5) ORDER BY r."raterProfileId", r."targetProfileId",
    CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END DESC NULLS LAST,
    r."attractive" DESC, r."smart" DESC, r."funny" DESC, r."interesting" DESC
) AS r
) AS rows;

-- READ_RATINGS
SELECT array_agg("viewer"::int8), array_agg("candidate"::int8), array_agg("attractive"::float4), array_agg("smart"::float4), array_agg("funny"::float4), array_agg("interesting"::float4), array_agg("at"::float8) FROM (
SELECT r."viewer", r."candidate", r."attractive"::float4 AS "attractive", r."smart"::float4 AS "smart",
       r."funny"::float4 AS "funny", r."interesting"::float4 AS "interesting",
       COALESCE(extract(epoch FROM CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END)::float8, '-Infinity') AS "at"
FROM (
    SELECT  a."userId" AS "viewer", b."userId" AS "candidate", r."attractive", r."smart", r."funny",
           r."interesting", r."createdAt"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE a."userId" = ANY (%(ids)s) AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
) AS r
) AS rows;

-- READ_RECEIVED_ONCE
SELECT array_agg("viewer"::int8), array_agg("candidate"::int8), array_agg("attractive"::float4), array_agg("smart"::float4), array_agg("funny"::float4), array_agg("interesting"::float4), array_agg("at"::float8) FROM (
SELECT r."viewer", r."candidate", r."attractive"::float4 AS "attractive", r."smart"::float4 AS "smart",
       r."funny"::float4 AS "funny", r."interesting"::float4 AS "interesting",
       COALESCE(extract(epoch FROM CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END)::float8, '-Infinity') AS "at"
FROM (
    SELECT DISTINCT ON (r."raterProfileId", r."targetProfileId") a."userId" AS "viewer", b."userId" AS "candidate", r."attractive", r."smart", r."funny",
           r."interesting", r."createdAt"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE b."userId" = ANY (%(ids)s) AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5) ORDER BY r."raterProfileId", r."targetProfileId",
    CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END DESC NULLS LAST,
    r."attractive" DESC, r."smart" DESC, r."funny" DESC, r."interesting" DESC
) AS r
) AS rows;

-- READ_RECEIVED
SELECT array_agg("viewer"::int8), array_agg("candidate"::int8), array_agg("attractive"::float4), array_agg("smart"::float4), array_agg("funny"::float4), array_agg("interesting"::float4), array_agg("at"::float8) FROM (
SELECT r."viewer", r."candidate", r."attractive"::float4 AS "attractive", r."smart"::float4 AS "smart",
       r."funny"::float4 AS "funny", r."interesting"::float4 AS "interesting",
       COALESCE(extract(epoch FROM CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END)::float8, '-Infinity') AS "at"
FROM (
    SELECT  a."userId" AS "viewer", b."userId" AS "candidate", r."attractive", r."smart", r."funny",
           r."interesting", r."createdAt"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE b."userId" = ANY (%(ids)s) AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
) AS r
) AS rows;
