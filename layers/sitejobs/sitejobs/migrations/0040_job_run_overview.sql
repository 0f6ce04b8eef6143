-- The runs as a site's admin page shows them, and the index by which it pages through one job's.

CREATE INDEX IF NOT EXISTS "JobRun_job_id_idx" ON "JobRun" ("job", "id" DESC);

CREATE OR REPLACE VIEW "JobRunOverview" AS
SELECT r."id", r."job", r."scope", r."trigger", r."options", r."status", r."startedAt", r."finishedAt",
       extract(epoch FROM COALESCE(r."finishedAt", now()) - r."startedAt")::double precision AS "seconds",
       -- Of a run at work: how long ago its pages were last heard of.
       CASE WHEN r."status" = 'RUNNING'
            THEN extract(epoch FROM now() - r."heartbeatAt")::double precision END AS "quietSeconds",
       r."pages", r."failedPages", r."processed", r."written", r."skipped", r."failed",
       r."reasons",      -- why records were skipped or failed: code -> count
       f."pageErrors",   -- why pages failed: name of the error -> count
       r."context" ->> 'message' AS "message", r."error", r."execution"
FROM "JobRun" r
CROSS JOIN LATERAL (
    SELECT COALESCE(jsonb_object_agg(e."error", e."count"), '{}') AS "pageErrors"
    FROM (SELECT p."error", count(*) AS "count" FROM "JobRunFailedPage" p
          WHERE p."runId" = r."id" GROUP BY p."error") e
) f;
