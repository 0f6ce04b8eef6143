"""The bundle moved into another schema of the same database, with its rows and grants."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.schema.home import RECORD, Home, found_there, namesakes, refuse_namesakes, rows_of
from sitejobs.schema.model import identifier

_SIGNATURE: Final[LiteralString] = "SELECT oid::regprocedure::text FROM pg_proc WHERE oid = %s"


def move(connection: Connection, home: Home, schema: str, made: Mapping[str, frozenset[str]]) -> None:
    """Move what the bundle made, in the caller's transaction. What only has its names stays behind.

    Indexes, sequences, constraints and triggers go with their tables; views and functions keep what they refer to.

    Raises
    ------
    InvalidInput : in the other schema something has a name of the bundle's.
    """
    there = replace(home, schema=schema, record=0, recorded=False)
    refuse_namesakes(namesakes(connection, there, made), there)
    taken = {it.name for it in namesakes(connection, home, made)}
    own = {name for _, _, objects in rows_of(connection, home) for name in objects or ()}
    own |= {
        name for recorded, _, objects in rows_of(connection, home) if objects is None for name in made.get(recorded, ())
    }
    new = identifier(schema)
    if found_there(connection, schema, {RECORD}):  # of the site's own tables, that a population made
        columns = '"name", "checksum", "appliedAt"'
        connection.execute(
            f"""
            INSERT INTO {home.place} ({columns}) SELECT {columns} FROM {there.place} ON CONFLICT DO NOTHING;
            DROP TABLE {there.place}
        """.encode()
        )
    for name, oid, kind, _ in found_there(connection, home.schema, own | {RECORD}):
        plain = name.removesuffix("()")
        if plain in taken or kind not in ("TABLE", "VIEW", "FUNCTION"):
            continue
        place = f"{identifier(home.schema)}.{identifier(plain)}"
        if kind == "FUNCTION":
            row = connection.execute(_SIGNATURE, [oid]).fetchone()
            place = row[0] if row is not None else place
        connection.execute(f"ALTER {kind} {place} SET SCHEMA {new}".encode())
