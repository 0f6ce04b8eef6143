-- For folding in whom a model does not know, or of whom more was told since: what everybody's effects were when it was
-- trained, which is what others are folded in by, and a hash of what was told when they were last computed.
-- NULL: of a model that was trained before.
ALTER TABLE "UserMatchEffect"
    ADD COLUMN IF NOT EXISTS "trainedSelectivity" real,
    ADD COLUMN IF NOT EXISTS "trainedAppeal"      real,   -- without what ratings tell
    ADD COLUMN IF NOT EXISTS "fingerprint"        bigint;
