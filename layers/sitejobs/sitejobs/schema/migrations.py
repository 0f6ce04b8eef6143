"""The bundle's own tables: plain .sql files, applied in order and recorded, safe to apply twice and at once."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg import Connection

from sitejobs.errors import InvalidInput
from sitejobs.schema import mend
from sitejobs.schema.inspect import inspect
from sitejobs.schema.kinds import odd_ids
from sitejobs.schema.site import SITE_TABLES

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"

# The advisory lock's number: arbitrary, but the same in every version of this command.
_LOCK = "SELECT pg_advisory_xact_lock(7305808869243)"
_CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS "SitejobsMigration" (
    "name"      text        PRIMARY KEY,
    "checksum"  text        NOT NULL,
    "appliedAt" timestamptz NOT NULL DEFAULT now()
)
"""
_CAN_READ_RECORD = """SELECT COALESCE(has_table_privilege(to_regclass('"SitejobsMigration"'), 'SELECT'), false)"""
_ALL_RECORDED = """SELECT "name", "checksum" FROM "SitejobsMigration" """
_RECORDED = """SELECT "checksum" FROM "SitejobsMigration" WHERE "name" = %s"""
_RECORD = """
INSERT INTO "SitejobsMigration" ("name", "checksum") VALUES (%(name)s, %(checksum)s)
ON CONFLICT ("name") DO UPDATE SET "checksum" = excluded."checksum", "appliedAt" = now()
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


def apply(connection: Connection, folder: Path = MIGRATIONS, *, again: bool = False) -> list[str]:
    """Apply the migrations that the database lacks and return their names, in order.

    Each is applied in one transaction with its record. Two callers at once take turns; a second call does nothing,
    or applies every file once more if told so by `again`: they are all written for it, and bring back what was dropped.

    Raises
    ------
    InvalidInput : an applied file has been changed since, a file's name has no place in the order, or a table of the
        site's that a file reads has ids that are no whole numbers.
    """
    recorded = _recorded(connection)
    migrations = read(folder)
    _refuse_changed(migrations, recorded)
    due = [migration for migration in migrations if again or migration.name not in recorded]
    _refuse_odd_ids(connection, due)
    return [migration.name for migration in due if _apply_one(connection, migration, again=again)]


def apply_file(connection: Connection, file: Path) -> None:
    """Apply one file with its record. Does nothing if the same file was applied before."""
    migration = _read_one(file)
    if _recorded(connection).get(migration.name) != migration.checksum:
        _apply_one(connection, migration, again=True)


def pending(connection: Connection, folder: Path = MIGRATIONS) -> list[str]:
    """Names of the migrations that are not recorded in the database."""
    recorded = _recorded(connection)
    return [migration.name for migration in read(folder) if migration.name not in recorded]


def script(folder: Path = MIGRATIONS) -> str:
    """All migrations as a script for psql, for a database that only its owners reach.

    Each is a transaction with its record, as `apply` does it; they are safe to apply again, so the script is, too.
    """
    parts = ["\\set ON_ERROR_STOP on\n"]
    for migration in read(folder):
        record = f"""INSERT INTO "SitejobsMigration" ("name", "checksum")
VALUES ({mend.literal(migration.name)}, {mend.literal(migration.checksum)})
ON CONFLICT ("name") DO UPDATE SET "checksum" = excluded."checksum", "appliedAt" = now()"""
        steps = (_LOCK, _CREATE_RECORD.strip(), migration.sql.decode().strip().removesuffix(";"), record)
        parts.append(f"\n-- {migration.name}\nBEGIN;\n" + ";\n".join(steps) + ";\nCOMMIT;\n")
    return "".join(parts)


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


def _recorded(connection: Connection) -> dict[str, str]:
    row = connection.execute(_CAN_READ_RECORD).fetchone()
    if row is None or not row[0]:
        return {}
    return dict(connection.execute(_ALL_RECORDED).fetchall())


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
    found = odd_ids(inspect(connection, [table.name for table in tables]), tables) if tables else []
    if found:
        names = ", ".join(entry.name for entry in found)
        raise InvalidInput(f"{names} {mend.odd_ids(found)}; {mend.PAGE} says how views number them")


def _apply_one(connection: Connection, migration: Migration, *, again: bool = False) -> bool:
    """Apply one file unless somebody else just did."""
    with connection.transaction():
        connection.execute(_LOCK)
        connection.execute(_CREATE_RECORD)
        row = connection.execute(_RECORDED, [migration.name]).fetchone()
        if row is not None and not again:
            _refuse_changed([migration], {migration.name: row[0]})
            return False
        connection.execute(migration.sql)
        connection.execute(_RECORD, {"name": migration.name, "checksum": migration.checksum})
    return True
