"""Columns that `sitejobs check` advises to add hold nothing but NULL: no job fails for it."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg import Connection

from sitejobs.catalog import JOBS
from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs_local.contract.check import check
from sitejobs_local.contract.model import Column, Table
from sitejobs_local.contract.site import SITE_TABLES
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database
from tests.local.every_job import JOBS_IN_ORDER, run_job


@pytest.fixture(scope="module")
def url(postgres_server: Server) -> Iterator[str]:
    """A small site with rows."""
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            load(connection, generate(40, 5, datetime.now(UTC) - timedelta(minutes=1)))
        yield url


@pytest.fixture
def site(url: str) -> Iterator[Connection]:
    with connect(url) as connection:
        yield connection


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserHost]:
    with ParserHost() as host:
        yield host


@pytest.mark.parametrize("table", SITE_TABLES, ids=lambda table: table.name)
def test_a_column_of_nulls_as_the_check_advises_breaks_no_job(
    site: Connection, url: str, parser: ParserHost, tmp_path: Path, table: Table
) -> None:
    failed = [
        failure
        for column in table.columns
        for failure in failures_without(site, url, parser, tmp_path / uuid.uuid4().hex, table, column)
    ]
    assert not failed, "\n".join(failed)


def failures_without(
    site: Connection, url: str, parser: ParserHost, folder: Path, table: Table, column: Column
) -> list[str]:
    """Rename a column away, do as advised, and run what needs it; the jobs that fail. The column is as before then."""
    place, name = f'"{table.name}"', f'"{column.name}"'
    site.execute(f'ALTER TABLE {place} RENAME COLUMN {name} TO "kept"'.encode())
    advised = [finding for finding in check(site, list(JOBS)).findings if finding.kind == "column"]
    assert [finding.object for finding in advised] == [f"{place}.{name}"]
    site.execute(advised[0].mend.encode())
    failed = []
    for job in JOBS_IN_ORDER:
        if job.entry.name not in (column.jobs or table.jobs or ()) or job.entry.name == "media-metadata":
            continue
        for incremental in (False, True) if "incremental" in job.options.model_fields else (None,):
            try:
                options = {} if incremental is None else {"incremental": incremental}
                run_job(url, job, folder, parser, **options, allowLoss=True)
            except Exception as error:
                failed.append(f"{table.name}.{column.name}: {job.entry.name}: {type(error).__name__}: {error}"[:200])
                site.execute("""UPDATE "JobRun" SET "status" = 'FAILED', "finishedAt" = now()
                                WHERE "finishedAt" IS NULL""")
    site.execute(f'ALTER TABLE {place} DROP COLUMN {name}; ALTER TABLE {place} RENAME COLUMN "kept" TO {name}'.encode())
    return failed
