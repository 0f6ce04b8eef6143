-- One row a run of a job, and one row a page that failed for good.

CREATE TABLE IF NOT EXISTS "JobRun" (
    "id"          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "job"         text        NOT NULL,
    "scope"       text        NOT NULL,  -- 'all', or 'user:8': runs of different scopes may overlap
    "execution"   text        NOT NULL UNIQUE,  -- of the state machine: Plan may be called twice for one
    "trigger"     text        NOT NULL,
    "options"     jsonb       NOT NULL,
    "context"     jsonb       NOT NULL DEFAULT '{}',  -- what the job's pages share, such as the snapshot's key
    "status"      text        NOT NULL DEFAULT 'RUNNING'
                  CHECK ("status" IN ('RUNNING', 'SUCCEEDED', 'FAILED', 'DIED')),
    "chapter"     integer     NOT NULL DEFAULT 0,  -- chapters recorded so far: a chapter counts once
    "pages"       integer     NOT NULL DEFAULT 0,
    "failedPages" integer     NOT NULL DEFAULT 0,
    "processed"   bigint      NOT NULL DEFAULT 0,
    "written"     bigint      NOT NULL DEFAULT 0,
    "skipped"     bigint      NOT NULL DEFAULT 0,
    "failed"      bigint      NOT NULL DEFAULT 0,
    "reasons"     jsonb       NOT NULL DEFAULT '{}',  -- why records were skipped or failed: code -> count
    "startedAt"   timestamptz NOT NULL DEFAULT now(),
    "heartbeatAt" timestamptz NOT NULL DEFAULT now(),
    "finishedAt"  timestamptz,
    "error"       text
);

-- At most one run of a job and scope at a time: the database decides, not a check that two can pass at once.
CREATE UNIQUE INDEX IF NOT EXISTS "JobRun_running_key" ON "JobRun" ("job", "scope") WHERE "status" = 'RUNNING';
CREATE INDEX IF NOT EXISTS "JobRun_job_startedAt_idx" ON "JobRun" ("job", "startedAt" DESC);

CREATE TABLE IF NOT EXISTS "JobRunFailedPage" (
    "runId"     bigint      NOT NULL REFERENCES "JobRun" ("id") ON DELETE CASCADE,
    "page"      integer     NOT NULL,
    "keys"      jsonb       NOT NULL,  -- the page's key range
    "error"     text        NOT NULL,  -- class of the error
    "detail"    text,                  -- what the handler noted: ids and counts, never personal data
    "failedAt"  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY ("runId", "page")
);
