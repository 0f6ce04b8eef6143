-- Old rows are looked for in the bundle's schema alone: a site may have a table of this name where the caller looks, too.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION "forgetMatchRows"(bigint[]) SET search_path = %I, pg_temp',
                   (SELECT n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                    WHERE p.oid = to_regprocedure('"forgetMatchRows"(bigint[])')));
END $$;
