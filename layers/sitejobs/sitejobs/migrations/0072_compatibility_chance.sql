-- How likely two people both say yes, of suggestions that match-scores ranked by a learned model.
ALTER TABLE "UserCompatibility" ADD COLUMN IF NOT EXISTS "chance" real;
-- New rows alone are checked: there are no chances in older ones.
DO $$ BEGIN
    ALTER TABLE "UserCompatibility" ADD CONSTRAINT "UserCompatibility_chance" CHECK ("chance" BETWEEN 0 AND 1) NOT VALID;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
