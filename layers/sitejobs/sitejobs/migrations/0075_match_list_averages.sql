-- Two of the averages of ratings are stored as they are. pglz takes longer for one than the server for all else that is
-- done with it, and shrinks it by less than half; without all four, a list would be a seventh larger. lz4 is fast.
SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"MatchScore"');

DO $do$
DECLARE
    "column" record;
BEGIN
    FOR "column" IN
        SELECT a.attname AS "name" FROM pg_attribute a
        WHERE a.attrelid = '"MatchList"'::regclass AND a.attname IN ('avgAttractive', 'avgSmart')
          AND to_jsonb(a) ->> 'attcompression' IS DISTINCT FROM 'l'
    LOOP
        EXECUTE format('ALTER TABLE "MatchList" ALTER %I SET STORAGE EXTERNAL', "column"."name");
    END LOOP;
END $do$;
