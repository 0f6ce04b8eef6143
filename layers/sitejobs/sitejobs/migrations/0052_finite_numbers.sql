-- A number that is not finite is stored nowhere. Rows that are older are left as they are: the next run that changes them
-- is the one that is checked, so nothing is scanned here.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'UserTrait_value_finite'
                   AND conrelid = '"UserTrait"'::regclass) THEN
        ALTER TABLE "UserTrait" ADD CONSTRAINT "UserTrait_value_finite" CHECK ("value" <> 'NaN') NOT VALID;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'ProfileSearchIndex_numbers_finite'
                   AND conrelid = '"ProfileSearchIndex"'::regclass) THEN
        ALTER TABLE "ProfileSearchIndex" ADD CONSTRAINT "ProfileSearchIndex_numbers_finite" CHECK (
            "lat" BETWEEN -90 AND 90 AND "lng" BETWEEN -180 AND 180
            AND "locationAccuracy" BETWEEN -1e300 AND 1e300) NOT VALID;
    END IF;
END $$;
