"""A synthetic site in the place of another one: only of one that this command made, and to which nobody was added."""

import re
from collections.abc import Iterable
from typing import Final

import psycopg
from psycopg import sql

from sitejobs.errors import InvalidInput
from sitejobs.schema.bundle import BUNDLE_TABLES

_MARK: Final = "made by sitejobs population: {count} users, the last with id {last}"
_READ_MARK: Final = """SELECT COALESCE(obj_description('"User"'::regclass, 'pg_class'), '')"""
_COUNT: Final = """SELECT count(*), COALESCE(max("id"), 0) FROM "User" """
_AT_WORK: Final = """
SELECT min("id") FROM "JobRun" WHERE "status" = 'RUNNING' AND "heartbeatAt" > now() - interval '2 minutes'
"""
_THERE: Final = "SELECT name FROM unnest(%s::text[]) AS wanted (name) WHERE to_regclass(quote_ident(name)) IS NOT NULL"
_CLEAR: Final = "TRUNCATE {tables}"


def mark(connection: psycopg.Connection) -> None:
    """Note with the users' table that they are synthetic; without the table's ownership nothing is noted."""
    text = _MARK.format(**_counted(connection))
    statement = sql.SQL("COMMENT ON TABLE {} IS {}").format(sql.Identifier("User"), sql.Literal(text))
    try:
        with connection.transaction():
            connection.execute(statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.WrongObjectType):
        return


def made_here(connection: psycopg.Connection) -> bool:
    """Whether the site was made by this command and still has the users that it made, and no others."""
    row = connection.execute(_READ_MARK).fetchone()
    return row is not None and row[0] == _MARK.format(**_counted(connection))


def require_made_here(connection: psycopg.Connection) -> None:
    """Make sure that nothing but a synthetic site would go, and that no run is at work on it.

    Raises
    ------
    InvalidInput : says what stands against it.
    """
    row = connection.execute(_READ_MARK).fetchone()
    found = re.fullmatch(_MARK.format(count=r"(\d+)", last=r"(\d+)"), row[0] if row is not None else "")
    if found is None:
        raise InvalidInput("--replace replaces a site that `sitejobs population` made; nothing says so of this one")
    now = _counted(connection)
    if (int(found[1]), int(found[2])) != (now["count"], now["last"]):
        raise InvalidInput(
            f"--replace keeps its hands off: population made {int(found[1]):,} users, and now there are"
            f" {now['count']:,}, the last with id {now['last']}"
        )
    at_work = connection.execute(_AT_WORK).fetchone() if _there(connection, ["JobRun"]) else None
    if at_work is not None and at_work[0] is not None:
        raise InvalidInput(f"run {at_work[0]} is at work on this site: wait for its end")


def clear(connection: psycopg.Connection, tables: Iterable[str]) -> None:
    """Empty the tables of a synthetic site and all that the jobs made of it. Ids of runs go on.

    Raises
    ------
    InvalidInput : a table of somebody else's refers to them.
    """
    wanted = [*tables, *(table.name for table in BUNDLE_TABLES if table.owned and not table.view)]
    names = sorted(set(_there(connection, wanted)))
    try:
        connection.execute(sql.SQL(_CLEAR).format(tables=sql.SQL(", ").join(map(sql.Identifier, names))))
    except psycopg.errors.FeatureNotSupported:
        raise InvalidInput("--replace cannot empty the tables: others refer to them (foreign keys)") from None


def _there(connection: psycopg.Connection, names: list[str]) -> list[str]:
    """Those of the tables that there are."""
    return [name for (name,) in connection.execute(_THERE, (names,))]


def _counted(connection: psycopg.Connection) -> dict[str, int]:
    row = connection.execute(_COUNT).fetchone()
    assert row is not None
    return {"count": int(row[0]), "last": int(row[1])}
