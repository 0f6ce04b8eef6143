-- What went wrong lately, by verdict: for people who look after the uploads.
CREATE INDEX IF NOT EXISTS "MediaMetadata_verdict_checkedAt_idx"
    ON "MediaMetadata" ("verdict", "checkedAt") WHERE "verdict" <> 'READY';
