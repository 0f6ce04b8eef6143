"""Databases on the tests' server that live longer than a test, or are copies of one another."""

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache

import psycopg
from psycopg import sql

from sitejobs.postgres.connection import Database, connect
from sitejobs_local.database.migrations import apply, apply_site_schema
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load

_WARM: defaultdict[str, list[Database]] = defaultdict(list)
_LOCK = threading.Lock()
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
EMPTY_SITE = "empty_site"


@contextmanager
def temporary_database(server: Server, template: str = "template0", name: str | None = None) -> Iterator[str]:
    """The URL of a database made from a template, dropped at the end along with the connections left to it."""
    name = name or f"test_{uuid.uuid4().hex}"
    values = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    close_warm(template)  # nobody else may use what is copied
    with psycopg.connect(server.database_url("postgres"), autocommit=True) as administrator:
        # To copy the files takes half of the time that it takes to log each block, where nothing is flushed to a disk.
        strategy = sql.SQL(" STRATEGY file_copy" if administrator.info.server_version >= 150_000 else "")
        administrator.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**values) + strategy)
        try:
            yield server.database_url(name)
        finally:
            close_warm(name)
            wait_for_closed_sessions(administrator, name)
            administrator.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**values))


@contextmanager
def warm_database(url: str) -> Iterator[Database]:
    """One that nobody uses at the moment, as an environment of functions has it: its session is kept for later runs.

    A new session costs the server more than most statements on a small site: it knows none of the tables.
    """
    with _LOCK:
        free = _WARM[url]
        database = free.pop() if free else Database(url)
    try:
        yield database
    except BaseException:
        database.close()
        raise
    with _LOCK:
        _WARM[url].append(database)


def close_warm(name: str) -> None:
    """End the sessions that are kept of a database, whosever they are.

    Its name is looked for in the whole address: not all addresses that functions take are libpq's.
    """
    with _LOCK:
        urls = [url for url in _WARM if name in url]
        ended = [database for url in urls for database in _WARM.pop(url)]
    for database in ended:
        database.close()


def wait_for_closed_sessions(administrator: psycopg.Connection, database: str) -> None:
    """The server takes a moment to notice a closed connection; DROP DATABASE sleeps 0.1 s when it finds one."""
    for _ in range(50):
        if administrator.execute(SESSIONS, [database]).fetchone() == (0,):
            return
        time.sleep(0.001)


@contextmanager
def site_database(server: Server) -> Iterator[str]:
    """The URL of a database with the site's tables and the bundle's, without rows."""
    with temporary_database(server, _empty_site(server)) as url:
        yield url


@cache
def _empty_site(server: Server) -> str:
    """The name of a database to copy, made once a server: a copy takes a sixth of the time that the migrations take."""
    with psycopg.connect(server.database_url("postgres"), autocommit=True) as administrator:
        administrator.execute(f'CREATE DATABASE "{EMPTY_SITE}" TEMPLATE template0')
    with connect(server.database_url(EMPTY_SITE)) as connection:
        apply_site_schema(connection)
        apply(connection)
    return EMPTY_SITE


@contextmanager
def populated_database(server: Server, users: int = 40, seed: int = 5, moment: datetime | None = None) -> Iterator[str]:
    """The URL of a database with a small synthetic site as it is at a moment, a minute ago by default."""
    with site_database(server) as url:
        with connect(url) as connection:
            load(connection, generate(users, seed, moment or datetime.now(UTC) - timedelta(minutes=1)))
        yield url
