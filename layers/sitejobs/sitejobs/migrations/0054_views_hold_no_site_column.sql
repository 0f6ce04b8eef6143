-- The names of interests, looked up when a view is read: a view over the site's tables would hold their columns, so that
-- the site could not change them (a Prisma migration that widens "Interest"."key" would fail).
--
-- The text of the function is no dependency. It names the tables with the schemas in which this session's search path
-- finds them: whoever reads the view sees the same, whatever their own path. Like a view it reads with its owner's
-- rights, so that who may read the view needs no right on the tables below; nothing but their catalogue of interests is
-- to be had of it. Where the tables have moved: `sitejobs db migrate --again`.
DO $$
DECLARE
    "interests" text;
    "subjects"  text;
BEGIN
    SELECT format('%I.%I', n.nspname, c.relname) INTO STRICT "interests"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = '"Interest"'::regclass;
    SELECT format('%I.%I', n.nspname, c.relname) INTO STRICT "subjects"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = '"InterestSubject"'::regclass;
    EXECUTE format($create$
        CREATE OR REPLACE FUNCTION "sharedInterestNames"("ids" bigint[]) RETURNS jsonb
        LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS $body$
        BEGIN
            IF "ids" IS NULL THEN RETURN '[]'; END IF;
            RETURN COALESCE((
                SELECT jsonb_agg(s."key"::text || ':' || i."key"::text ORDER BY shared."position")
                FROM unnest("ids") WITH ORDINALITY AS shared ("id", "position")
                JOIN %1$s i ON i."id" = shared."id"
                JOIN %2$s s ON s."id" = i."subjectId"), '[]'::jsonb);
        END $body$
    $create$, "interests", "subjects");
END $$;

DO $do$ BEGIN
-- A later migration's view has more columns: none of them may go.
IF EXISTS (SELECT FROM pg_attribute
           WHERE attrelid = to_regclass('"MatchScoreExplained"') AND attname = 'scoreLike') THEN
    RETURN;
END IF;
CREATE OR REPLACE VIEW "MatchScoreExplained" AS
SELECT m."userId", m."candidateUserId", m."score", m."scoreQuiz", m."scoreInterests", m."scoreRatingsQuality",
       m."scoreRatingsFit", m."scoreNew", m."scoreNearby", m."tier", m."rank", m."distanceKm",
       m."algorithmVersion", m."scoredAt",
       jsonb_build_object(
           'sharedInterests', "sharedInterestNames"(m."sharedInterestIds"),
           'sharedInterestCount', m."sharedInterestCount",
           'traits', jsonb_build_object(
               'common', m."commonTraits", 'viewer', m."viewerTraits", 'candidate', m."candidateTraits"),
           'preferences', jsonb_build_object('gender', m."genderOk", 'age', m."ageOk", 'distance', m."distanceOk"),
           'ratings', jsonb_build_object(
               'count', m."ratingCount", 'attractive', m."avgAttractive", 'smart', m."avgSmart",
               'funny', m."avgFunny", 'interesting', m."avgInteresting")
       ) AS "reasons"
FROM "MatchScore" m;
END $do$;

CREATE OR REPLACE VIEW "UserCompatibilityExplained" AS
SELECT c."viewerUserId", c."targetUserId", c."status", c."score",
       jsonb_build_object(
           'components', jsonb_build_object(
               'quiz', c."scoreQuiz", 'interests', c."scoreInterests",
               'ratingQuality', c."scoreRatingsQuality", 'ratingFit', c."scoreRatingsFit"),
           'weights', jsonb_build_object('quiz', 0.45, 'interests', 0.25, 'ratingQuality', 0.10, 'ratingFit', 0.20),
           'sharedInterests', "sharedInterestNames"(c."sharedInterestIds"),
           'sharedInterestCount', c."sharedInterestCount",
           'ratings', jsonb_build_object(
               'count', c."ratingCount", 'attractive', c."avgAttractive", 'smart', c."avgSmart",
               'funny', c."avgFunny", 'interesting', c."avgInteresting")
       ) AS "reasons",
       c."algorithmVersion", c."computedAt"
FROM "UserCompatibility" c;
