-- Who has which interest, and who has any interest of which subject: UserInterest of undeleted users, written by
-- user-interest-sets. No foreign keys: the site's tables may be views.

CREATE TABLE IF NOT EXISTS "InterestUserSet" (
    "interestId" bigint NOT NULL,
    "userId"     bigint NOT NULL,
    "createdAt"  timestamptz, -- the earliest of the user's rows with this interest; NULL: they have no time
    PRIMARY KEY ("interestId", "userId")
);
CREATE INDEX IF NOT EXISTS "InterestUserSet_userId_idx" ON "InterestUserSet" ("userId");

CREATE TABLE IF NOT EXISTS "InterestSubjectUserSet" (
    "subjectId" bigint NOT NULL,
    "userId"    bigint NOT NULL,
    "createdAt" timestamptz,
    PRIMARY KEY ("subjectId", "userId")
);
CREATE INDEX IF NOT EXISTS "InterestSubjectUserSet_userId_idx" ON "InterestSubjectUserSet" ("userId");

-- One row a user who is in any set. Whoever changes a user's sets writes it, so that pages that overlap collide.
CREATE TABLE IF NOT EXISTS "InterestSetState" (
    "userId"      bigint      PRIMARY KEY,
    "fingerprint" bigint, -- of the user's rows in UserInterest; NULL: there are none
    "updatedAt"   timestamptz NOT NULL DEFAULT now()
);

-- Sets that are older than this table: their users are looked at by the next run.
INSERT INTO "InterestSetState" ("userId", "fingerprint")
SELECT "userId", 0 FROM "InterestUserSet" UNION SELECT "userId", 0 FROM "InterestSubjectUserSet"
ON CONFLICT DO NOTHING;
