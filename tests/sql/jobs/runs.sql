-- _CLOSE_DEAD
UPDATE "JobRun" SET "status" = 'DIED', "finishedAt" = now(), "error" = 'no heartbeat: taken over by a later run'
WHERE "job" = %(job)s AND "scope" = %(scope)s AND "status" = 'RUNNING'
  AND "heartbeatAt" NOT BETWEEN now() - make_interval(secs => %(stale_seconds)s)
                            AND now() + make_interval(secs => %(stale_seconds)s);

-- _OF_EXECUTION
SELECT "id", "startedAt", "context", "status" FROM "JobRun" WHERE "execution" = %(execution)s;

-- _RUNNING
SELECT "id", "startedAt" FROM "JobRun" WHERE "job" = %(job)s AND "scope" = %(scope)s AND "status" = 'RUNNING';

-- _OPEN
INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options")
VALUES (%(job)s, %(scope)s, %(execution)s, %(trigger)s, %(options)s)
ON CONFLICT DO NOTHING
RETURNING "id", "startedAt", "context", "status";

-- _SET_CONTEXT
UPDATE "JobRun" SET "context" = %(context)s, "heartbeatAt" = now() WHERE "id" = %(id)s;

-- _BEAT
UPDATE "JobRun" SET "heartbeatAt" = now() WHERE "id" = %(id)s;

-- _PULSE
SELECT "status", "heartbeatAt" NOT BETWEEN now() - make_interval(secs => %(every)s)
                                       AND now() + make_interval(secs => %(every)s) FROM "JobRun" WHERE "id" = %(id)s;

-- _NOTE
INSERT INTO "JobRunFailedPage" ("runId", "page", "keys", "error", "detail")
VALUES (%(id)s, %(page)s, %(keys)s, %(error)s, %(detail)s)
ON CONFLICT ("runId", "page")
DO UPDATE SET "error" = excluded."error", "detail" = excluded."detail", "failedAt" = now();

-- _FORGET_NOTES
DELETE FROM "JobRunFailedPage" WHERE "runId" = %(id)s AND "page" = ANY(%(pages)s);

-- _ADD
UPDATE "JobRun" SET "chapter" = %(chapter)s, "pages" = "pages" + %(pages)s,
    "failedPages" = "failedPages" + %(failedPages)s, "processed" = "processed" + %(processed)s,
    "written" = "written" + %(written)s, "skipped" = "skipped" + %(skipped)s, "failed" = "failed" + %(failed)s,
    "reasons" = %(reasons)s, "heartbeatAt" = now()
WHERE "id" = %(id)s;

-- _FAILED_PAGE
INSERT INTO "JobRunFailedPage" ("runId", "page", "keys", "error") VALUES (%(id)s, %(page)s, %(keys)s, %(error)s)
ON CONFLICT ("runId", "page") DO UPDATE SET "error" = excluded."error";

-- _CLOSE
UPDATE "JobRun" SET "status" = %(status)s, "error" = %(error)s, "finishedAt" = now() WHERE "id" = %(id)s;

-- close_ended: _CLOSE_ENDED
UPDATE "JobRun" SET "status" = %(status)s, "error" = %(error)s, "finishedAt" = now()
WHERE "execution" = %(execution)s AND "status" = 'RUNNING' RETURNING "id";

-- close_ended: _NEVER_OPENED
INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options", "status", "error", "startedAt", "finishedAt")
VALUES (%(job)s, 'unknown', %(execution)s, 'unknown', '{}', %(status)s, %(error)s, %(started_at)s, now())
ON CONFLICT ("execution") DO NOTHING RETURNING "id";

-- _LOCK
SELECT "chapter", "pages", "failedPages", "processed", "written", "skipped", "failed", "reasons", "status",
       "options", "context", "error", "job"
FROM "JobRun" WHERE "id" = %(id)s FOR UPDATE;

-- _FIRST_FAILED
SELECT "page", "error", "detail" FROM "JobRunFailedPage" WHERE "runId" = %(id)s ORDER BY "page" LIMIT 3;
