"""The tables that jobs use as a database has them, read from PostgreSQL's catalog in a few queries."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from psycopg import Connection

# Tables of the site's are those that the search path leads to, the bundle's those of its own schema.
_WANTED = """
FROM unnest(%(names)s::text[], %(schemas)s::text[]) AS wanted ("name", "schema")
JOIN pg_class c ON CASE WHEN wanted."schema" IS NULL THEN c.oid = to_regclass(quote_ident(wanted."name"))
                        ELSE c.relname = wanted."name" END
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = COALESCE(wanted."schema", n.nspname)
                   AND has_schema_privilege(n.oid, 'USAGE')
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_RELATIONS = f"""
SELECT wanted."name", c.oid, n.nspname, c.relkind::text,
       ARRAY(SELECT a.attname::text FROM pg_partitioned_table t JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE t.partrelid = c.oid AND a.attnum = ANY(t.partattrs::int2[])),
       ARRAY(SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
             WHERE has_table_privilege(c.oid, privilege)),
       GREATEST(c.reltuples, 0)::bigint, pg_relation_is_updatable(c.oid, true) & 8 <> 0,
       c.relkind <> 'v' OR EXISTS (
           SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
           WHERE w.ev_class = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid),
       (SELECT s.nspname FROM pg_class o JOIN pg_namespace s ON s.oid = o.relnamespace
        WHERE o.oid = to_regclass(quote_ident(wanted."name")) AND o.oid <> c.oid)
{_WANTED}
"""
_REACHED = f'SELECT wanted."name" {_WANTED}'
# A trigger of 80 is an INSTEAD OF UPDATE; a rule of '2' is one on UPDATE.
# A domain counts as its base type. Length and precision matter only where types are compared exactly.
COLUMNS = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), format_type(b.oid, NULL), b.typcategory::text,
       COALESCE(e.typcategory::text, ''),
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
       ARRAY(SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS privilege
             WHERE has_column_privilege(a.attrelid, a.attnum, privilege)),
       ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = COALESCE(e.oid, b.oid) ORDER BY enumsortorder),
       pg_column_is_updatable(a.attrelid, a.attnum, false)
           OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = a.attrelid AND g.tgtype & 80 = 80)
           OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = a.attrelid AND w.ev_type = '2' AND w.is_instead)
FROM pg_attribute a
JOIN pg_type b ON b.oid = (
    WITH RECURSIVE base AS (
        SELECT t.oid, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid
        UNION ALL SELECT t.oid, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typbasetype
    ) SELECT oid FROM base WHERE typbasetype = 0)
LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY(%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
"""
# Without partial, expression and invalid indexes: they do not serve every row. An exception are partial ones over the
# undeleted rows, which keep these unique.
_INDEXES = """
SELECT i.indrelid, i.indisunique, am.amname,
       ARRAY(SELECT a.attname::text FROM generate_series(0, i.indnkeyatts - 1) AS position
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[position] ORDER BY position),
       i.indpred IS NOT NULL
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
WHERE i.indrelid = ANY(%(oids)s::oid[]) AND i.indisvalid AND i.indexprs IS NULL
  AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '("deletedAt" IS NULL)')
"""
# Views over the bundle's own tables.
_VIEWS = """
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
ORDER BY 1, 2
"""
_ELSEWHERE = """
SELECT c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = ANY(%(names)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_temp%%'
ORDER BY n.nspname
"""
_SESSION = """
SELECT current_user::text, current_database()::text, current_schemas(false)::text[],
       ARRAY(SELECT extname::text FROM pg_extension), current_setting('search_path'),
       ARRAY(SELECT nspname::text FROM pg_namespace)
"""


Places = Mapping[str, str | None]
"""Names of tables and views with the schema of each; None: wherever the search path leads."""


@dataclass(frozen=True)
class FoundColumn:
    """A column: its type as declared, the type below a domain, its default, and what the role may do with it.

    `category` and `element` are PostgreSQL's letters for the kind of the type, and of an array's elements: N numbers,
    S texts, E enums, B boolean, D dates and times, A arrays. `labels`: of an enum, or of the enum in an array.
    `updatable`: as far as the table or view goes.
    """

    type: str
    base: str
    category: str
    element: str
    default: str | None
    privileges: frozenset[str]
    labels: tuple[str, ...] = ()
    updatable: bool = True


@dataclass(frozen=True)
class FoundIndex:
    """The columns of an index, in order, and its method (btree, gin). `live`: of undeleted rows alone."""

    columns: tuple[str, ...]
    unique: bool
    method: str
    live: bool = False


@dataclass
class FoundTable:
    """A table or view that the search path leads to.

    `kind` is PostgreSQL's letter: r(elation), p(artitioned), v(iew), m(aterialized view), f(oreign table).
    `partitioned_by`: columns of the partition key. `views`: views over it, with their schemas, quoted. `rows`: how
    many the planner thinks there are, 0 if it does not know. `insertable`: as far as a view goes.
    `shows_tables`: False of a view of constants. `hidden_by`: the schema of another one, earlier on the search path.
    """

    schema: str
    kind: str
    partitioned_by: tuple[str, ...]
    privileges: frozenset[str]
    rows: int = 0
    insertable: bool = True
    shows_tables: bool = True
    hidden_by: str | None = None
    columns: dict[str, FoundColumn] = field(default_factory=dict)
    indexes: list[FoundIndex] = field(default_factory=list)
    views: list[str] = field(default_factory=list)

    @property
    def is_view(self) -> bool:
        """Whether it is a view, whose columns change with its definition."""
        return self.kind in "vm"


@dataclass(frozen=True)
class Found:
    """The database as the current role sees it. `not_there`: schemas that the search path names and nobody has made."""

    server_version: int
    role: str
    database: str
    search_path: tuple[str, ...]
    extensions: frozenset[str]
    tables: dict[str, FoundTable]
    elsewhere: dict[str, list[str]]
    not_there: tuple[str, ...] = ()


def reached(connection: Connection, places: Places) -> set[str]:
    """Which of the names are tables or views where they should be. It waits for no lock."""
    return {name for (name,) in connection.execute(_REACHED.encode(), _values(places)).fetchall()}


def inspect(connection: Connection, places: Places) -> Found:
    """Read the tables and views of these names where they should be, and find equal names in other schemas."""
    session = connection.execute(_SESSION).fetchone()
    assert session is not None  # one row, always
    role, database, search_path, extensions, asked, schemas = session
    tables, missing = _tables(connection, places)
    elsewhere: dict[str, list[str]] = defaultdict(list)
    for name, schema in connection.execute(_ELSEWHERE, {"names": missing}).fetchall():
        elsewhere[name].append(schema)
    return Found(
        server_version=connection.info.server_version,
        role=role,
        database=database,
        search_path=tuple(search_path),
        not_there=tuple(name for name in named_schemas(asked) if name not in (*schemas, "$user", role)),
        extensions=frozenset(extensions),
        tables=tables,
        elsewhere=dict(elsewhere),
    )


def named_schemas(search_path: str) -> list[str]:
    """The schemas that a setting of search_path names."""
    found = re.findall(r'"((?:[^"]|"")+)"|([^\s,"]+)', search_path)
    return [quoted.replace('""', '"') if quoted else plain.lower() for quoted, plain in found]


def _values(places: Places) -> dict[str, list[str] | list[str | None]]:
    return {"names": list(places), "schemas": list(places.values())}


def _tables(connection: Connection, places: Places) -> tuple[dict[str, FoundTable], list[str]]:
    by_name: dict[str, FoundTable] = {}
    by_oid: dict[int, FoundTable] = {}
    for name, oid, *described in connection.execute(_RELATIONS.encode(), _values(places)).fetchall():
        schema, kind, keys, privileges, *about = described
        table = FoundTable(schema, kind, tuple(keys), frozenset(privileges), *about)
        by_name[name] = by_oid[oid] = table
    oids = {"oids": list(by_oid)}
    for oid, column, *described in connection.execute(COLUMNS, oids).fetchall():
        type_, base, category, element, default, privileges, labels, updatable = described
        by_oid[oid].columns[column] = FoundColumn(
            type_, base, category, element, default, frozenset(privileges), tuple(labels), updatable
        )
    for oid, unique, method, columns, live in connection.execute(_INDEXES, oids).fetchall():
        by_oid[oid].indexes.append(FoundIndex(tuple(columns), unique, method, live))
    for oid, view in connection.execute(_VIEWS, oids).fetchall():
        by_oid[oid].views.append(view)
    return by_name, [name for name in places if name not in by_name]
