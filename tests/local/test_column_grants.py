"""Every job with SELECT on just the columns that the contract names, as `sitejobs db roles --columns` grants them."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sitejobs.catalog import JOBS
from sitejobs.jobs.job import PagedJob
from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs.schema.check import check
from sitejobs.schema.roles import role_script
from sitejobs_local.database.postgres import Server
from tests.databases import populated_database
from tests.local.every_job import JOBS_IN_ORDER, modes_of, run_job


@pytest.fixture(scope="module")
def synthetic(postgres_server: Server) -> Iterator[str]:
    """A small site whose tables have columns, too, that no job needs."""
    with populated_database(postgres_server, users=60) as url:
        with connect(url) as connection:
            # Two uploads whose object is not there: their verdict is written.
            connection.execute("""
                INSERT INTO "Media" ("ownerUserId", "type", "status", "storageKey")
                SELECT "id", 'IMAGE', 'UPLOADED', "id"::text FROM "User" LIMIT 2
            """)
            connection.execute('ALTER TABLE "User" ADD COLUMN "email" text; ALTER TABLE "Post" ADD COLUMN "place" text')
        yield url


def test_every_job_of_the_catalog_is_here() -> None:
    assert {job.entry.name for job in JOBS_IN_ORDER} == set(JOBS)


@pytest.mark.parametrize("job", JOBS_IN_ORDER, ids=lambda job: job.entry.name)
def test_each_job_runs_with_the_columns_of_the_contract(
    synthetic: str, job: PagedJob, parser: ParserHost, tmp_path: Path
) -> None:
    role = f"columns_{uuid.uuid4().hex[:8]}"
    name = job.entry.name
    with connect(synthetic) as site:
        site.execute(role_script(role, [name], by_column=True).encode())
        site.execute(f"ALTER ROLE {role} LOGIN".encode())
        try:
            url = make_conninfo(synthetic, user=role)
            with connect(url) as worker:
                assert check(worker, [name]).ok
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    worker.execute('SELECT "email" FROM "User"')
            for options in modes_of(job):
                done = run_job(url, job, tmp_path, parser, **options)
                assert done["failed"] == 0 or job.entry.group == "media"
        finally:
            site.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
