-- One row a user: what the stored segments rest on, and why there may be none. Runs that overlap meet at it.
CREATE TABLE IF NOT EXISTS "FeedPresortedUser" (
    "userId"           bigint      PRIMARY KEY,
    "algorithmVersion" text        NOT NULL,
    "computedAt"       timestamptz NOT NULL,
    "expiresAt"        timestamptz NOT NULL,
    "segments"         smallint    NOT NULL,
    "skipped"          text,                 -- why there are none: nothing-to-show
    "shared"           bigint      NOT NULL, -- hash of what all feeds rest on: rules, public posts, questions
    "fingerprint"      bigint,               -- hash of what this one rests on beside that; NULL: a segment was removed
    "people"           bigint[]    NOT NULL  -- users whose profiles the feed shows, or left out as hidden
);
