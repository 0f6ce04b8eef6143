-- _READ_PAIRS
SELECT array_agg("userId"::int8), array_agg("otherId"::int8), array_agg("kind"::int2), array_agg("hash"::int8) FROM (
SELECT e."userId", e."otherId", e."kind", (hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775) AS "hash"
FROM (
SELECT "blockerId" AS "userId", "blockedId" AS "otherId", 0 AS "kind" FROM "UserBlock"
WHERE "blockerId" = ANY((SELECT %(ids)s)::bigint[]) AND "blockedId" IS NOT NULL
UNION ALL
SELECT "blockedId", "blockerId", 0 FROM "UserBlock" WHERE "blockedId" = ANY((SELECT %(ids)s)::bigint[]) AND "blockerId" IS NOT NULL
UNION ALL
SELECT "userAId", "userBId", 3 FROM "Match"
WHERE "userAId" = ANY((SELECT %(ids)s)::bigint[]) AND "userBId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userBId", "userAId", 3 FROM "Match"
WHERE "userBId" = ANY((SELECT %(ids)s)::bigint[]) AND "userAId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userAId", "userBId", 4 FROM "Conversation" WHERE "userAId" = ANY((SELECT %(ids)s)::bigint[]) AND "userBId" IS NOT NULL
UNION ALL
SELECT "userBId", "userAId", 4 FROM "Conversation" WHERE "userBId" = ANY((SELECT %(ids)s)::bigint[]) AND "userAId" IS NOT NULL
UNION ALL
    SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId", 1 AS "kind" FROM "Like" l
    WHERE l."fromUserId" = ANY((SELECT %(ids)s)::bigint[]) AND l."fromUserId" IS NOT NULL AND l."toUserId" IS NOT NULL AND l."action" IS NOT NULL
      AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
    UNION ALL
    SELECT "toUserId", "fromUserId", 2 FROM "Like"
    WHERE "toUserId" = ANY((SELECT %(ids)s)::bigint[]) AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text = 'DISLIKE'
    UNION ALL
    SELECT "toUserId", "fromUserId", 5 FROM "Like"
    WHERE %(admirers)s::boolean AND "toUserId" = ANY((SELECT %(ids)s)::bigint[])
      AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text <> 'DISLIKE'
    ) AS e
) AS rows;

-- _READ_BARRED
SELECT e."userId"::bigint AS "userId", sum((hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775))::int8 AS "hash",
       COALESCE(array_agg(e."otherId"::bigint) FILTER (
           WHERE e."kind" <> 5 AND e."otherId" = ANY(%(others)s::bigint[])), '{}') AS "others"
FROM (
SELECT "blockerId" AS "userId", "blockedId" AS "otherId", 0 AS "kind" FROM "UserBlock"
WHERE "blockerId" = ANY((SELECT %(ids)s)::bigint[]) AND "blockedId" IS NOT NULL
UNION ALL
SELECT "blockedId", "blockerId", 0 FROM "UserBlock" WHERE "blockedId" = ANY((SELECT %(ids)s)::bigint[]) AND "blockerId" IS NOT NULL
UNION ALL
SELECT "userAId", "userBId", 3 FROM "Match"
WHERE "userAId" = ANY((SELECT %(ids)s)::bigint[]) AND "userBId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userBId", "userAId", 3 FROM "Match"
WHERE "userBId" = ANY((SELECT %(ids)s)::bigint[]) AND "userAId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userAId", "userBId", 4 FROM "Conversation" WHERE "userAId" = ANY((SELECT %(ids)s)::bigint[]) AND "userBId" IS NOT NULL
UNION ALL
SELECT "userBId", "userAId", 4 FROM "Conversation" WHERE "userBId" = ANY((SELECT %(ids)s)::bigint[]) AND "userAId" IS NOT NULL
UNION ALL
    SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId", 1 AS "kind" FROM "Like" l
    WHERE l."fromUserId" = ANY((SELECT %(ids)s)::bigint[]) AND l."fromUserId" IS NOT NULL AND l."toUserId" IS NOT NULL AND l."action" IS NOT NULL
      AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
    UNION ALL
    SELECT "toUserId", "fromUserId", 2 FROM "Like"
    WHERE "toUserId" = ANY((SELECT %(ids)s)::bigint[]) AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text = 'DISLIKE'
    UNION ALL
    SELECT "toUserId", "fromUserId", 5 FROM "Like"
    WHERE %(admirers)s::boolean AND "toUserId" = ANY((SELECT %(ids)s)::bigint[])
      AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text <> 'DISLIKE'
    ) AS e GROUP BY e."userId";

-- _READ_BETWEEN
SELECT array_agg("userId"::int8), array_agg("otherId"::int8) FROM (
SELECT e."userId"::bigint AS "userId", e."otherId"::bigint AS "otherId"
FROM (
SELECT o."otherId" AS "userId", o."userId" AS "otherId", o."kind" FROM (
SELECT "blockerId" AS "userId", "blockedId" AS "otherId", 0 AS "kind" FROM "UserBlock"
WHERE "blockerId" = ANY((SELECT %(others)s)::bigint[]) AND "blockedId" IS NOT NULL
UNION ALL
SELECT "blockedId", "blockerId", 0 FROM "UserBlock" WHERE "blockedId" = ANY((SELECT %(others)s)::bigint[]) AND "blockerId" IS NOT NULL
UNION ALL
SELECT "userAId", "userBId", 3 FROM "Match"
WHERE "userAId" = ANY((SELECT %(others)s)::bigint[]) AND "userBId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userBId", "userAId", 3 FROM "Match"
WHERE "userBId" = ANY((SELECT %(others)s)::bigint[]) AND "userAId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userAId", "userBId", 4 FROM "Conversation" WHERE "userAId" = ANY((SELECT %(others)s)::bigint[]) AND "userBId" IS NOT NULL
UNION ALL
SELECT "userBId", "userAId", 4 FROM "Conversation" WHERE "userBId" = ANY((SELECT %(others)s)::bigint[]) AND "userAId" IS NOT NULL
) AS o
UNION ALL
    SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId", 1 AS "kind" FROM "Like" l
    WHERE l."toUserId" = ANY((SELECT %(others)s)::bigint[]) AND l."fromUserId" IS NOT NULL AND l."toUserId" IS NOT NULL AND l."action" IS NOT NULL
      AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
    UNION ALL
    SELECT "toUserId", "fromUserId", 2 FROM "Like"
    WHERE "fromUserId" = ANY((SELECT %(others)s)::bigint[]) AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text = 'DISLIKE'
    UNION ALL
    SELECT "toUserId", "fromUserId", 5 FROM "Like"
    WHERE %(admirers)s::boolean AND "fromUserId" = ANY((SELECT %(others)s)::bigint[])
      AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text <> 'DISLIKE'
) AS e JOIN unnest(%(ids)s::bigint[]) AS asked ("id") ON asked."id" = e."userId"
) AS rows;
