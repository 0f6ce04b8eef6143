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
