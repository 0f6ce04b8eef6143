-- Spares: the matches next after a list's end. They are shown nowhere; a list that loses some of its matches takes their
-- successors from here. In "MatchListChange" the ranks of a list's matches, and of those stored there, are followed by one
-- for each spare: 0, or -1 for one that changed, or has become a match.
SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"MatchScore"');

-- NULL: there are none, as for a list that holds every candidate.
ALTER TABLE "MatchList" ADD COLUMN IF NOT EXISTS "spareUserId" bigint[], ADD COLUMN IF NOT EXISTS "spareScore" real[],
    ADD COLUMN IF NOT EXISTS "spareTierA" smallint;  -- so many are of tier A: the first ones
-- Too short to compress, and statistics of them serve no query.
ALTER TABLE "MatchList" ALTER "spareUserId" SET STORAGE MAIN, ALTER "spareScore" SET STORAGE MAIN,
    ALTER "spareUserId" SET STATISTICS 0, ALTER "spareScore" SET STATISTICS 0;
-- New rows alone are checked: there are no spares in older ones.
DO $$ BEGIN
    ALTER TABLE "MatchList" ADD CONSTRAINT "MatchList_spares" CHECK (
        'Infinity' > ALL ("spareScore") AND '-Infinity' < ALL ("spareScore")
    ) NOT VALID;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
