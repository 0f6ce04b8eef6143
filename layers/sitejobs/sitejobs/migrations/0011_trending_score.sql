-- Posts that draw likes now: one row a post, written by trending. Readers leave out rows past their expiresAt.
CREATE TABLE IF NOT EXISTS "TrendingScore" (
    "postId"       bigint           PRIMARY KEY,
    "popularity"   double precision NOT NULL, -- likes weighed against age
    "velocity"     double precision NOT NULL, -- likes an hour since the post was made
    "peakVelocity" double precision NOT NULL, -- the highest velocity stored while the post was trending, and when
    "peakTime"     timestamptz      NOT NULL,
    "computedAt"   timestamptz      NOT NULL,
    "expiresAt"    timestamptz      NOT NULL
);
