"""SQL and commands that mend what the check finds, ready to paste."""

from collections.abc import Iterable, Sequence

from sitejobs_local.contract.model import Column, Extension, Index, Table

MIGRATE = "sitejobs db migrate"
MIGRATE_AGAIN = "sitejobs db migrate --again"


def identifier(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


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
    """A view in a missing table's place: empty as it stands, the site's own table and names can be filled in."""
    selected = ", ".join(f"NULL::{column.type} AS {identifier(column.name)}" for column in columns)
    selection = f"SELECT {selected} WHERE false"
    return f"CREATE VIEW {identifier(table.name)} AS {selection}; -- or FROM a table of your own"


def add_column(place: str, column: Column, *, to_view: bool) -> str:
    """Give a table or view the column it lacks."""
    if to_view:
        return f"-- in the view's SELECT: NULL::{column.type} AS {identifier(column.name)}, or a column of your own"
    return f"ALTER TABLE {place} ADD COLUMN {identifier(column.name)} {column.type};"


def change_type(place: str, column: Column, *, of_view: bool) -> str:
    """Give a column the type that jobs can read."""
    name = identifier(column.name)
    if of_view:
        return f"-- in the view's SELECT: (...)::{column.type} AS {name}"
    return f"ALTER TABLE {place} ALTER COLUMN {name} TYPE {column.type} USING {name}::{column.type};"


def create_index(place: str, index: Index) -> str:
    """Make an index without keeping writers waiting."""
    using = "" if index.method == "btree" else f" USING {index.method}"
    return f"CREATE {'UNIQUE ' if index.unique else ''}INDEX CONCURRENTLY ON {place}{using} ({listed(index.columns)});"


def create_extension(extension: Extension) -> str:
    """Install an extension, and what goes with it."""
    later = f" -- then: {MIGRATE_AGAIN}" if extension.migrated else ""
    return f"CREATE EXTENSION {identifier(extension.name)};{later}"
