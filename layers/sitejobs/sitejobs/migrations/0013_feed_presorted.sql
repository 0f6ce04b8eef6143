-- The first segments of each user's feed, ready to be shown: a request reads one row.
CREATE TABLE IF NOT EXISTS "FeedPresorted" (
    "userId"           bigint      NOT NULL,
    "segmentIndex"     smallint    NOT NULL, -- 0 is shown first
    "items"            jsonb       NOT NULL, -- an array of cards
    "phase1Json"       text,                 -- the first cards of segment 0 for embedding into HTML: text, since jsonb
                                             -- would undo the escapes that keep it inside its <script>
    "algorithmVersion" text        NOT NULL,
    "computedAt"       timestamptz NOT NULL, -- start of the run: what the ages in the scores refer to
    "expiresAt"        timestamptz NOT NULL,
    PRIMARY KEY ("userId", "segmentIndex")
);

-- Where the server has it, lz4: four times as quick as the default on rows of several KB.
DO $$ BEGIN
    EXECUTE 'ALTER TABLE "FeedPresorted" ALTER COLUMN "items" SET COMPRESSION lz4';
EXCEPTION WHEN OTHERS THEN NULL; -- PostgreSQL 13, or a server that was built without it
END $$;
