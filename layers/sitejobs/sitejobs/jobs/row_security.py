"""Row level security: whether a role sees, and may change, all rows of a job's tables.

A table with row level security and no policy shows no rows and raises no error: all blocks, or all users, seem deleted.
So no run starts unless each of its tables shows and accepts every row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.errors import InvalidInput
from sitejobs.jobs.tables import Commands

# A view is followed to the tables below it: the policies for its owner apply, or those for the reader if it is a
# security_invoker view. A table's policies also hold for partitions and children that are read through it. A
# materialized view has rows of its own.
_HIDING: Final[LiteralString] = """
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
ORDER BY 1, 2, 3, 4, 5
"""
_NAMES: Final = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


@dataclass(frozen=True)
class Hiding:
    """A table that hides rows from a role, or refuses some of its writes.

    asked : the table or view that a job names; `schema` and `table`: the table with the policies.
    role : the role whose policies apply: the one that runs the jobs, or the owner of a view in between.
    commands : the commands that are not allowed on every row.
    restricted : whether a restrictive policy is the reason; no other policy can lift it.
    """

    asked: str
    schema: str
    table: str
    role: str
    commands: Commands
    restricted: bool

    @property
    def mend(self) -> str:
        """SQL that makes every row visible, for the table's owner or a superuser."""
        bypass = f"ALTER ROLE {_quoted(self.role)} BYPASSRLS;"
        if self.restricted:
            return bypass
        policies = " ".join(self._policy(command) for command in self.commands)
        return f"{policies} -- or, by a superuser: {bypass}"

    def _policy(self, command: str) -> str:
        name, role = _NAMES[command], _quoted(self.role)
        conditions = ([] if command == "a" else ["USING (true)"]) + (["WITH CHECK (true)"] if command in "aw" else [])
        title = _quoted(f"{name} all rows: {self.role}")
        place = f"{_quoted(self.schema)}.{_quoted(self.table)}"
        return f"CREATE POLICY {title} ON {place} FOR {name} TO {role} {' '.join(conditions)};"


def hiding(connection: Connection, tables: Mapping[str, Commands]) -> list[Hiding]:
    """The tables of which the connection's role does not see, or cannot change, every row.

    One query of the catalog, which every role may read. Missing tables are not reported.
    """
    pairs = [(name, command) for name, commands in tables.items() for command in commands]
    given = {"names": [name for name, _ in pairs], "commands": [command for _, command in pairs]}
    found: dict[tuple[str, str, str, str], tuple[str, bool]] = {}
    for *key, command, restricted in connection.execute(_HIDING, given).fetchall():
        asked, schema, table, role = key
        commands, before = found.get((asked, schema, table, role), ("", False))
        found[asked, schema, table, role] = (commands + command, before or restricted)
    order = "rawd"
    return [
        Hiding(*key, commands="".join(sorted(commands, key=order.index)), restricted=restricted)
        for key, (commands, restricted) in found.items()
    ]


def refuse_hidden_rows(connection: Connection, tables: Mapping[str, Commands]) -> None:
    """Check that the tables show and accept all rows.

    Raises
    ------
    InvalidInput : names the tables and how to mend it.
    """
    found = hiding(connection, tables)
    if found:
        raise InvalidInput(refusal(found))


def refusal(found: Sequence[Hiding]) -> str:
    """A sentence that names the tables and how to mend them."""
    roles = dict.fromkeys(entry.role for entry in found)
    names = dict.fromkeys(f"{_quoted(entry.schema)}.{_quoted(entry.table)}" for entry in found)
    mends = dict.fromkeys(entry.mend.partition(" -- ")[0] for entry in found)
    bypass = " ".join(f"ALTER ROLE {_quoted(role)} BYPASSRLS;" for role in roles)
    return (
        f"row level security hides rows of {', '.join(names)} from {', '.join(roles)}, as if they were not there:"
        f" {' '.join(mends)} (or, by a superuser: {bypass})"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
