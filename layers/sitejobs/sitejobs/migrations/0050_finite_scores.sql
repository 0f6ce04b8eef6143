-- No score that is not a number, whoever writes it: NaN and the infinities go through every sum. Rows that are there
-- already are not looked at, for there may be hundreds of millions; the next run replaces them.
DO $$ BEGIN
    ALTER TABLE "MatchScore" ADD CONSTRAINT "MatchScore_finite" CHECK (
        "score" + "scoreQuiz" + "scoreInterests" + "scoreRatingsQuality" + "scoreRatingsFit" + "scoreNew" + "scoreNearby"
            BETWEEN -1e30::real AND 1e30::real
        AND COALESCE("distanceKm", 0::real) BETWEEN 0::real AND 1e30::real
        AND COALESCE("avgAttractive" + "avgSmart" + "avgFunny" + "avgInteresting", 0::real)
            BETWEEN -1e30::real AND 1e30::real
    ) NOT VALID;
EXCEPTION WHEN duplicate_object OR wrong_object_type THEN NULL; -- a later migration has made it a view
END $$;

DO $$ BEGIN
    ALTER TABLE "UserCompatibility" ADD CONSTRAINT "UserCompatibility_finite" CHECK (
        COALESCE("score", 0::real) + "scoreQuiz" + "scoreInterests" + "scoreRatingsQuality" + "scoreRatingsFit"
            BETWEEN -1e30::real AND 1e30::real
        AND COALESCE("avgAttractive" + "avgSmart" + "avgFunny" + "avgInteresting", 0::real)
            BETWEEN -1e30::real AND 1e30::real
    ) NOT VALID;
EXCEPTION WHEN duplicate_object THEN NULL; END $$;
