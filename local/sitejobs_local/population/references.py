"""Foreign keys of tables that are filled at once: checked together at the end, in a third of the time of each row's."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql

_KEYS: Final = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(c.oid)
FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid
WHERE contype = 'f' AND NOT t.relispartition AND c.conparentid = 0
  AND conrelid = ANY(SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) AS filled (name))
ORDER BY 1, 2
"""
_DROP: Final = "ALTER TABLE {table} DROP CONSTRAINT {name}"
_ADD: Final = "ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"


@contextmanager
def checked_at_the_end(connection: psycopg.Connection, tables: Sequence[str]) -> Iterator[None]:
    """Within a transaction: take the tables' foreign keys away, and put the same ones back at the end of the block.

    Where the tables are somebody else's, who alone may do so, each row is checked as it comes.
    """
    keys = connection.execute(_KEYS, (list(tables),)).fetchall()
    try:
        with connection.transaction():
            _alter(connection, _DROP, keys)
    except psycopg.errors.InsufficientPrivilege:
        keys = []
    yield
    _alter(connection, _ADD, keys)


def _alter(connection: psycopg.Connection, statement: str, keys: Sequence[tuple[str, str, str]]) -> None:
    for table, name, definition in keys:
        # The table's name and the definition come from the catalog, quoted there.
        parts = {"table": sql.SQL(table), "name": sql.Identifier(name), "definition": sql.SQL(definition)}
        connection.execute(sql.SQL(statement).format(**parts))
