"""Two pages of feed-presort at once, a lost connection: the stored feeds are complete."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from sitejobs.feed.feed_presort import JOB
from sitejobs.postgres.connection import connect, is_transient
from tests.feed.feed_sites import random_feed_site
from tests.feed.running import rows
from tests.feed.sites import NOW
from tests.feed.test_failures import BLOCKED, page_of_all, wait_until

TABLES = ("FeedSegment", "FeedPresortedUser")
LATER = NOW + timedelta(hours=1)


def everything(connection: Connection) -> list[Any]:
    return [rows(connection, f'SELECT * FROM "{table}" ORDER BY 1, 2') for table in TABLES]


def clear(connection: Connection) -> None:
    for table in TABLES:
        connection.execute(f'DELETE FROM "{table}"'.encode())


@pytest.fixture
def clean(site_url: str, connection: Connection) -> list[Any]:
    """The rows of an undisturbed page at `LATER`; the tables are empty again."""
    random_feed_site(4).store(connection)
    page_of_all(site_url, JOB, LATER)
    found = everything(connection)
    assert len(found[0]) > 20
    clear(connection)
    return found


@contextmanager
def user_held(url: str, user: int) -> Iterator[Connection]:
    """Another session that writes a user's feed and has not committed yet."""
    with connect(url) as connection, connection.transaction():
        connection.execute(
            """INSERT INTO "FeedPresortedUser" VALUES (%(user)s, 'v1', %(at)s, %(at)s, 0, 'x', 0, 0, '{}')
               ON CONFLICT ("userId") DO UPDATE SET "skipped" = 'x'""",
            {"user": user, "at": NOW},
        )
        yield connection


@pytest.mark.parametrize("first_time", [True, False])
def test_a_page_that_another_one_overtakes_fails_as_transient_and_succeeds_again(
    site_url: str, connection: Connection, clean: list[Any], first_time: bool
) -> None:
    if not first_time:
        page_of_all(site_url, JOB, NOW)
    before = rows(connection, 'SELECT * FROM "FeedSegment" ORDER BY 1, 2')
    with ThreadPoolExecutor(1) as pool:
        with user_held(site_url, clean[1][-1][0]) as other:
            overtaken = pool.submit(page_of_all, site_url, JOB, LATER)
            wait_until(connection, BLOCKED, other.info.backend_pid)
        error = overtaken.exception(30)
    assert isinstance(error, psycopg.errors.SerializationFailure)
    assert is_transient(error)
    assert rows(connection, 'SELECT * FROM "FeedSegment" ORDER BY 1, 2') == before
    page_of_all(site_url, JOB, LATER)
    assert everything(connection) == clean


def test_a_page_whose_connection_is_lost_leaves_the_old_feeds_and_succeeds_again(
    site_url: str, connection: Connection, clean: list[Any]
) -> None:
    page_of_all(site_url, JOB, NOW)
    before = everything(connection)
    with ThreadPoolExecutor(1) as pool, user_held(site_url, clean[1][-1][0]) as other:
        lost = pool.submit(page_of_all, site_url, JOB, LATER)
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
    assert everything(connection) == before
    page_of_all(site_url, JOB, LATER)
    assert everything(connection) == clean


def test_two_runs_of_different_times_leave_the_later_ones_feeds(
    site_url: str, connection: Connection, clean: list[Any]
) -> None:
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(page_of_all, site_url, JOB, at) for at in (NOW, LATER)]
            errors = [error for each in both if (error := each.exception(60)) is not None]
        for error in errors:
            assert isinstance(error, psycopg.Error)
            assert is_transient(error)
        page_of_all(site_url, JOB, LATER)  # as Step Functions tries again
        page_of_all(site_url, JOB, NOW)
        assert everything(connection) == clean
        clear(connection)
