-- What changed in a viewer's list since it was computed: an incremental run writes a few matches instead of all.
-- All of it stands in the schema in which "MatchScore" is found.
SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"MatchScore"');

CREATE TABLE IF NOT EXISTS "MatchListChange" (
    "userId"              bigint      PRIMARY KEY,
    "listScoredAt"        timestamptz NOT NULL,  -- of the list that it belongs to; it says nothing of any other
    "scoredAt"            timestamptz NOT NULL,  -- start of the run that computed the changes
    "tierA"               smallint    NOT NULL,  -- so many are of tier A: those of the first ranks
    -- The rank of each match of the list, then of each one here: 0 is none, -1 one that changed and no longer holds.
    "rank"                smallint[]  NOT NULL,
    "candidateUserId"     bigint[]    NOT NULL,
    "score"               real[]      NOT NULL,
    "scoreQuiz"           real[]      NOT NULL,
    "scoreInterests"      real[]      NOT NULL,
    "scoreRatingsQuality" real[]      NOT NULL,
    "scoreRatingsFit"     real[]      NOT NULL,
    "scoreNew"            real[]      NOT NULL,
    "scoreNearby"         real[]      NOT NULL,
    "distanceKm"          real[]      NOT NULL,
    "avgAttractive"       real[]      NOT NULL,
    "avgSmart"            real[]      NOT NULL,
    "avgFunny"            real[]      NOT NULL,
    "avgInteresting"      real[]      NOT NULL,
    "ratingCount"         integer[]   NOT NULL,
    "sharedInterestCount" smallint[]  NOT NULL,
    "commonTraits"        smallint[]  NOT NULL,
    "candidateTraits"     smallint[]  NOT NULL,
    "genderOk"            boolean[],
    "ageOk"               boolean[],
    "distanceOk"          boolean[],
    "sharedInterestId1"   bigint[],
    "sharedInterestId2"   bigint[],
    "sharedInterestId3"   bigint[],
    "sharedInterestId4"   bigint[],
    "sharedInterestId5"   bigint[],
    CONSTRAINT "MatchListChange_finite" CHECK (
        'Infinity' > ALL ("score") AND '-Infinity' < ALL ("score")
        AND 'Infinity' > ALL ("scoreQuiz") AND '-Infinity' < ALL ("scoreQuiz")
        AND 'Infinity' > ALL ("scoreInterests") AND '-Infinity' < ALL ("scoreInterests")
        AND 'Infinity' > ALL ("scoreRatingsQuality") AND '-Infinity' < ALL ("scoreRatingsQuality")
        AND 'Infinity' > ALL ("scoreRatingsFit") AND '-Infinity' < ALL ("scoreRatingsFit")
        AND 'Infinity' > ALL ("scoreNew") AND '-Infinity' < ALL ("scoreNew")
        AND 'Infinity' > ALL ("scoreNearby") AND '-Infinity' < ALL ("scoreNearby")
        AND 'Infinity' > ALL ("distanceKm") AND 0 <= ALL ("distanceKm")
        AND 'Infinity' > ALL ("avgAttractive") AND '-Infinity' < ALL ("avgAttractive")
        AND 'Infinity' > ALL ("avgSmart") AND '-Infinity' < ALL ("avgSmart")
        AND 'Infinity' > ALL ("avgFunny") AND '-Infinity' < ALL ("avgFunny")
        AND 'Infinity' > ALL ("avgInteresting") AND '-Infinity' < ALL ("avgInteresting"))
);
-- The row fills a page rather than a quarter of one before anything of it is stored apart.
ALTER TABLE "MatchListChange" SET (toast_tuple_target = 8160);

CREATE OR REPLACE FUNCTION "matchViews"("withRows" boolean) RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
    -- A later migration's view has more columns: none of them may go.
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('"MatchScore"') AND attname = 'scoreLike') THEN
        RETURN;
    END IF;
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
                   AS "sharedInterestIds"
        FROM "MatchList" l
        LEFT JOIN "MatchListChange" c ON c."userId" = l."userId" AND c."listScoredAt" = l."scoredAt"
        CROSS JOIN LATERAL (
            SELECT o.*, COALESCE(c."rank"[o."place"], o."place")::smallint AS "rank" FROM unnest(
                l."candidateUserId", l."score", l."scoreQuiz", l."scoreInterests", l."scoreRatingsQuality",
                l."scoreRatingsFit", l."scoreNew", l."scoreNearby", l."distanceKm", l."avgAttractive", l."avgSmart",
                l."avgFunny", l."avgInteresting", l."ratingCount", l."sharedInterestCount", l."commonTraits",
                l."candidateTraits", l."genderOk", l."ageOk", l."distanceOk", l."sharedInterestId1",
                l."sharedInterestId2", l."sharedInterestId3", l."sharedInterestId4", l."sharedInterestId5"
            ) WITH ORDINALITY AS o (
                "candidateUserId", "score", "scoreQuiz", "scoreInterests", "scoreRatingsQuality",
                "scoreRatingsFit", "scoreNew", "scoreNearby", "distanceKm", "avgAttractive", "avgSmart",
                "avgFunny", "avgInteresting", "ratingCount", "sharedInterestCount", "commonTraits",
                "candidateTraits", "genderOk", "ageOk", "distanceOk", "sharedInterestId1", "sharedInterestId2",
                "sharedInterestId3", "sharedInterestId4", "sharedInterestId5", "place")
            UNION ALL
            SELECT o.*, c."rank"[cardinality(l."candidateUserId") + o."place"] FROM unnest(
                c."candidateUserId", c."score", c."scoreQuiz", c."scoreInterests", c."scoreRatingsQuality",
                c."scoreRatingsFit", c."scoreNew", c."scoreNearby", c."distanceKm", c."avgAttractive", c."avgSmart",
                c."avgFunny", c."avgInteresting", c."ratingCount", c."sharedInterestCount", c."commonTraits",
                c."candidateTraits", c."genderOk", c."ageOk", c."distanceOk", c."sharedInterestId1",
                c."sharedInterestId2", c."sharedInterestId3", c."sharedInterestId4", c."sharedInterestId5"
            ) WITH ORDINALITY AS o (
                "candidateUserId", "score", "scoreQuiz", "scoreInterests", "scoreRatingsQuality",
                "scoreRatingsFit", "scoreNew", "scoreNearby", "distanceKm", "avgAttractive", "avgSmart",
                "avgFunny", "avgInteresting", "ratingCount", "sharedInterestCount", "commonTraits",
                "candidateTraits", "genderOk", "ageOk", "distanceOk", "sharedInterestId1", "sharedInterestId2",
                "sharedInterestId3", "sharedInterestId4", "sharedInterestId5", "place")
        ) AS m
        WHERE m."rank" > 0
    $view$ || CASE WHEN "withRows" THEN $view$
        UNION ALL
        SELECT o."userId", o."candidateUserId", o."score", o."scoreQuiz", o."scoreInterests", o."scoreRatingsQuality",
               o."scoreRatingsFit", o."scoreNew", o."scoreNearby", o."distanceKm", o."avgAttractive", o."avgSmart",
               o."avgFunny", o."avgInteresting", o."ratingCount", o."rank", o."sharedInterestCount", o."commonTraits",
               o."viewerTraits", o."candidateTraits", o."tier", o."genderOk", o."ageOk", o."distanceOk", o."scoredAt",
               o."algorithmVersion", o."sharedInterestIds"
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

-- Whoever owns the lists owns their changes, and who may write the former may write the latter.
DO $do$
DECLARE
    "owner" name := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = '"MatchList"'::regclass);
    "right" record;
BEGIN
    PERFORM "matchViews"(to_regclass('"MatchScoreRow"') IS NOT NULL);
    FOR "right" IN
        SELECT a.privilege_type AS "name", CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS "option",
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS "role"
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = '"MatchList"'::regclass AND a.grantee <> c.relowner
          AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        EXECUTE format('GRANT %s ON "MatchListChange" TO %s%s', "right"."name", "right"."role", "right"."option");
    END LOOP;
    IF "owner" <> current_user THEN
        EXECUTE format('ALTER TABLE "MatchListChange" OWNER TO %I', "owner");
    END IF;
END $do$;
