-- _HIDING
WITH RECURSIVE asked AS (
    SELECT given."name", given."command", to_regclass(quote_ident(given."name"))::oid AS "relation"
    FROM unnest(%(names)s::text[], %(commands)s::text[]) AS given ("name", "command")
), below AS (
    SELECT DISTINCT "relation" AS "root", "relation", (SELECT oid FROM pg_roles WHERE rolname = current_user) AS "role"
    FROM asked WHERE "relation" IS NOT NULL
    UNION
    SELECT below."root", d.refobjid,
           CASE WHEN EXISTS (SELECT FROM pg_options_to_table(v.reloptions) AS o
                             WHERE o.option_name = 'security_invoker' AND o.option_value::boolean)
                THEN (SELECT oid FROM pg_roles WHERE rolname = current_user) ELSE v.relowner END
    FROM below
    JOIN pg_class v ON v.oid = below."relation" AND v.relkind = 'v'
    JOIN pg_rewrite w ON w.ev_class = v.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
), secured AS (
    SELECT below."root", c.oid, c.relname, c.relnamespace, r.oid AS "role", r.rolname
    FROM below
    JOIN pg_class c ON c.oid = below."relation" AND c.relkind IN ('r', 'p') AND c.relrowsecurity
    JOIN pg_roles r ON r.oid = below."role"
    WHERE NOT r.rolsuper AND NOT r.rolbypassrls
      AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))
), policy AS (
    SELECT s.oid, s."role", p.polcmd::text AS "command", p.polpermissive AS "permissive",
           pg_get_expr(p.polqual, p.polrelid) AS "shows",
           COALESCE(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid)) AS "takes"
    FROM (SELECT DISTINCT oid, "role" FROM secured) AS s
    JOIN pg_policy p ON p.polrelid = s.oid
     AND EXISTS (SELECT FROM unnest(p.polroles) AS named ("role") WHERE named."role" = 0
                 OR pg_has_role(s."role", named."role", 'USAGE'))
)
SELECT DISTINCT a."name", n.nspname::text, s.relname::text, s.rolname::text, a."command", EXISTS (
           SELECT FROM policy p WHERE p.oid = s.oid AND p."role" = s."role" AND NOT p."permissive"
             AND p."command" IN ('*', a."command")
             AND (a."command" <> 'a' AND p."shows" <> 'true' OR a."command" IN ('a', 'w') AND p."takes" <> 'true'))
FROM asked a
JOIN secured s ON s."root" = a."relation"
JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE EXISTS (
    SELECT FROM policy p WHERE p.oid = s.oid AND p."role" = s."role" AND NOT p."permissive"
      AND p."command" IN ('*', a."command")
      AND (a."command" <> 'a' AND p."shows" <> 'true' OR a."command" IN ('a', 'w') AND p."takes" <> 'true'))
OR (a."command" <> 'a' AND NOT EXISTS (
    SELECT FROM policy p WHERE p.oid = s.oid AND p."role" = s."role" AND p."permissive"
      AND p."command" IN ('*', a."command") AND p."shows" = 'true'))
OR (a."command" IN ('a', 'w') AND NOT EXISTS (
    SELECT FROM policy p WHERE p.oid = s.oid AND p."role" = s."role" AND p."permissive"
      AND p."command" IN ('*', a."command") AND p."takes" = 'true'))
ORDER BY 1, 2, 3, 4, 5;
