-- _REACHED
SELECT wanted."name" FROM unnest(%(names)s::text[]) AS wanted ("name")
JOIN pg_class c ON c.oid = to_regclass(quote_ident(wanted."name"))
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f');

-- _SESSION
SELECT current_user::text, current_database()::text, current_schemas(false)::text[],
       ARRAY(SELECT extname::text FROM pg_extension);

-- _ELSEWHERE
SELECT c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = ANY(%(names)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_temp%%'
ORDER BY n.nspname;

-- _RELATIONS
SELECT wanted."name", c.oid, n.nspname, c.relkind::text,
       ARRAY(SELECT a.attname::text FROM pg_partitioned_table t JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE t.partrelid = c.oid AND a.attnum = ANY(t.partattrs::int2[])),
       ARRAY(SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
             WHERE has_table_privilege(c.oid, privilege))
FROM unnest(%(names)s::text[]) AS wanted ("name")
JOIN pg_class c ON c.oid = to_regclass(quote_ident(wanted."name"))
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f');

-- _COLUMNS
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), format_type(b.oid, NULL), b.typcategory::text,
       COALESCE(e.typcategory::text, ''),
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
       ARRAY(SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS privilege
             WHERE has_column_privilege(a.attrelid, a.attnum, privilege))
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY(%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped;

-- _INDEXES
SELECT i.indrelid, i.indisunique, am.amname,
       ARRAY(SELECT a.attname::text FROM generate_series(0, i.indnkeyatts - 1) AS position
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[position] ORDER BY position),
       i.indpred IS NOT NULL
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
WHERE i.indrelid = ANY(%(oids)s::oid[]) AND i.indisvalid AND i.indexprs IS NULL
  AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '("deletedAt" IS NULL)');

-- _VIEWS
WITH RECURSIVE above AS (
    SELECT "oid" AS "root", "oid" FROM unnest(%(oids)s::oid[]) AS "oid"
    UNION
    SELECT above."root", w.ev_class
    FROM above
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = above."oid"
    JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
)
SELECT above."root", format('%%I.%%I', n.nspname, v.relname)
FROM above JOIN pg_class v ON v.oid = above."oid" AND v.oid <> above."root"
JOIN pg_namespace n ON n.oid = v.relnamespace
ORDER BY 1, 2;
