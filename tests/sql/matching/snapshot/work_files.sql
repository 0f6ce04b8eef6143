-- _READ_RECENT_SNAPSHOTS
SELECT "context" ->> 'snapshot' FROM "JobRun"
WHERE "job" = %(job)s AND "startedAt" > %(started_at)s - make_interval(secs => %(seconds)s)
  AND "startedAt" <= %(started_at)s
  AND "context" ? 'snapshot'
ORDER BY "startedAt" DESC, "id" DESC LIMIT 3;

-- _READ_FORMER_VIEWERS
SELECT array_agg("userId"::int8) FROM (
SELECT v."userId" FROM "MatchScoreViewer" v
WHERE v."rows" > 0 AND NOT EXISTS (
    SELECT FROM "Profile" p JOIN "User" u ON u."id" = p."userId"
    WHERE p."userId" = v."userId" AND p."deletedAt" IS NULL AND u."deletedAt" IS NULL)
) AS rows;
