-- How "MatchList" is stored: as little work for the server as the size of the lists allows.
SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"MatchScore"');

-- A list's smaller arrays stay in its row, which fills a page: a piece of its own costs a row, an index entry and their log.
ALTER TABLE "MatchList" SET (toast_tuple_target = 8160);

DO $do$
DECLARE
    "column" record;
BEGIN
    FOR "column" IN
        SELECT a.attname AS "name", a.attndims > 0 AS "isArray", to_jsonb(a) ->> 'attcompression' AS "compression"
        FROM pg_attribute a WHERE a.attrelid = '"MatchList"'::regclass AND a.attnum > 0 AND NOT a.attisdropped
    LOOP
        -- pglz takes ten times as long for ids as for anything else, and the other two hardly shrink. lz4 is fast on all.
        IF "column"."name" IN ('candidateUserId', 'distanceKm', 'scoreQuiz') AND "column"."compression" IS DISTINCT FROM 'l' THEN
            EXECUTE format('ALTER TABLE "MatchList" ALTER %I SET STORAGE EXTERNAL', "column"."name");
        END IF;
        -- Statistics of an array's elements serve no query and take ANALYZE as long as writing all lists. How long
        -- arrays are is told by those of the ids.
        EXECUTE format('ALTER TABLE "MatchList" ALTER %I SET STATISTICS %s', "column"."name",
                       CASE WHEN "column"."isArray" AND "column"."name" <> 'candidateUserId' THEN 0 ELSE 10 END);
    END LOOP;
END $do$;
