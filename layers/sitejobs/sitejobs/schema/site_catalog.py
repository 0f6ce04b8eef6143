"""All tables of a database that may be a site's, with their columns and what these refer to."""

from collections.abc import Collection
from dataclasses import dataclass, field

from psycopg import Connection

from sitejobs.schema.inspect import COLUMNS, FoundColumn
from sitejobs.schema.model import identifier

_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text, GREATEST(c.reltuples, 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relname <> ALL(%(without)s)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname <> ALL(%(schemas)s)
  AND n.nspname NOT LIKE 'pg\\_%%' AND has_schema_privilege(n.oid, 'USAGE')
  AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY COALESCE(array_position(current_schemas(false), n.nspname), 1000), c.relname
"""
_NOT_NULL = """
SELECT attrelid, attname FROM pg_attribute WHERE attrelid = ANY(%(oids)s::oid[]) AND attnotnull
"""
_REFERENCES = """
SELECT f.conrelid, a.attname, f.confrelid FROM pg_constraint f
JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
WHERE f.conrelid = ANY(%(oids)s::oid[]) AND f.contype = 'f' AND cardinality(f.conkey) = 1
"""


@dataclass
class SiteColumn:
    """A column of a site's table. `refers_to`: oid of the table that a foreign key names."""

    name: str
    found: FoundColumn
    not_null: bool = False
    refers_to: int | None = None

    @property
    def is_odd_id(self) -> bool:
        """Whether it cannot be a whole number."""
        return self.found.category != "N"


@dataclass
class SiteTable:
    """A table or view of a site's."""

    oid: int
    schema: str
    name: str
    kind: str
    rows: int
    columns: dict[str, SiteColumn] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Its name as SQL writes it."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"


def read_site(connection: Connection, without: Collection[str], schemas: Collection[str]) -> list[SiteTable]:
    """All tables and views but those of these names and in these schemas; those on the search path come first."""
    found = connection.execute(_TABLES, {"without": list(without), "schemas": list(schemas)}).fetchall()
    tables = {oid: SiteTable(oid, *described) for oid, *described in found}
    oids = {"oids": list(tables)}
    for oid, name, *described in connection.execute(COLUMNS, oids).fetchall():
        type_, base, category, element, default, privileges, labels, updatable = described
        column = FoundColumn(type_, base, category, element, default, frozenset(privileges), tuple(labels), updatable)
        tables[oid].columns[name] = SiteColumn(name, column)
    for oid, name in connection.execute(_NOT_NULL, oids).fetchall():
        if name in tables[oid].columns:
            tables[oid].columns[name].not_null = True
    for oid, name, target in connection.execute(_REFERENCES, oids).fetchall():
        tables[oid].columns[name].refers_to = target
    return list(tables.values())
