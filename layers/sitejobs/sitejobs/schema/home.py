"""The schema in which the bundle lives, and what there is the bundle's own.

A migration is recorded with the names of what it made. So a table of the site's with a name of the bundle's is told
apart, before anything is written.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final, LiteralString

from psycopg import Connection, sql

from sitejobs.errors import InvalidInput
from sitejobs.postgres.search_path import BUNDLE_SCHEMA, path_of
from sitejobs.postgres.shared_session import schemas_of
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.model import identifier

RECORD: Final = "SitejobsMigration"

OF_THE_BUNDLE: Final = re.compile(r"\d{4}_\w+\.sql")
"""Names under which the bundle's own migrations are recorded; the record may hold the site's, too."""

_MADE: Final = re.compile(
    r'CREATE (?:OR REPLACE )?(?:UNIQUE )?(TABLE|INDEX|VIEW|FUNCTION) (?:IF NOT EXISTS )?"(\w+)"|RENAME TO "(\w+)"'
)
_SESSION: Final[LiteralString] = """
SELECT current_schemas(false)::text[], current_setting('search_path'), current_user::text
"""
_RECORDS: Final[LiteralString] = """
SELECT n.nspname::text, c.oid, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'), EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'objects' AND NOT a.attisdropped)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'SitejobsMigration' AND c.relkind = 'r' AND n.nspname = ANY (%(schemas)s::text[])
  AND 2 = (SELECT count(*) FROM pg_attribute a
           WHERE a.attrelid = c.oid AND a.attname IN ('name', 'checksum') AND NOT a.attisdropped)
ORDER BY array_position(%(schemas)s::text[], n.nspname::text)
"""
# Whatever stands in the way of the bundle's names: relations of any kind, types, functions.
_NAMESAKES: Final[LiteralString] = """
SELECT c.relname::text AS "name", c.oid,
       CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
           WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE'
           ELSE 'TABLE' END AS "kind",
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS "columns"
FROM pg_class c WHERE c.relnamespace = to_regnamespace(%(schema)s) AND c.relname = ANY (%(names)s)
UNION ALL
SELECT t.typname, t.oid, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, '{}'
FROM pg_type t WHERE t.typnamespace = to_regnamespace(%(schema)s) AND t.typname = ANY (%(names)s)
  AND t.typrelid = 0 AND t.typcategory <> 'A'
UNION ALL
SELECT p.proname || '()', p.oid, 'FUNCTION', '{}'
FROM pg_proc p WHERE p.pronamespace = to_regnamespace(%(schema)s) AND p.proname || '()' = ANY (%(names)s)
ORDER BY 1
"""


@dataclass(frozen=True)
class Home:
    """Where the bundle lives, or will live: nothing is recorded yet.

    `named`: the schemas that the session's search path names, `path` those of them that there are. `record` is the
    record's number in PostgreSQL's catalog, 0 where there is none; `tells`: it names what was made.
    """

    schema: str
    path: tuple[str, ...]
    named: tuple[str, ...]
    recorded: bool = False
    record: int = 0
    readable: bool = True
    tells: bool = False

    @property
    def place(self) -> str:
        """The record's name with its schema, quoted."""
        return f"{identifier(self.schema)}.{identifier(RECORD)}"

    @property
    def rest(self) -> tuple[str, ...]:
        """The schemas of the search path beside it: the site's."""
        return tuple(name for name in self.path if name != self.schema)


@dataclass(frozen=True)
class Namesake:
    """Something with a name of the bundle's that is not the bundle's own. `kind` as in ALTER TABLE."""

    name: str
    kind: str
    schema: str


def home_of(connection: Connection, wanted: str | None = None) -> Home:
    """The schema whose record tells of the bundle's migrations, else the wanted one, else the path's first."""
    row = connection.execute(_SESSION).fetchone()
    assert row is not None  # one row, always
    path, named = tuple(row[0]), tuple(schemas_of(row[1].replace('""', "")))
    meant = [row[2] if name == "$user" else name for name in named]
    looked = list(dict.fromkeys([*meant, *([wanted] if wanted else [])]))
    records = connection.execute(_RECORDS, {"schemas": looked}).fetchall()
    for schema, oid, readable, tells in records:
        found = Home(schema, path, named, recorded=True, record=oid, readable=readable, tells=tells)
        if not readable or any(OF_THE_BUNDLE.fullmatch(name) for name, *_ in rows_of(connection, found)):
            return found
    target = wanted or _first(named, row[2], path)
    known = next((it for it in records if it[0] == target), None)
    if known is None:
        return Home(target, path, named)
    return Home(target, path, named, record=known[1], tells=known[3])


def _first(named: Sequence[str], user: str, path: Sequence[str]) -> str:
    """The first schema that a search path names, whether or not there is one of this name."""
    for name in named:
        if name == "$user" and user not in path:
            continue
        if not name.startswith("pg_"):
            return user if name == "$user" else name
    return BUNDLE_SCHEMA


def rows_of(connection: Connection, home: Home) -> list[tuple[str, str, list[str] | None]]:
    """What is recorded: name, checksum, and what the migration made; None in records of before these were kept."""
    if not home.record or not home.readable:
        return []
    objects = '"objects"' if home.tells else "NULL::text[]"
    query = f'SELECT "name", "checksum", {objects} FROM {home.place}'
    return connection.execute(query.encode()).fetchall()


def made_by(text: bytes) -> frozenset[str]:
    """Names of what a migration makes; a function's ends with ()."""
    return frozenset(
        f"{name}()" if kind == "FUNCTION" else name or renamed for kind, name, renamed in _MADE.findall(text.decode())
    )


def namesakes(connection: Connection, home: Home, made: Mapping[str, frozenset[str]]) -> list[Namesake]:
    """What has a name that the bundle needs in its schema, and is not the bundle's own. `made`: by each migration."""
    rows = rows_of(connection, home)
    if not home.readable:
        return []
    own = {name for _, _, objects in rows for name in objects or ()}
    untold = {name for recorded, _, objects in rows if objects is None for name in made.get(recorded, ())} - own
    names = {*(name for part in made.values() for name in part)} - own
    found = found_there(connection, home.schema, names)
    early = _made_before_the_record(home, [it for it in found if it[0] in untold])
    return [
        Namesake(name.removesuffix("()"), kind, home.schema)
        for name, _, kind, _ in found
        if name not in untold or name in early
    ]


def found_there(connection: Connection, schema: str, names: Collection[str]) -> list[tuple[str, int, str, list[str]]]:
    """What of these names is in the schema: name, number in the catalog, kind as in ALTER TABLE, columns."""
    return connection.execute(_NAMESAKES, {"schema": identifier(schema), "names": sorted(names)}).fetchall()


def _made_before_the_record(home: Home, found: Iterable[tuple[str, int, str, list[str]]]) -> Collection[str]:
    """Of what is recorded without names: what the migrations found there and took for their own.

    The record is made before all else, and numbers grow. A restored dump has numbers in the order of the names: there
    the columns must do.
    """
    tables = {name: (oid, columns) for name, oid, kind, columns in found if kind == "TABLE"}
    if any(oid > home.record for name, (oid, _) in tables.items() if name < RECORD):
        return [name for name, (oid, _) in tables.items() if oid < home.record]
    wanted = {table.name: {column.name for column in table.columns} for table in BUNDLE_TABLES}
    return [
        name
        for name, (_, columns) in tables.items()
        if name in wanted and 2 * len(wanted[name].intersection(columns)) < len(wanted[name])
    ]


def refuse_namesakes(found: Sequence[Namesake], home: Home) -> None:
    """Say all of them at once, with what helps.

    Raises
    ------
    InvalidInput : there are any.
    """
    if found:
        raise InvalidInput(f"{told(found)}; nothing was changed: {' '.join(ways_out(found, home))}")


def told(found: Sequence[Namesake]) -> str:
    """Whose names are taken, in one sentence."""
    names = ", ".join(f"{identifier(it.name)} ({it.kind.lower()})" for it in found)
    have = "has a name" if len(found) == 1 else "have names"
    return f"in schema {identifier(found[0].schema)} {names} {have} that the bundle needs, and did not make"


def ways_out(found: Sequence[Namesake], home: Home) -> tuple[str, str]:
    """The two commands that help, each with its sentence."""
    other = BUNDLE_SCHEMA if home.schema != BUNDLE_SCHEMA else f"{BUNDLE_SCHEMA}2"
    path = quote(path_of(home.path, other))
    first = found[0]
    place = f"{identifier(first.schema)}.{identifier(first.name)}"
    return (
        f"give the bundle a schema of its own: DATABASE_SEARCH_PATH={path} sitejobs db migrate --schema {other};",
        f"or rename yours: ALTER {first.kind} {place} RENAME TO {identifier(f'{first.name}OfTheSite')};",
    )


def set_path(*schemas: str) -> sql.Composed:
    """Look in these schemas for one transaction."""
    return sql.SQL("SET LOCAL search_path TO {}").format(sql.SQL(", ").join(map(sql.Literal, schemas)))
