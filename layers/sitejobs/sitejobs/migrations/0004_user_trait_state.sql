-- What build-user-traits keeps beside UserTrait to see which users' traits are out of date.

-- One row a user who has traits or answers. Whoever changes a user's traits writes it, so that pages that overlap
-- collide.
CREATE TABLE IF NOT EXISTS "UserTraitState" (
    "userId"      bigint      PRIMARY KEY,
    "fingerprint" bigint,                     -- of the user's quiz results; NULL: there are none
    "skipped"     integer     NOT NULL DEFAULT 0, -- answers and trait values that could not be counted
    "checkedAt"   timestamptz NOT NULL DEFAULT '-infinity' -- options that changed since then are news to this user
);

-- Traits that are older than this table: their users are looked at by the next run.
INSERT INTO "UserTraitState" ("userId", "fingerprint") SELECT DISTINCT "userId", 0 FROM "UserTrait" ON CONFLICT DO NOTHING;

-- The quiz options as the runs last found them, and when a change was seen: who chose one that changed is out of date.
CREATE TABLE IF NOT EXISTS "QuizOptionSeen" (
    "quizId"      bigint      NOT NULL,
    "questionId"  bigint      NOT NULL,
    "valueHash"   bigint      NOT NULL, -- a value may be too long for an index
    "fingerprint" bigint,               -- of its traitValues; NULL: the option has gone
    "changedAt"   timestamptz NOT NULL,
    PRIMARY KEY ("quizId", "questionId", "valueHash")
);
CREATE INDEX IF NOT EXISTS "QuizOptionSeen_changedAt_idx" ON "QuizOptionSeen" ("changedAt");
