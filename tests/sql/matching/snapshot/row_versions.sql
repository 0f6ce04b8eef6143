-- _READ_MOMENT
SELECT (SELECT "system_identifier" FROM pg_control_system())::text || '/'
           || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
       pg_snapshot_xmin(pg_current_snapshot())::xid::text;

-- _READ_TABLES
SELECT given."name", c."oid"::bigint FROM unnest(%(names)s::text[]) AS given ("name")
JOIN pg_class c ON c."oid" = to_regclass(format('%%I', given."name")) AND c."relkind" = 'r' AND NOT c."relhassubclass";
