"""Two pages at once, a lost connection, the same page twice: the stored rows are complete."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from sitejobs.feed import affinity, content_features, trending
from sitejobs.jobs.job import PagedJob, PageSummary, Resources, Run
from sitejobs.postgres.connection import Database, connect, is_transient
from tests.fakes import FolderWorkStore
from tests.feed.running import rows, run, versions
from tests.feed.sites import NOW, random_site
from tests.limits import PATIENCE_S

JOBS = {
    "PostFeatures": content_features.JOB,
    "TrendingScore": trending.JOB,
    "UserAffinityProfile": affinity.JOB,
}
TABLES = pytest.mark.parametrize("table", JOBS)
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"


def page_of_all(url: str, job: PagedJob, at: datetime = NOW) -> PageSummary:
    """One page with every key, in an environment of its own."""
    resources = Resources(Database(url), FolderWorkStore(Path("nowhere")), {})
    try:
        options = job.options()
        asked = Run("1", job.entry.name, at)
        planned = Run("1", job.entry.name, at, {}, job.plan(resources, asked, options, None).context)
        return job.batch(resources, planned, options, {"page": 1, "first": "1", "last": str(10**9)})
    finally:
        resources.database.close()


ANY_ROW = {
    "PostFeatures": "%s, '{}', 0, now(), 0",
    "TrendingScore": "%s, 0, 0, 0, now(), now() - interval '1 year', now()",
    "UserAffinityProfile": "%s, '{}', '{}', '{}', '{}', '{}', 0, 0, now() - interval '1 year', 0",
}


@contextmanager
def row_held(url: str, table: str, key: int) -> Iterator[Connection]:
    """Another session that writes a key's row and has not committed yet."""
    with connect(url) as connection, connection.transaction():
        connection.execute(f'INSERT INTO "{table}" VALUES ({ANY_ROW[table]})'.encode(), [key])
        yield connection


def stored(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    return rows(connection, f'SELECT * FROM "{table}" ORDER BY 1')


def prepared(url: str, connection: Connection, table: str) -> list[tuple[Any, ...]]:
    """The rows of an undisturbed run, which are then removed."""
    random_site(4).store(connection)
    if table == "UserAffinityProfile":
        run(url, content_features.JOB, NOW, maxLookbackDays=0)
    page_of_all(url, JOBS[table])
    clean = stored(connection, table)
    assert len(clean) > 5
    connection.execute(f'DELETE FROM "{table}"'.encode())
    return clean


def wait_until(connection: Connection, query: str, value: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while connection.execute(query.encode(), [value]).fetchone() == (0,):
        assert time.monotonic() < deadline, query
        time.sleep(0.01)


@TABLES
def test_a_page_that_another_one_overtakes_fails_as_transient_and_succeeds_again(
    site_url: str, connection: Connection, table: str
) -> None:
    clean = prepared(site_url, connection, table)
    with ThreadPoolExecutor(1) as pool:
        with row_held(site_url, table, clean[-1][0]) as other:
            overtaken = pool.submit(page_of_all, site_url, JOBS[table])
            wait_until(connection, BLOCKED, other.info.backend_pid)
        error = overtaken.exception(30)
    assert isinstance(error, psycopg.errors.SerializationFailure)
    assert is_transient(error)
    assert [row[0] for row in stored(connection, table)] == [clean[-1][0]], "a failed page leaves nothing"
    page_of_all(site_url, JOBS[table])
    assert stored(connection, table) == clean


@TABLES
def test_a_page_whose_connection_is_lost_leaves_nothing_and_succeeds_again(
    site_url: str, connection: Connection, table: str
) -> None:
    clean = prepared(site_url, connection, table)
    with ThreadPoolExecutor(1) as pool, row_held(site_url, table, clean[-1][0]) as other:
        lost = pool.submit(page_of_all, site_url, JOBS[table])
        wait_until(connection, BLOCKED, other.info.backend_pid)
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))",
            [other.info.backend_pid],
        )
        error = lost.exception(30)
        assert isinstance(error, psycopg.OperationalError)
        assert is_transient(error)
        connection.execute("SELECT pg_terminate_backend(%s)", [other.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")
    assert stored(connection, table) == []
    page_of_all(site_url, JOBS[table])
    assert stored(connection, table) == clean


@TABLES
def test_a_page_that_runs_twice_leaves_what_one_leaves(site_url: str, connection: Connection, table: str) -> None:
    clean = prepared(site_url, connection, table)
    page_of_all(site_url, JOBS[table])
    before = versions(connection, table)
    again = page_of_all(site_url, JOBS[table])
    assert (again.written, versions(connection, table)) == (0, before)
    assert stored(connection, table) == clean
