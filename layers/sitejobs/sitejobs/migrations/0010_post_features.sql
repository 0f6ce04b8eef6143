-- What a post is about and how much it offers: one row a post, written by content-features.
CREATE TABLE IF NOT EXISTS "PostFeatures" (
    "postId"      bigint           PRIMARY KEY,
    "topics"      text[]           NOT NULL, -- hashtags first, then words: lower case, the most telling ones first
    "quality"     double precision NOT NULL, -- 0..1
    "computedAt"  timestamptz      NOT NULL,
    "fingerprint" bigint           NOT NULL  -- of what it was computed from: another one means that it is stale
);
