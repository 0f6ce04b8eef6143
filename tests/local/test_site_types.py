"""Whole sites in other types than those of the synthetic one: what the check lets pass, every job runs on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import Connection

from sitejobs.catalog import JOBS
from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs.schema.check import check
from sitejobs.schema.model import Column, Table
from sitejobs.schema.site import SITE_TABLES
from sitejobs_local.database import migrations
from tests.local.every_job import JOBS_IN_ORDER, modes_of, run_job

_CONSTRAINTS = """
SELECT format('ALTER TABLE %%I DROP CONSTRAINT %%I', relname, conname) FROM pg_constraint
JOIN pg_class c ON c.oid = conrelid WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'c')
  AND relname = ANY(%s)
"""


def run_all(url: str, parser: ParserHost, folder: Path) -> None:
    for job in JOBS_IN_ORDER:
        for options in reversed(modes_of(job)):
            run_job(url, job, folder, parser, **options)


def change(connection: Connection, type_of: Callable[[Table, Column], str | None]) -> int:
    """Give columns of the contract other types; how many were given one."""
    found = connection.execute(_CONSTRAINTS, [[table.name for table in SITE_TABLES]]).fetchall()
    for (statement,) in found:
        connection.execute(statement.encode())
    changed = 0
    for table in SITE_TABLES:
        for column in table.columns:
            if type_ := type_of(table, column):
                place, name = f'ALTER TABLE "{table.name}" ALTER COLUMN "{column.name}"', f'"{column.name}"'
                using = f"{name}::text::{type_}" if column.type == "text" else f"{name}::{type_}"
                connection.execute(f"{place} DROP IDENTITY IF EXISTS".encode())
                connection.execute(f"{place} DROP DEFAULT".encode())
                connection.execute(f"{place} TYPE {type_} USING {using}".encode())
                changed += 1
    return changed


def of_kind(kind: str, type_: str) -> Callable[[Table, Column], str | None]:
    return lambda table, column: type_ if column.type == kind else None


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("bigint", "integer"),
        ("bigint", "smallint"),
        ("timestamp", "timestamptz"),
        ("timestamp", "timestamp(0)"),
        ("date", "timestamp"),
        ("date", "timestamptz"),
        ("text", "varchar(10000)"),
        ("text", "citext"),
        ("text", "text"),
        ("double precision", "numeric"),
        ("double precision", "real"),
        ("double precision", "bigint"),
        ("double precision", "double precision"),
    ],
)
def test_every_job_runs_on_a_site_of_this_type(
    copied_site: str, parser: ParserHost, tmp_path: Path, kind: str, type_: str
) -> None:
    with connect(copied_site) as connection:
        if type_ == "citext":
            connection.execute("CREATE EXTENSION citext")
        assert change(connection, of_kind(kind, type_)) > 0
        assert check(connection, list(JOBS)).ok
    run_all(copied_site, parser, tmp_path)


def test_every_job_runs_on_the_empty_views_that_the_check_advises(
    database_url: str, parser: ParserHost, tmp_path: Path
) -> None:
    with connect(database_url) as connection:
        for finding in check(connection, list(JOBS)).findings:
            if finding.mend.startswith("CREATE VIEW"):
                connection.execute(finding.mend.encode())
        migrations.apply(connection)
        assert check(connection, list(JOBS)).ok
    for job in JOBS_IN_ORDER:
        if job.entry.name != "media-metadata":  # there is no upload to ask for
            assert run_job(database_url, job, tmp_path, parser)["written"] == 0
