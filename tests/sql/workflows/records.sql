-- _KEEP_ALIVE
UPDATE "JobRun" AS run SET "heartbeatAt" = latest."at"
FROM (
    SELECT whole."id", max(LEAST(part."heartbeatAt", now())) AS "at"
    FROM "JobRun" AS whole
    CROSS JOIN LATERAL jsonb_each(whole."context"->'jobs') AS job ("name", "state")
    JOIN "JobRun" AS part ON part."execution" = job."state"->>'execution' AND part."status" = 'RUNNING'
    WHERE whole."job" = %(job)s AND whole."scope" = %(scope)s AND whole."status" = 'RUNNING'
    GROUP BY whole."id"
) AS latest
WHERE run."id" = latest."id" AND (run."heartbeatAt" < latest."at" OR run."heartbeatAt" > now());

-- _KEEP
UPDATE "JobRun" SET "context" = %(context)s, "heartbeatAt" = now() WHERE "id" = %(id)s;

-- _CLOSE
UPDATE "JobRun" SET "status" = %(status)s, "error" = %(error)s, "finishedAt" = now(), "context" = %(context)s,
    "pages" = %(pages)s, "failedPages" = %(failedPages)s, "processed" = %(processed)s, "written" = %(written)s,
    "skipped" = %(skipped)s, "failed" = %(failed)s
WHERE "id" = %(id)s;

-- _COUNTS_OF
SELECT "id", "pages", "failedPages", "processed", "written", "skipped", "failed", "reasons"
FROM "JobRun" WHERE "execution" = %(execution)s;

-- _LOCK
SELECT "job", "status", "context", "error" FROM "JobRun" WHERE "id" = %(id)s FOR UPDATE;
