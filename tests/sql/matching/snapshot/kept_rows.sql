-- _of_other_counts: traits
SELECT "userId", count(*) AS "count" FROM "UserTrait" WHERE "value" <> 'NaN' AND "userId" IS NOT NULL GROUP BY "userId";

-- _of_other_counts: interests
SELECT "userId", count(*) AS "count" FROM "UserInterest" WHERE "subjectId" IS NOT NULL AND "interestId" IS NOT NULL AND "userId" IS NOT NULL GROUP BY "userId";

-- _of_other_counts: results
SELECT "userId", count(*) AS "count" FROM "QuizResult" WHERE "quizId" IS NOT NULL AND "userId" IS NOT NULL GROUP BY "userId";

-- _of: liked
SELECT array_agg("userId"::int8), array_agg("hash"::int8) FROM (
SELECT e."userId", sum((hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775))::int8 AS "hash" FROM (
    SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId", 1 AS "kind" FROM "Like" l
    WHERE l."fromUserId" = ANY(%(ids)s) AND l."fromUserId" IS NOT NULL AND l."toUserId" IS NOT NULL AND l."action" IS NOT NULL
      AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
    UNION ALL
    SELECT "toUserId", "fromUserId", 2 FROM "Like"
    WHERE "toUserId" = ANY(%(ids)s) AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text = 'DISLIKE'
    UNION ALL
    SELECT "toUserId", "fromUserId", 5 FROM "Like"
    WHERE %(admirers)s::boolean AND "toUserId" = ANY(%(ids)s)
      AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text <> 'DISLIKE'
    ) AS e GROUP BY e."userId"
) AS rows;
