"""SQL and commands that mend what the check finds, ready to paste."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sitejobs.schema.model import Column, Extension, Index, Table, identifier

if TYPE_CHECKING:
    from sitejobs.schema.kinds import Convert, OddId

PAGE = "docs/site-tables.md"
NUMBER_IDS = f"-- views that give each id a number, which `sitejobs check --views views.sql` writes: {PAGE}"
PATTERNS = {
    "bigint": r"^\s*[+-]?\d{1,18}\s*$",
    "double precision": r"^\s*[+-]?\d{1,100}(\.\d{0,100})?\s*$",
}
"""Texts that surely are such numbers."""

MIGRATE = "sitejobs db migrate"
MIGRATE_AGAIN = "sitejobs db migrate --again"


def literal(text: str) -> str:
    """A string constant of SQL."""
    return "'" + text.replace("'", "''") + "'"


def listed(names: Iterable[str]) -> str:
    """Quoted names with commas between them."""
    return ", ".join(identifier(name) for name in names)


def grant(privilege: str, place: str, role: str) -> str:
    """Allow the role something on a table; `place` is quoted already."""
    return f"GRANT {privilege} ON {place} TO {identifier(role)};"


def reach_schema(schema: str, search_path: Sequence[str], role: str) -> str:
    """Make a table in another schema visible."""
    path = ",".join((schema, *search_path))
    return f"GRANT USAGE ON SCHEMA {identifier(schema)} TO {identifier(role)}; -- and set DATABASE_SEARCH_PATH={path}"


def empty_view(table: Table, columns: Iterable[Column]) -> str:
    """An empty view in place of a missing table. The site's own table and names can be put in."""
    selected = ", ".join(f"NULL::{column.sql_type} AS {identifier(column.name)}" for column in columns)
    selection = f"SELECT {selected} WHERE false"
    return f"CREATE VIEW {identifier(table.name)} AS {selection}; -- or FROM a table of your own"


def add_column(place: str, column: Column, *, to_view: bool) -> str:
    """Give a table or view the column it lacks."""
    if to_view:
        return f"-- in the view's SELECT: NULL::{column.sql_type} AS {identifier(column.name)}, or a column of your own"
    return f"ALTER TABLE {place} ADD COLUMN {identifier(column.name)} {column.sql_type};"


def change_type(place: str, column: Column, convert: "Convert", default: str | None) -> str:
    """Give a column the type that jobs can read; a default is converted as the values are."""
    name = identifier(column.name)
    change = f"ALTER COLUMN {name} TYPE {column.sql_type} USING {convert(name)}"
    if default is not None:
        change = (
            f"ALTER COLUMN {name} DROP DEFAULT, {change}, ALTER COLUMN {name} SET DEFAULT {convert(f'({default})')}"
        )
    return f"ALTER TABLE {place} {change};"


def change_view(column: Column) -> str:
    """Give a view's column the type that jobs can read."""
    return f"-- in the view's SELECT: (...)::{column.sql_type} AS {identifier(column.name)}"


def remake_view(place: str) -> str:
    """Make one of the bundle's own views anew."""
    return f"DROP VIEW {place}; -- then: {MIGRATE_AGAIN}"


def offer_view(column: Column) -> str:
    """Advice where the table cannot be changed: something depends on the column, or there is no cast to the type."""
    return f"-- a view in a schema of its own with (...)::{column.sql_type} AS {identifier(column.name)}: {PAGE}"


def offer_view_without(place: str, column: Column) -> str:
    """Advice where some values have no cast to the type: converting the table would fail."""
    name = identifier(column.name)
    pattern = PATTERNS.get(column.type)
    if pattern is None:
        return f"-- some values cannot be converted: mend them first, or a view with a CASE for {name}: {PAGE}"
    safe = f"CASE WHEN {name}::text ~ {literal(pattern)} THEN {name}::text::{column.sql_type} END AS {name}"
    see = f"SELECT {name} FROM {place} WHERE {name}::text !~ {literal(pattern)}"
    return f"-- some values cannot be converted, see {see}; mend them first, or a view with {safe}"


def unseen(change: str) -> str:
    """A change of a table that the role may not read, or that is too large to look at in time."""
    return f"-- if all values can be converted, which was not seen: {change}"


def no_schema(schema: str, search_path: Sequence[str]) -> str:
    """A schema that is not there: a slip of the pen, or not made yet."""
    return f"-- CREATE SCHEMA {identifier(schema)}; or without it: DATABASE_SEARCH_PATH={','.join(search_path)}"


def add_label(type_: str, word: str) -> str:
    """Give an enum a word."""
    return f"ALTER TYPE {type_} ADD VALUE {literal(word)};"


def instead_of_update(place: str, names: Iterable[str]) -> str:
    """Let a view be written to."""
    return f"-- CREATE TRIGGER ... INSTEAD OF UPDATE ON {place}, for {listed(names)}: {PAGE}#views-that-are-written-to"


def instead_of_insert(place: str) -> str:
    """Let a view take rows."""
    return f"-- CREATE TRIGGER ... INSTEAD OF INSERT ON {place}; the jobs do without it"


def translate(column: str, pairs: Iterable[tuple[str, str | None]]) -> str:
    """The CASE of a view that gives a column the words that jobs know; '?' where nobody knows it."""
    name = identifier(column)
    pairs = list(pairs)
    if not pairs:
        return f"-- in a view (`sitejobs check --views`): a CASE that gives {name} these words"
    cases = " ".join(f"WHEN {literal(value)} THEN {literal(word or '?')}" for value, word in pairs)
    return f"-- in a view (`sitejobs check --views`): CASE {name}::text {cases} ELSE {name}::text END AS {name}"


def without_views(views: Iterable[str], change: str) -> str:
    """A change of one of the bundle's own tables, between dropping and recreating the views that prevent it."""
    return f"DROP VIEW {', '.join(views)}; {change} -- then: {MIGRATE_AGAIN}"


def odd_ids(found: "Sequence[OddId]") -> str:
    """What is wrong with ids that are no whole numbers."""
    types = ", ".join(dict.fromkeys(entry.type for entry in found))
    return f"{'are' if len(found) > 1 else 'is'} {types}: ids must be whole numbers"


def create_index(place: str, index: Index, *, at_once: bool = False, live: bool = False) -> str:
    """Create an index CONCURRENTLY, without blocking writers; not on partitioned tables (`at_once`).

    `live`: of undeleted rows alone.
    """
    using = "" if index.method == "btree" else f" USING {index.method}"
    sort = f"{'UNIQUE ' if index.unique else ''}INDEX{'' if at_once else ' CONCURRENTLY'}"
    where = ' WHERE "deletedAt" IS NULL' if live else ""
    return f"CREATE {sort} ON {place}{using} ({listed(index.columns)}){where};"


def create_extension(extension: Extension, schema: str | None) -> str:
    """Install an extension in the bundle's schema, then apply the migrations that make its indexes."""
    later = f" -- then: {MIGRATE_AGAIN}" if extension.migrated else ""
    place = f" SCHEMA {identifier(schema)}" if schema else ""
    return f"CREATE EXTENSION {identifier(extension.name)}{place};{later}"
