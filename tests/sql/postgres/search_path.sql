-- _CONFIGURED
SELECT current_setting('search_path'), (
    SELECT substr(entry, length('search_path=') + 1)
    FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS entry
    WHERE entry LIKE 'search\_path=%'
      AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
      AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
    ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1);
