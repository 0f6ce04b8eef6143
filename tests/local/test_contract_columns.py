"""Columns that `sitejobs check` advises to add hold nothing but NULL: no job fails for it."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.jobs.job import PagedJob
from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs.schema.check import check
from sitejobs.schema.model import Column, Table
from sitejobs.schema.site import SITE_TABLES
from tests.local.every_job import JOBS_IN_ORDER, modes_of, run_job


@pytest.fixture
def site(small_site: str) -> Iterator[Connection]:
    with connect(small_site) as connection:
        yield connection


@pytest.mark.parametrize("table", SITE_TABLES, ids=lambda table: table.name)
def test_a_column_of_nulls_as_the_check_advises_breaks_no_job(
    site: Connection, small_site: str, parser: ParserHost, tmp_path: Path, table: Table
) -> None:
    failed = [
        failure
        for column in table.columns
        for failure in failures_without(site, small_site, parser, tmp_path / uuid.uuid4().hex, table, column)
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
        for options in modes_of(job):
            try:
                run_job(url, job, folder, parser, **options, **allowing_loss(job))
            except Exception as error:
                failed.append(f"{table.name}.{column.name}: {job.entry.name}: {type(error).__name__}: {error}"[:200])
                site.execute("""UPDATE "JobRun" SET "status" = 'FAILED', "finishedAt" = now()
                                WHERE "finishedAt" IS NULL""")
    site.execute(f'ALTER TABLE {place} DROP COLUMN {name}; ALTER TABLE {place} RENAME COLUMN "kept" TO {name}'.encode())
    return failed


def allowing_loss(job: PagedJob) -> JsonObject:
    """A column of nulls may well take the source of everything away."""
    return {"allowLoss": True} if "allow_loss" in job.options.model_fields else {}
