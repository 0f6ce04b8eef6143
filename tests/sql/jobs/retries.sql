-- _SINCE
SELECT max("id") FROM "JobRun"
WHERE "job" = %(job)s AND "scope" = %(scope)s AND "id" > %(id)s AND "status" = 'SUCCEEDED'
  AND NOT "options" ?| '{retryOf,dryRun}';

-- _EARLIER
SELECT "id", "job", "scope", "status", "startedAt", "options", "context", "error" FROM "JobRun" WHERE "id" = %(id)s;

-- _COUNT
SELECT count(*) FROM "JobRunFailedPage" WHERE "runId" = %(id)s;

-- _PAGES
SELECT "keys" FROM "JobRunFailedPage" WHERE "runId" = %(id)s AND "page" > %(after)s ORDER BY "page" LIMIT %(limit)s;
