-- Chances beside a match's score, where a model has been learned: that the viewer says yes, and that the candidate does.
-- All of it stands in the schema in which "MatchScore" is found.
SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"MatchScore"');

ALTER TABLE "MatchList" ADD COLUMN IF NOT EXISTS "scoreLike" real[], ADD COLUMN IF NOT EXISTS "scoreBack" real[];
ALTER TABLE "MatchListChange" ADD COLUMN IF NOT EXISTS "scoreLike" real[], ADD COLUMN IF NOT EXISTS "scoreBack" real[];
-- These hold hardly a value twice, and statistics of them serve no query.
ALTER TABLE "MatchList" ALTER "scoreLike" SET STORAGE EXTERNAL, ALTER "scoreBack" SET STORAGE EXTERNAL,
    ALTER "scoreLike" SET STATISTICS 0, ALTER "scoreBack" SET STATISTICS 0;
-- New rows alone are checked: there are no chances in older ones.
DO $$ BEGIN
    ALTER TABLE "MatchList" ADD CONSTRAINT "MatchList_chances" CHECK (
        1 >= ALL ("scoreLike") AND 0 <= ALL ("scoreLike") AND 1 >= ALL ("scoreBack") AND 0 <= ALL ("scoreBack")
    ) NOT VALID;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
DO $$ BEGIN
    ALTER TABLE "MatchListChange" ADD CONSTRAINT "MatchListChange_chances" CHECK (
        1 >= ALL ("scoreLike") AND 0 <= ALL ("scoreLike") AND 1 >= ALL ("scoreBack") AND 0 <= ALL ("scoreBack")
    ) NOT VALID;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

CREATE OR REPLACE FUNCTION "matchViews"("withRows" boolean) RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
    EXECUTE $view$
        CREATE OR REPLACE VIEW "MatchScore" AS
        SELECT l."userId", m."candidateUserId", m."score", m."scoreQuiz", m."scoreInterests", m."scoreRatingsQuality",
               m."scoreRatingsFit", m."scoreNew", m."scoreNearby", m."distanceKm", m."avgAttractive", m."avgSmart",
               m."avgFunny", m."avgInteresting", m."ratingCount", m."rank", m."sharedInterestCount", m."commonTraits",
               l."viewerTraits", m."candidateTraits",
               CASE WHEN m."rank" <= COALESCE(c."tierA", l."tierA") THEN 'A' ELSE 'B' END::char(1) AS "tier",
               m."genderOk", m."ageOk", m."distanceOk", l."scoredAt", l."algorithmVersion",
               NULLIF(array_remove(ARRAY[m."sharedInterestId1", m."sharedInterestId2", m."sharedInterestId3",
                                         m."sharedInterestId4", m."sharedInterestId5"], NULL), '{}')
                   AS "sharedInterestIds", m."scoreLike", m."scoreBack"
        FROM "MatchList" l
        LEFT JOIN "MatchListChange" c ON c."userId" = l."userId" AND c."listScoredAt" = l."scoredAt"
        CROSS JOIN LATERAL (
            SELECT o.*, COALESCE(c."rank"[o."place"], o."place")::smallint AS "rank" FROM unnest(
                l."candidateUserId", l."score", l."scoreQuiz", l."scoreInterests", l."scoreRatingsQuality",
                l."scoreRatingsFit", l."scoreNew", l."scoreNearby", l."distanceKm", l."avgAttractive", l."avgSmart",
                l."avgFunny", l."avgInteresting", l."ratingCount", l."sharedInterestCount", l."commonTraits",
                l."candidateTraits", l."genderOk", l."ageOk", l."distanceOk", l."sharedInterestId1",
                l."sharedInterestId2", l."sharedInterestId3", l."sharedInterestId4", l."sharedInterestId5",
                l."scoreLike", l."scoreBack"
            ) WITH ORDINALITY AS o (
                "candidateUserId", "score", "scoreQuiz", "scoreInterests", "scoreRatingsQuality",
                "scoreRatingsFit", "scoreNew", "scoreNearby", "distanceKm", "avgAttractive", "avgSmart",
                "avgFunny", "avgInteresting", "ratingCount", "sharedInterestCount", "commonTraits",
                "candidateTraits", "genderOk", "ageOk", "distanceOk", "sharedInterestId1", "sharedInterestId2",
                "sharedInterestId3", "sharedInterestId4", "sharedInterestId5", "scoreLike", "scoreBack", "place")
            UNION ALL
            SELECT o.*, c."rank"[cardinality(l."candidateUserId") + o."place"] FROM unnest(
                c."candidateUserId", c."score", c."scoreQuiz", c."scoreInterests", c."scoreRatingsQuality",
                c."scoreRatingsFit", c."scoreNew", c."scoreNearby", c."distanceKm", c."avgAttractive", c."avgSmart",
                c."avgFunny", c."avgInteresting", c."ratingCount", c."sharedInterestCount", c."commonTraits",
                c."candidateTraits", c."genderOk", c."ageOk", c."distanceOk", c."sharedInterestId1",
                c."sharedInterestId2", c."sharedInterestId3", c."sharedInterestId4", c."sharedInterestId5",
                c."scoreLike", c."scoreBack"
            ) WITH ORDINALITY AS o (
                "candidateUserId", "score", "scoreQuiz", "scoreInterests", "scoreRatingsQuality",
                "scoreRatingsFit", "scoreNew", "scoreNearby", "distanceKm", "avgAttractive", "avgSmart",
                "avgFunny", "avgInteresting", "ratingCount", "sharedInterestCount", "commonTraits",
                "candidateTraits", "genderOk", "ageOk", "distanceOk", "sharedInterestId1", "sharedInterestId2",
                "sharedInterestId3", "sharedInterestId4", "sharedInterestId5", "scoreLike", "scoreBack", "place")
        ) AS m
        WHERE m."rank" > 0
    $view$ || CASE WHEN "withRows" THEN $view$
        UNION ALL
        SELECT o."userId", o."candidateUserId", o."score", o."scoreQuiz", o."scoreInterests", o."scoreRatingsQuality",
               o."scoreRatingsFit", o."scoreNew", o."scoreNearby", o."distanceKm", o."avgAttractive", o."avgSmart",
               o."avgFunny", o."avgInteresting", o."ratingCount", o."rank", o."sharedInterestCount", o."commonTraits",
               o."viewerTraits", o."candidateTraits", o."tier", o."genderOk", o."ageOk", o."distanceOk", o."scoredAt",
               o."algorithmVersion", o."sharedInterestIds", NULL::real, NULL::real
        FROM "MatchScoreRow" o WHERE NOT EXISTS (SELECT FROM "MatchList" l WHERE l."userId" = o."userId")
    $view$ ELSE '' END;
    EXECUTE $view$
        CREATE OR REPLACE VIEW "MatchCandidates" AS
        SELECT l."userId", COALESCE(c."scoredAt", l."scoredAt") AS "scoredAt",
               COALESCE(c."tierA", l."tierA") AS "tierA",
               CASE WHEN c."userId" IS NULL THEN l."candidateUserId" ELSE m."ids" END AS "candidateUserId",
               CASE WHEN c."userId" IS NULL THEN l."score" ELSE m."scores" END AS "score"
        FROM "MatchList" l
        LEFT JOIN "MatchListChange" c ON c."userId" = l."userId" AND c."listScoredAt" = l."scoredAt"
        LEFT JOIN LATERAL (
            SELECT array_agg(o."id" ORDER BY o."rank") AS "ids", array_agg(o."score" ORDER BY o."rank") AS "scores"
            FROM unnest(l."candidateUserId" || c."candidateUserId", l."score" || c."score", c."rank")
                AS o ("id", "score", "rank") WHERE o."rank" > 0
        ) AS m ON c."userId" IS NOT NULL
    $view$ || CASE WHEN "withRows" THEN $view$
        UNION ALL
        SELECT o."userId", max(o."scoredAt"), (count(*) FILTER (WHERE o."tier" = 'A'))::smallint,
               array_agg(o."candidateUserId" ORDER BY o."rank"), array_agg(o."score" ORDER BY o."rank")
        FROM "MatchScoreRow" o WHERE NOT EXISTS (SELECT FROM "MatchList" l WHERE l."userId" = o."userId")
        GROUP BY o."userId"
    $view$ ELSE '' END;
END $function$;

DO $$ BEGIN
    PERFORM "matchViews"(to_regclass('"MatchScoreRow"') IS NOT NULL);
    PERFORM "dropMatchRows"();
END $$;

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
       ) AS "reasons", m."scoreLike", m."scoreBack"
FROM "MatchScore" m;
