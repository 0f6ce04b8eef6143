-- A viewer's matches as one row of arrays, best first. "MatchScore" becomes a view of the same columns over it.
-- All of it stands in the schema in which "MatchScore" is found.
SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"MatchScore"');

CREATE TABLE IF NOT EXISTS "MatchList" (
    "userId"              bigint      PRIMARY KEY,
    "scoredAt"            timestamptz NOT NULL,  -- start of the run that computed the list
    "algorithmVersion"    text        NOT NULL,
    "fingerprint"         bigint      NOT NULL,  -- hash of all but the scores, their newness and "scoredAt"
    "viewerTraits"        smallint    NOT NULL,
    "tierA"               smallint    NOT NULL,  -- so many are of tier A: the first ones
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
    "genderOk"            boolean[],             -- NULL: the viewer has no such preference
    "ageOk"               boolean[],
    "distanceOk"          boolean[],
    "sharedInterestId1"   bigint[],              -- each one's first shared interest; NULL: none shares so many
    "sharedInterestId2"   bigint[],
    "sharedInterestId3"   bigint[],
    "sharedInterestId4"   bigint[],
    "sharedInterestId5"   bigint[],
    -- No number that is not finite: NaN counts as more than infinity.
    CONSTRAINT "MatchList_finite" CHECK (
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
-- These hold hardly a value twice: compressing them is time spent in vain.
ALTER TABLE "MatchList" ALTER "score" SET STORAGE EXTERNAL, ALTER "scoreNew" SET STORAGE EXTERNAL;
DO $$
DECLARE
    "name" name;
BEGIN
    FOR "name" IN SELECT attname FROM pg_attribute
                  WHERE attrelid = '"MatchList"'::regclass AND attnum > 0 AND NOT attisdropped AND attndims > 0 LOOP
        EXECUTE format('ALTER TABLE "MatchList" ALTER %I SET COMPRESSION lz4', "name");
    END LOOP;
-- PostgreSQL 13 has one way to compress alone, and so have servers that were built without lz4.
EXCEPTION WHEN syntax_error OR feature_not_supported THEN NULL;
END $$;

-- Makes the views: with the rows of "MatchScoreRow", while there are viewers whose matches are still there, or without.
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
               m."avgFunny", m."avgInteresting", m."ratingCount", m."rank"::smallint AS "rank",
               m."sharedInterestCount", m."commonTraits", l."viewerTraits", m."candidateTraits",
               CASE WHEN m."rank" <= l."tierA" THEN 'A' ELSE 'B' END::char(1) AS "tier",
               m."genderOk", m."ageOk", m."distanceOk", l."scoredAt", l."algorithmVersion",
               NULLIF(array_remove(ARRAY[m."sharedInterestId1", m."sharedInterestId2", m."sharedInterestId3",
                                         m."sharedInterestId4", m."sharedInterestId5"], NULL), '{}')
                   AS "sharedInterestIds"
        FROM "MatchList" l
        CROSS JOIN LATERAL unnest(
            l."candidateUserId", l."score", l."scoreQuiz", l."scoreInterests", l."scoreRatingsQuality",
            l."scoreRatingsFit", l."scoreNew", l."scoreNearby", l."distanceKm", l."avgAttractive", l."avgSmart",
            l."avgFunny", l."avgInteresting", l."ratingCount", l."sharedInterestCount", l."commonTraits",
            l."candidateTraits", l."genderOk", l."ageOk", l."distanceOk", l."sharedInterestId1", l."sharedInterestId2",
            l."sharedInterestId3", l."sharedInterestId4", l."sharedInterestId5") WITH ORDINALITY AS m (
            "candidateUserId", "score", "scoreQuiz", "scoreInterests", "scoreRatingsQuality",
            "scoreRatingsFit", "scoreNew", "scoreNearby", "distanceKm", "avgAttractive", "avgSmart",
            "avgFunny", "avgInteresting", "ratingCount", "sharedInterestCount", "commonTraits",
            "candidateTraits", "genderOk", "ageOk", "distanceOk", "sharedInterestId1", "sharedInterestId2",
            "sharedInterestId3", "sharedInterestId4", "sharedInterestId5", "rank")
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
        SELECT "userId", "scoredAt", "tierA", "candidateUserId", "score" FROM "MatchList"
    $view$ || CASE WHEN "withRows" THEN $view$
        UNION ALL
        SELECT o."userId", max(o."scoredAt"), (count(*) FILTER (WHERE o."tier" = 'A'))::smallint,
               array_agg(o."candidateUserId" ORDER BY o."rank"), array_agg(o."score" ORDER BY o."rank")
        FROM "MatchScoreRow" o WHERE NOT EXISTS (SELECT FROM "MatchList" l WHERE l."userId" = o."userId")
        GROUP BY o."userId"
    $view$ ELSE '' END;
END $function$;

-- Removes old rows of viewers who have no list that would hide them.
CREATE OR REPLACE FUNCTION "forgetMatchRows"("ids" bigint[]) RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
    IF to_regclass('"MatchScoreRow"') IS NULL THEN RETURN; END IF;
    BEGIN
        EXECUTE 'DELETE FROM "MatchScoreRow" WHERE "userId" = ANY ($1)' USING "ids";
    EXCEPTION WHEN undefined_table THEN NULL; -- it went in this moment
    END;
END $function$;

-- Tables and views are found where this session finds them, whoever calls, and whatever their own path.
DO $do$ BEGIN
    EXECUTE format($create$
        -- Once every viewer's matches are lists, the table of the rows goes. Returns whether there is none any more. It
        -- waits for nobody: a reader who stands in the way is left alone, and the next call tries again.
        CREATE OR REPLACE FUNCTION "dropMatchRows"() RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_temp SET lock_timeout = '2s' AS $body$
        BEGIN
            IF to_regclass('"MatchScoreRow"') IS NULL THEN RETURN true; END IF;
            IF EXISTS (SELECT FROM "MatchScoreViewer" v WHERE v."rows" > 0
                       AND NOT EXISTS (SELECT FROM "MatchList" l WHERE l."userId" = v."userId"))
               OR (NOT EXISTS (SELECT FROM "MatchList") AND EXISTS (SELECT FROM "MatchScoreRow")) THEN
                RETURN false;
            END IF;
            PERFORM "matchViews"(false);
            DROP TABLE "MatchScoreRow";
            RETURN true;
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR dependent_objects_still_exist THEN RETURN false;
        END $body$
    $create$, (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.oid = '"MatchList"'::regclass));
END $do$;

DO $do$
DECLARE
    "old"   oid := to_regclass('"MatchScore"');
    "kind"  "char" := (SELECT relkind FROM pg_class WHERE oid = to_regclass('"MatchScore"'));
    "owner" name;
    "other" text;
    "views" text[];
    "text"  text;
    "right" record;
BEGIN
    IF "kind" IS NULL OR "kind" = 'v' THEN
        PERFORM "matchViews"(to_regclass('"MatchScoreRow"') IS NOT NULL);
        PERFORM "dropMatchRows"();
        RETURN;
    END IF;

    -- What cannot be over a view, or would be lost with the table, is the site's to decide on.
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = "old") THEN
        RAISE EXCEPTION 'row level security of "MatchScore" would end: it becomes a view'
            USING HINT = 'put the condition into a view of your own that selects from "MatchScore", grant that one'
                ' instead, and switch row level security off: docs/match-scores.md';
    END IF;
    SELECT string_agg("dependent", ', ') INTO "other" FROM (
        SELECT pg_describe_object(d.classid, d.objid, 0) AS "dependent" FROM pg_depend d
        LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
        LEFT JOIN pg_class v ON v.oid = w.ev_class
        LEFT JOIN pg_constraint c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
        WHERE d.deptype = 'n' AND v.relkind IS DISTINCT FROM 'v' AND c.conrelid IS DISTINCT FROM "old"
          AND d.classid <> 'pg_attrdef'::regclass
          AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = "old"
               OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (
                   SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_type t WHERE t.typrelid = "old"))
        UNION
        SELECT pg_describe_object('pg_trigger'::regclass, t.oid, 0) FROM pg_trigger t
        WHERE t.tgrelid = "old" AND NOT t.tgisinternal
        UNION
        SELECT pg_describe_object('pg_constraint'::regclass, c.oid, 0) FROM pg_constraint c
        WHERE c.conrelid = "old" AND c.contype = 'f'
    ) AS "dependent";
    IF "other" IS NOT NULL THEN
        RAISE EXCEPTION '"MatchScore" becomes a view, and these cannot stay: %', "other"
            USING HINT = 'drop them, apply the migration, and make them again over the view, or over "MatchList":'
                ' docs/match-scores.md';
    END IF;

    SELECT array_agg(format('CREATE OR REPLACE VIEW %s %s AS %s', v.oid::regclass,
                            'WITH (' || array_to_string(v.reloptions, ', ') || ')', pg_get_viewdef(v.oid)))
    INTO "views" FROM pg_class v WHERE v.oid IN (
        SELECT w.ev_class FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = "old");
    IF to_regclass('"MatchScoreRow"') IS NULL THEN
        ALTER TABLE "MatchScore" RENAME TO "MatchScoreRow";
    ELSE
        -- The view was dropped while viewers moved, and this table, still empty, was made in its place.
        ALTER TABLE "MatchScore" RENAME TO "MatchScoreSpare";
    END IF;
    PERFORM "matchViews"(true);
    FOREACH "text" IN ARRAY COALESCE("views", '{}') LOOP
        EXECUTE "text";
    END LOOP;

    -- Who owns the table owns what takes its place; who could read it reads the views, who could write it the lists.
    SELECT pg_get_userbyid(relowner) INTO "owner" FROM pg_class WHERE oid = "old";
    IF "owner" <> current_user THEN
        EXECUTE format('ALTER TABLE "MatchList" OWNER TO %I', "owner");
        EXECUTE format('ALTER VIEW "MatchScore" OWNER TO %I', "owner");
        EXECUTE format('ALTER VIEW "MatchCandidates" OWNER TO %I', "owner");
        EXECUTE format('ALTER FUNCTION "matchViews"(boolean) OWNER TO %I', "owner");
        EXECUTE format('ALTER FUNCTION "dropMatchRows"() OWNER TO %I', "owner");
    END IF;
    FOR "right" IN
        SELECT a.privilege_type AS "name", NULL::name AS "column",
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS "role",
               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS "option",
               bool_or(a.privilege_type = 'INSERT') OVER (PARTITION BY a.grantee) AS "writes"
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a WHERE c.oid = "old" AND a.grantee <> c.relowner
        UNION ALL
        SELECT a.privilege_type, t.attname,
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, false
        FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) a WHERE t.attrelid = "old"
    LOOP
        IF "right"."name" = 'SELECT' THEN
            EXECUTE format('GRANT SELECT%s ON "MatchScore" TO %s%s',
                           ' (' || quote_ident("right"."column") || ')', "right"."role", "right"."option");
            IF "right"."column" IS NULL THEN
                EXECUTE format('GRANT SELECT ON "MatchCandidates" TO %s%s', "right"."role", "right"."option");
            END IF;
        END IF;
        IF "right"."writes" AND "right"."name" IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') THEN
            EXECUTE format('GRANT %s ON "MatchList" TO %s%s', "right"."name", "right"."role", "right"."option");
        END IF;
    END LOOP;

    DROP TABLE IF EXISTS "MatchScoreSpare";
    PERFORM "dropMatchRows"();
END $do$;
