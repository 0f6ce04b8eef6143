"""Write a population into a database: one transaction, binary COPY."""

from collections.abc import Callable, Iterable

import psycopg
from psycopg import sql

from sitejobs.errors import InvalidInput
from sitejobs_local.population.copying import HEADER, TRAILER, encoded
from sitejobs_local.population.model import Population, Table
from sitejobs_local.population.references import checked_at_the_end
from sitejobs_local.population.replacing import clear, mark, require_made_here

# Called with the table being written, the rows written so far of all tables, and the rows there are to write.
Progress = Callable[[str, int, int], None]

MISSING_TABLES = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, position)
WHERE to_regclass(quote_ident(name)) IS NULL
ORDER BY position
"""
# A second load waits for this lock, and then finds the first one's users.
ONE_AT_A_TIME = """LOCK TABLE "User" IN SHARE ROW EXCLUSIVE MODE"""
HAS_ROWS = "SELECT EXISTS (SELECT FROM {table})"
COPY_IN = "COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)"
# An identity column goes on from the highest id that was loaded.
CONTINUE_IDS = """
SELECT setval(pg_get_serial_sequence(%s, 'id'), greatest(max("id"), 1)) FROM {table}
"""
ANALYZE = "ANALYZE {table}"


def load(
    connection: psycopg.Connection,
    population: Population,
    on_progress: Progress | None = None,
    *,
    replace: bool = False,
) -> dict[str, int]:
    """Fill the site's tables and "UserTrait", all or nothing, and bring the planner's statistics up to date.

    Parameters
    ----------
    connection : not in a transaction; the tables are those of local/site-schema.sql and the migrations.
    population : what `generate` made.
    on_progress : called after each chunk of rows.
    replace : take the place of a site that was made like this, with all that jobs have computed of it.

    Returns
    -------
    Rows written by table.

    Raises
    ------
    InvalidInput : a table is missing, or one of them has rows already.
    """
    with connection.transaction():
        if replace:
            require_made_here(connection)
            clear(connection, [table.name for table in population.tables])
        _require_empty(connection, population)
        written = 0
        total = sum(population.rows().values())
        with checked_at_the_end(connection, [table.name for table in population.tables]):
            for table in population.tables:
                for rows in _copy(connection, table):
                    written += rows
                    if on_progress is not None:
                        on_progress(table.name, written, total)
        mark(connection)
    with connection.transaction():
        for table in population.tables:
            connection.execute(sql.SQL(ANALYZE).format(table=sql.Identifier(table.name)))
    return population.rows()


def _require_empty(connection: psycopg.Connection, population: Population) -> None:
    """Refuse a database that lacks a table, or that holds a site."""
    names = [table.name for table in population.tables]
    missing = [row[0] for row in connection.execute(MISSING_TABLES, (names,))]
    if missing:
        raise InvalidInput(f"the database lacks the tables {', '.join(missing)}: apply the schema and migrations first")
    connection.execute(ONE_AT_A_TIME)
    filled = [name for name in names if _has_rows(connection, name)]
    if filled:
        raise InvalidInput(
            f"the database already holds a site ({', '.join(filled)} have rows): a population goes into an empty one"
        )


def _has_rows(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute(sql.SQL(HAS_ROWS).format(table=sql.Identifier(name))).fetchone()
    return row is not None and bool(row[0])


def _copy(connection: psycopg.Connection, table: Table) -> Iterable[int]:
    """Write a table; yields the number of rows of each chunk."""
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    statement = sql.SQL(COPY_IN).format(table=sql.Identifier(table.name), columns=columns)
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            copy.write(HEADER)
            for rows, chunk in encoded(table):
                copy.write(chunk)
                yield rows
            copy.write(TRAILER)
        if "id" in table.columns:
            continue_ids = sql.SQL(CONTINUE_IDS).format(table=sql.Identifier(table.name))
            cursor.execute(continue_ids, (sql.Identifier(table.name).as_string(connection),))
