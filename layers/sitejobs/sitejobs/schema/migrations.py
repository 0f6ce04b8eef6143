"""The bundle's own tables: plain .sql files, applied in order and recorded, safe to apply twice and at once."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import Connection, errors

from sitejobs.errors import DatabaseFailure, InvalidInput, Transient
from sitejobs.postgres.connection import describe, is_transient
from sitejobs.postgres.search_path import path_of
from sitejobs.schema import mend
from sitejobs.schema.home import Home, home_of, made_by, namesakes, refuse_namesakes, rows_of, set_path
from sitejobs.schema.inspect import inspect
from sitejobs.schema.kinds import odd_ids
from sitejobs.schema.model import identifier
from sitejobs.schema.moving import move
from sitejobs.schema.site import SITE_TABLES

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"

# The advisory lock's number: arbitrary, but the same in every version of this command.
LOCK: Final = "SELECT pg_advisory_xact_lock(7305808869243)"
CREATE_RECORD: Final = """
CREATE TABLE IF NOT EXISTS "SitejobsMigration" (
    "name"      text        PRIMARY KEY,
    "checksum"  text        NOT NULL,
    "appliedAt" timestamptz NOT NULL DEFAULT now(),
    "objects"   text[]      -- names of what it made, a function's with (): others' things have these names, too
)
"""
ADD_OBJECTS: Final = 'ALTER TABLE "SitejobsMigration" ADD COLUMN IF NOT EXISTS "objects" text[]'
_RECORD: Final = """
INSERT INTO "SitejobsMigration" ("name", "checksum", "objects") VALUES (%(name)s, %(checksum)s, %(objects)s)
ON CONFLICT ("name") DO UPDATE SET "checksum" = excluded."checksum", "objects" = excluded."objects", "appliedAt" = now()
"""
_TELL: Final = 'UPDATE "SitejobsMigration" SET "objects" = %(objects)s WHERE "name" = %(name)s AND "objects" IS NULL'
_SCHEMA: Final = """
SELECT current_user::text, (
    SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE')
    FROM pg_namespace WHERE nspname = %s)
"""
_READ_TABLES = re.compile(rb'(?:FROM|JOIN) "(\w+)"')
_FORMER: dict[str, tuple[str, ...]] = {
    "0002_match_scores.sql": (
        "0c5270779fc56d0f2148888e86a21c48e5f3dea4b20ae003f79883c38d50a325",
        "24cf95195a67e7d9e43353f2e93f6be4a3d043a717e4954320fb941d1921398e",
    ),
    "0050_finite_scores.sql": ("cd37b1664a0172d7794d1f7d619fd1bb5b6125b89326f572c6936a0ec53023fa",),
    "0054_views_hold_no_site_column.sql": ("48c85a92c93b0b37db413b41b53cefcc1c7df135f8b15e3c7b5daf7a363dfcfb",),
    "0060_match_lists.sql": ("19424d873938130c7f5186fe6b29a41d2be4748c443db1e2ade752950d6fbd06",),
    "0061_match_list_changes.sql": ("55952e89837afc9da55ed88d3d3b57a76ddabdb9989cb7a531b7ffeee75b8a3e",),
}
"""Checksums that files had before they were changed so that they bear being applied again over a later one's view.

Databases that have applied them need nothing of the change.
"""
_FILE_NAME = re.compile(r"\d{4}_\w+\.sql")


@dataclass(frozen=True)
class Migration:
    """One file of SQL; `checksum` is the SHA-256 of its bytes."""

    name: str
    sql: bytes
    checksum: str

    @property
    def made(self) -> frozenset[str]:
        """Names of what it makes."""
        return made_by(self.sql)

    @property
    def reads_site(self) -> bool:
        """Whether it must find tables of the site's; others look in the bundle's schema alone."""
        return any(identifier(table.name).encode() in self.sql for table in SITE_TABLES)


def apply(
    connection: Connection, folder: Path = MIGRATIONS, *, again: bool = False, schema: str | None = None
) -> list[str]:
    """Apply the migrations that the database lacks and return their names, in order.

    Each is applied in one transaction with its record. Two callers at once take turns; a second call does nothing,
    or applies every file once more if told so by `again`: they are all written for it, and bring back what was dropped.
    They go where the earlier ones went, else into the search path's first schema, made if need be. Into `schema` what
    was made earlier is moved, and all are applied once more, in one transaction.

    Raises
    ------
    InvalidInput : an applied file has been changed since, a file's name has no place in the order, something of the
        site's has a name of the bundle's, a table that a file reads has ids that are no whole numbers, or the role may
        not do it.
    DatabaseFailure, Transient : the database refused a file; the message names those that were applied before it.
    """
    home = home_of(connection, schema)
    _refuse_unreached(home, schema)
    recorded = _recorded(connection, home)
    migrations = read(folder)
    _refuse_changed(migrations, recorded)
    if schema is not None and home.schema != schema:
        return _move(connection, home, schema, migrations)
    due = [migration for migration in migrations if again or migration.name not in recorded]
    if due or not home.tells:
        with connection.transaction():  # while nobody else migrates
            connection.execute(LOCK)
            home = home_of(connection, schema)
            refuse_namesakes(namesakes(connection, home, _made(migrations)), home)
    applied = _apply_due(connection, home, due, again=again)
    if home.recorded and not home.tells and home.readable:
        _tell_what_was_made(connection, home, migrations)
    return applied


def _made(migrations: Sequence[Migration]) -> dict[str, frozenset[str]]:
    return {migration.name: migration.made for migration in migrations}


def _apply_due(connection: Connection, home: Home, due: Sequence[Migration], *, again: bool) -> list[str]:
    _refuse_odd_ids(connection, due)
    applied: list[str] = []
    for migration in due:
        with _telling(migration.name, applied):
            if _apply_one(connection, home, migration, again=again):
                applied.append(migration.name)
    return applied


def _move(connection: Connection, home: Home, schema: str, migrations: Sequence[Migration]) -> list[str]:
    """Bring the bundle into another schema, and functions that name theirs up to date."""
    with connection.transaction():
        connection.execute(LOCK)
        _make_schema(connection, schema)
        move(connection, home, schema, _made(migrations))
        return _apply_due(connection, home_of(connection, schema), migrations, again=True)


def apply_file(connection: Connection, file: Path) -> None:
    """Apply one file of the site's with its record, into the site's schema. Does nothing if it was applied before."""
    migration, home = _read_one(file), home_of(connection)
    if _recorded(connection, home).get(migration.name) != migration.checksum:
        _apply_one(connection, home, migration, again=True, to_site=True)


def pending(connection: Connection, folder: Path = MIGRATIONS) -> list[str]:
    """Names of the migrations that are not recorded in the database."""
    recorded = _recorded(connection, home_of(connection))
    return [migration.name for migration in read(folder) if migration.name not in recorded]


def read(folder: Path) -> list[Migration]:
    """The folder's migrations in the order in which they are applied."""
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise InvalidInput(f"no migrations in {folder}")
    for file in files:
        if not _FILE_NAME.fullmatch(file.name):
            raise InvalidInput(f"{file.name}: a migration is named like 0001_what_it_does.sql")
    return [_read_one(file) for file in files]


def _read_one(file: Path) -> Migration:
    sql = file.read_bytes()
    return Migration(file.name, sql, hashlib.sha256(sql).hexdigest())


def _recorded(connection: Connection, home: Home) -> dict[str, str]:
    return {name: checksum for name, checksum, _ in rows_of(connection, home)}


def _refuse_unreached(home: Home, schema: str | None) -> None:
    """Refuse a schema that the jobs would not find."""
    if schema is not None and schema not in home.named:
        path = path_of(home.named, schema)
        raise InvalidInput(
            f"the search path does not lead to schema {identifier(schema)}: set DATABASE_SEARCH_PATH={path}"
            " (of a stack the parameter DatabaseSearchPath)"
        )


def _refuse_changed(migrations: Sequence[Migration], recorded: dict[str, str]) -> None:
    changed = [
        migration.name
        for migration in migrations
        if recorded.get(migration.name, migration.checksum)
        not in (migration.checksum, *_FORMER.get(migration.name, ()))
    ]
    if changed:
        raise InvalidInput(
            f"{', '.join(changed)} was applied to this database with other content: put the change into a new"
            " migration (the embedded database can be thrown away with `sitejobs db reset`)"
        )


def _refuse_odd_ids(connection: Connection, due: Sequence[Migration]) -> None:
    """Refuse tables whose ids are no whole numbers before anything is written: the views over them would fail."""
    read = {name.decode() for migration in due for name in _READ_TABLES.findall(migration.sql)}
    tables = [table for table in SITE_TABLES if table.name in read]
    found = odd_ids(inspect(connection, dict.fromkeys(table.name for table in tables)), tables) if tables else []
    if found:
        names = ", ".join(entry.name for entry in found)
        raise InvalidInput(f"{names} {mend.odd_ids(found)}; {mend.PAGE} says how views number them")


def _apply_one(
    connection: Connection, home: Home, migration: Migration, *, again: bool = False, to_site: bool = False
) -> bool:
    """Apply one file unless somebody else just did; `to_site`: its tables are the site's."""
    with connection.transaction():
        connection.execute(LOCK)
        _make_schema(connection, home.schema)
        recorded = _recorded(connection, _make_record(connection, home.schema))
        if migration.name in recorded and not again:
            _refuse_changed([migration], recorded)
            return False
        if to_site:
            connection.execute(set_path(*(home.rest or (home.schema,))))
        elif migration.reads_site:
            connection.execute(set_path(home.schema, *home.rest))
        connection.execute(migration.sql)
        connection.execute(set_path(home.schema))
        made = [] if to_site else sorted(migration.made)
        connection.execute(_RECORD, {"name": migration.name, "checksum": migration.checksum, "objects": made})
    return True


def _make_record(connection: Connection, schema: str) -> Home:
    """The schema with its record, where the transaction now looks for everything."""
    connection.execute(set_path(schema))
    connection.execute(CREATE_RECORD)
    home = home_of(connection, schema)
    if not home.tells:
        connection.execute(ADD_OBJECTS)
    return home


def _make_schema(connection: Connection, schema: str) -> None:
    row = connection.execute(_SCHEMA, [schema]).fetchone()
    assert row is not None
    place, role, allowed = identifier(schema), identifier(row[0]), row[1]
    refusal = f"{role} may not make tables in schema {place}: as the owner of the database or of the schema"
    if allowed is False:
        raise InvalidInput(f"{refusal} GRANT USAGE, CREATE ON SCHEMA {place} TO {role};")
    if allowed is None:
        try:
            with connection.transaction():
                connection.execute(f"CREATE SCHEMA {place}".encode())
        except errors.InsufficientPrivilege:
            raise InvalidInput(f"{refusal} CREATE SCHEMA {place} AUTHORIZATION {role};") from None


def _tell_what_was_made(connection: Connection, home: Home, migrations: Sequence[Migration]) -> None:
    """Complete a record of before the names were kept; nobody else's were found among them."""
    with connection.transaction():
        connection.execute(LOCK)
        _make_record(connection, home.schema)
        for migration in migrations:
            connection.execute(_TELL, {"name": migration.name, "objects": sorted(migration.made)})


@contextmanager
def _telling(name: str, applied: Sequence[str]) -> Iterator[None]:
    """Say of a migration that fails which it is, and what was done before it."""
    try:
        yield
    except psycopg.Error as error:
        what = error.diag.message_primary if isinstance(error, errors.RaiseException) else None
        hint = f" ({error.diag.message_hint})" if what and error.diag.message_hint else ""
        many = f"{applied[0]} to {applied[-1]}, {len(applied)} in all" if len(applied) > 3 else ", ".join(applied)
        done = f"applied before it: {many}" if applied else "nothing was applied before it"
        text = f"{name} failed and left nothing of itself: {what or describe(error)}{hint}; {done}"
        if is_transient(error):
            raise Transient(text) from error
        if isinstance(error, errors.InsufficientPrivilege):
            raise InvalidInput(text) from error
        raise DatabaseFailure(text) from error
