-- What stands beside a list has few candidates: an array for each of its 27 columns is mostly headers, to store, to log and
-- to check. Their numbers are three arrays now, one candidate's after the other's. Rows of before are shown as they are,
-- until the next run for everybody.
SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"MatchScore"');

ALTER TABLE "MatchListChange"
    -- Of each candidate 13: scoreQuiz, scoreInterests, scoreRatingsQuality, scoreRatingsFit, scoreNew, scoreNearby,
    -- distanceKm, avgAttractive, avgSmart, avgFunny, avgInteresting, scoreLike, scoreBack.
    ADD COLUMN IF NOT EXISTS "parts" real[],
    -- Of each 7: ratingCount, sharedInterestCount, commonTraits, candidateTraits; genderOk, ageOk, distanceOk as 0 and 1.
    ADD COLUMN IF NOT EXISTS "counts" integer[],
    -- Of each 5, or NULL where nobody has any.
    ADD COLUMN IF NOT EXISTS "sharedInterestIds" bigint[],
    ALTER "parts" SET STATISTICS 0, ALTER "counts" SET STATISTICS 0, ALTER "sharedInterestIds" SET STATISTICS 0,
    ALTER "scoreQuiz" DROP NOT NULL, ALTER "scoreInterests" DROP NOT NULL, ALTER "scoreRatingsQuality" DROP NOT NULL,
    ALTER "scoreRatingsFit" DROP NOT NULL, ALTER "scoreNew" DROP NOT NULL, ALTER "scoreNearby" DROP NOT NULL,
    ALTER "distanceKm" DROP NOT NULL, ALTER "avgAttractive" DROP NOT NULL, ALTER "avgSmart" DROP NOT NULL,
    ALTER "avgFunny" DROP NOT NULL, ALTER "avgInteresting" DROP NOT NULL, ALTER "ratingCount" DROP NOT NULL,
    ALTER "sharedInterestCount" DROP NOT NULL, ALTER "commonTraits" DROP NOT NULL, ALTER "candidateTraits" DROP NOT NULL;
-- New rows alone are checked: there are no such arrays in older ones.
DO $$ BEGIN
    ALTER TABLE "MatchListChange" ADD CONSTRAINT "MatchListChange_parts" CHECK (
        'Infinity' > ALL ("parts") AND '-Infinity' < ALL ("parts")
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
            SELECT o."candidateUserId", o."score",
                   COALESCE(o."scoreQuiz", ((o."quizCode" + 32760) / 65520.0::float8)::real) AS "scoreQuiz",
                   COALESCE(o."scoreInterests", ((o."interestsCode" + 32760) / 65520.0::float8)::real) AS "scoreInterests",
                   COALESCE(o."scoreRatingsQuality", (CASE
                       WHEN o."ratingCount" < 3 THEN 0.5
                       WHEN o."avgAttractive" IS NULL THEN (o."attractiveHalves"::float8 + o."smartHalves"
                           + o."funnyHalves" + o."interestingHalves") / (40.0::float8 * o."ratingCount")
                       ELSE (o."avgAttractive"::float8 + o."avgSmart" + o."avgFunny" + o."avgInteresting") / 20
                       END)::real) AS "scoreRatingsQuality",
                   COALESCE(o."scoreRatingsFit", ((o."ratingsFitCode" + 32760) / 65520.0::float8)::real) AS "scoreRatingsFit",
                   COALESCE(o."scoreNew", ((o."newCode" + 32760) / 65520.0::float8)::real) AS "scoreNew",
                   COALESCE(o."scoreNearby", ((o."nearbyCode" + 32760) / 65520.0::float8)::real) AS "scoreNearby",
                   o."distanceKm",
                   COALESCE(o."avgAttractive", (o."attractiveHalves" / (2.0::float8 * NULLIF(o."ratingCount", 0)))::real) AS "avgAttractive",
                   COALESCE(o."avgSmart", (o."smartHalves" / (2.0::float8 * NULLIF(o."ratingCount", 0)))::real) AS "avgSmart",
                   COALESCE(o."avgFunny", (o."funnyHalves" / (2.0::float8 * NULLIF(o."ratingCount", 0)))::real) AS "avgFunny",
                   COALESCE(o."avgInteresting", (o."interestingHalves" / (2.0::float8 * NULLIF(o."ratingCount", 0)))::real) AS "avgInteresting",
                   o."ratingCount", o."sharedInterestCount", o."commonTraits", o."candidateTraits", o."genderOk",
                   o."ageOk", o."distanceOk", o."sharedInterestId1", o."sharedInterestId2", o."sharedInterestId3",
                   o."sharedInterestId4", o."sharedInterestId5", o."scoreLike", o."scoreBack", o."place",
                   COALESCE(c."rank"[o."place"], o."place")::smallint AS "rank"
            FROM unnest(
                l."candidateUserId", l."score", l."scoreQuiz", l."quizCode", l."scoreInterests", l."interestsCode",
                l."scoreRatingsQuality", l."scoreRatingsFit", l."ratingsFitCode", l."scoreNew", l."newCode",
                l."scoreNearby", l."nearbyCode", l."distanceKm", l."avgAttractive", l."attractiveHalves", l."avgSmart",
                l."smartHalves", l."avgFunny", l."funnyHalves", l."avgInteresting", l."interestingHalves",
                l."ratingCount", l."sharedInterestCount", l."commonTraits", l."candidateTraits", l."genderOk", l."ageOk",
                l."distanceOk", l."sharedInterestId1", l."sharedInterestId2", l."sharedInterestId3",
                l."sharedInterestId4", l."sharedInterestId5", l."scoreLike", l."scoreBack"
            ) WITH ORDINALITY AS o (
                "candidateUserId", "score", "scoreQuiz", "quizCode", "scoreInterests", "interestsCode",
                "scoreRatingsQuality", "scoreRatingsFit", "ratingsFitCode", "scoreNew", "newCode",
                "scoreNearby", "nearbyCode", "distanceKm", "avgAttractive", "attractiveHalves", "avgSmart",
                "smartHalves", "avgFunny", "funnyHalves", "avgInteresting", "interestingHalves", "ratingCount",
                "sharedInterestCount", "commonTraits", "candidateTraits", "genderOk", "ageOk", "distanceOk",
                "sharedInterestId1", "sharedInterestId2", "sharedInterestId3", "sharedInterestId4",
                "sharedInterestId5", "scoreLike", "scoreBack", "place")
            UNION ALL
            SELECT o."candidateUserId", o."score", COALESCE(o."scoreQuiz", c."parts"[13 * o."place" - 12]),
                   COALESCE(o."scoreInterests", c."parts"[13 * o."place" - 11]),
                   COALESCE(o."scoreRatingsQuality", c."parts"[13 * o."place" - 10]),
                   COALESCE(o."scoreRatingsFit", c."parts"[13 * o."place" - 9]),
                   COALESCE(o."scoreNew", c."parts"[13 * o."place" - 8]),
                   COALESCE(o."scoreNearby", c."parts"[13 * o."place" - 7]),
                   COALESCE(o."distanceKm", c."parts"[13 * o."place" - 6]),
                   COALESCE(o."avgAttractive", c."parts"[13 * o."place" - 5]),
                   COALESCE(o."avgSmart", c."parts"[13 * o."place" - 4]),
                   COALESCE(o."avgFunny", c."parts"[13 * o."place" - 3]),
                   COALESCE(o."avgInteresting", c."parts"[13 * o."place" - 2]),
                   COALESCE(o."ratingCount", c."counts"[7 * o."place" - 6]),
                   COALESCE(o."sharedInterestCount", c."counts"[7 * o."place" - 5]::smallint),
                   COALESCE(o."commonTraits", c."counts"[7 * o."place" - 4]::smallint),
                   COALESCE(o."candidateTraits", c."counts"[7 * o."place" - 3]::smallint),
                   COALESCE(o."genderOk", c."counts"[7 * o."place" - 2]::boolean),
                   COALESCE(o."ageOk", c."counts"[7 * o."place" - 1]::boolean),
                   COALESCE(o."distanceOk", c."counts"[7 * o."place"]::boolean),
                   COALESCE(o."sharedInterestId1", c."sharedInterestIds"[5 * o."place" - 4]),
                   COALESCE(o."sharedInterestId2", c."sharedInterestIds"[5 * o."place" - 3]),
                   COALESCE(o."sharedInterestId3", c."sharedInterestIds"[5 * o."place" - 2]),
                   COALESCE(o."sharedInterestId4", c."sharedInterestIds"[5 * o."place" - 1]),
                   COALESCE(o."sharedInterestId5", c."sharedInterestIds"[5 * o."place"]),
                   COALESCE(o."scoreLike", c."parts"[13 * o."place" - 1]),
                   COALESCE(o."scoreBack", c."parts"[13 * o."place"]), o."place",
                   c."rank"[cardinality(l."candidateUserId") + o."place"]
            FROM unnest(
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
