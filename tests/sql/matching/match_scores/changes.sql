-- _READ_LAST_RUN
SELECT "id", "status", "context", "startedAt" <= %(started_at)s AS "isPast" FROM "JobRun"
WHERE "job" = %(job)s AND "scope" = 'all' AND "id" < %(run_id)s AND "context" ? 'snapshot'
ORDER BY "id" DESC LIMIT 1;

-- _READ_FAILED_PAGES
SELECT array_agg("start"::int8), array_agg("stop"::int8) FROM (
SELECT ("keys" ->> 'start')::int8 AS "start", ("keys" ->> 'stop')::int8 AS "stop" FROM "JobRunFailedPage"
WHERE "runId" = %(run_id)s
) AS rows;

-- _READ_VIEWERS_WRITTEN_SINCE
SELECT array_agg("userId"::int8) FROM (
SELECT "userId" FROM "MatchScoreViewer"
WHERE "scoredAt" > (SELECT "startedAt" FROM "JobRun" WHERE "id" = %(run_id)s) OR "provisional"
) AS rows;

-- _READ_VIEWERS_WITHOUT_LIST
SELECT array_agg("userId"::int8) FROM (
SELECT v."userId" FROM "MatchScoreViewer" v
WHERE v."rows" > 0 AND NOT EXISTS (SELECT FROM "MatchList" l WHERE l."userId" = v."userId")
) AS rows;

-- _READ_LIKED
SELECT array_agg("userId"::int8) FROM (
SELECT DISTINCT l."toUserId" AS "userId" FROM "Like" l
WHERE l."fromUserId" = ANY(%(ids)s) AND l."action"::text <> 'DISLIKE' AND l."toUserId" IS NOT NULL
  AND (%(repeat)s::boolean OR NOT EXISTS (
      SELECT FROM "Like" a WHERE a."fromUserId" = l."toUserId" AND a."toUserId" = l."fromUserId"))
) AS rows;

-- _READ_EXCLUDED_BESIDE
SELECT array_agg("userId"::int8) FROM (
SELECT DISTINCT e."userId"::bigint AS "userId" FROM (
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
) AS e
JOIN "MatchListChange" c ON c."userId" = e."userId" AND e."otherId" = ANY(c."candidateUserId")
) AS rows;
