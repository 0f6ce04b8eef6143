-- _of_other_counts: traits
SELECT "userId", count(*) AS "count" FROM "UserTrait" WHERE "value" <> 'NaN' AND "userId" IS NOT NULL GROUP BY "userId";

-- _of_other_counts: interests
SELECT "userId", count(*) AS "count" FROM "UserInterest" WHERE "subjectId" IS NOT NULL AND "interestId" IS NOT NULL AND "userId" IS NOT NULL GROUP BY "userId";

-- _of_other_counts: results
SELECT "userId", count(*) AS "count" FROM "QuizResult" WHERE "quizId" IS NOT NULL AND "userId" IS NOT NULL GROUP BY "userId";

-- _of: liked, rows unique
SELECT array_agg("userId"::int8), array_agg("hash"::int8) FROM (
SELECT e."userId", sum((hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775))::int8 AS "hash"
FROM (
SELECT "blockerId" AS "userId", "blockedId" AS "otherId", 0 AS "kind" FROM "UserBlock"
WHERE "blockerId" = ANY(%(ids)s) AND "blockedId" IS NOT NULL
UNION ALL
SELECT "blockedId", "blockerId", 0 FROM "UserBlock" WHERE "blockedId" = ANY(%(ids)s) AND "blockerId" IS NOT NULL
UNION ALL
SELECT l."fromUserId", l."toUserId", 1 FROM "Like" l
WHERE l."fromUserId" = ANY(%(ids)s) AND l."toUserId" IS NOT NULL AND l."action" IS NOT NULL AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
UNION ALL
SELECT "toUserId", "fromUserId", 2 FROM "Like"
WHERE "toUserId" = ANY(%(ids)s) AND "fromUserId" IS NOT NULL AND "action"::text = 'DISLIKE'
UNION ALL
SELECT "userAId", "userBId", 3 FROM "Match"
WHERE "userAId" = ANY(%(ids)s) AND "userBId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userBId", "userAId", 3 FROM "Match"
WHERE "userBId" = ANY(%(ids)s) AND "userAId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userAId", "userBId", 4 FROM "Conversation" WHERE "userAId" = ANY(%(ids)s) AND "userBId" IS NOT NULL
UNION ALL
SELECT "userBId", "userAId", 4 FROM "Conversation" WHERE "userBId" = ANY(%(ids)s) AND "userAId" IS NOT NULL
UNION ALL
SELECT "toUserId", "fromUserId", 5 FROM "Like"
WHERE %(admirers)s::boolean AND "toUserId" = ANY(%(ids)s) AND "fromUserId" IS NOT NULL AND "action"::text <> 'DISLIKE'
) AS e WHERE e."kind" IN (1, 2, 5) GROUP BY e."userId"
) AS rows;

-- _of: liked, rows repeated
SELECT array_agg("userId"::int8), array_agg("hash"::int8) FROM (
SELECT e."userId", sum((hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775))::int8 AS "hash"
FROM (
SELECT "blockerId" AS "userId", "blockedId" AS "otherId", 0 AS "kind" FROM "UserBlock"
WHERE "blockerId" = ANY(%(ids)s) AND "blockedId" IS NOT NULL
UNION ALL
SELECT "blockedId", "blockerId", 0 FROM "UserBlock" WHERE "blockedId" = ANY(%(ids)s) AND "blockerId" IS NOT NULL
UNION ALL
SELECT l."fromUserId", l."toUserId", 1 FROM "Like" l
WHERE l."fromUserId" = ANY(%(ids)s) AND l."toUserId" IS NOT NULL AND l."action" IS NOT NULL AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
UNION ALL
SELECT "toUserId", "fromUserId", 2 FROM "Like"
WHERE "toUserId" = ANY(%(ids)s) AND "fromUserId" IS NOT NULL AND "action"::text = 'DISLIKE'
UNION ALL
SELECT "userAId", "userBId", 3 FROM "Match"
WHERE "userAId" = ANY(%(ids)s) AND "userBId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userBId", "userAId", 3 FROM "Match"
WHERE "userBId" = ANY(%(ids)s) AND "userAId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userAId", "userBId", 4 FROM "Conversation" WHERE "userAId" = ANY(%(ids)s) AND "userBId" IS NOT NULL
UNION ALL
SELECT "userBId", "userAId", 4 FROM "Conversation" WHERE "userBId" = ANY(%(ids)s) AND "userAId" IS NOT NULL
UNION ALL
SELECT "toUserId", "fromUserId", 5 FROM "Like"
WHERE %(admirers)s::boolean AND "toUserId" = ANY(%(ids)s) AND "fromUserId" IS NOT NULL AND "action"::text <> 'DISLIKE'
) AS e WHERE e."kind" IN (1, 2, 5) GROUP BY e."userId"
) AS rows;
