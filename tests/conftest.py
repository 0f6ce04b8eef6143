"""What all tests share: one embedded PostgreSQL a session, and an empty database for each test that asks for one."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from xdist.scheduler import LoadFileScheduling

from sitejobs_local.database.postgres import Server, reset, running_postgres
from tests import forks, skips
from tests.databases import site_database, temporary_database
from tests.servers import OLDEST, own_server, programs_of
from tests.surroundings import normalise

normalise()
forks.use()

BUNDLE = "tests/bundle/"
LONGEST = (  # begun first: a worker that begins one of them last works alone at the end
    BUNDLE,
    *("tests/test_new_job.py", "tests/test_benchmarks.py", "tests/local/test_cli_runs.py", "tests/test_docs.py"),
    *("tests/test_environment.py", "tests/media/test_runs.py", "tests/cost/", "tests/local/test_versions.py"),
    *("tests/test_payloads.py", "tests/feed/test_runs.py", "tests/search/test_command.py", "tests/failure/"),
    *("tests/workflows/", "tests/matching/learning/", "tests/test_vanished_host.py"),
)
MEMORY_DISK = Path("/dev/shm")
MEMORY_NEEDED = 4 << 30  # bytes; Docker gives 64 MB there


class FilesTogether(LoadFileScheduling):  # type: ignore[misc] # it has no types
    """With `-n 2` a file's tests stay in one process, and all of the bundle's: these share what they build."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return BUNDLE if file.startswith(BUNDLE) else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Thousands of tests stay until the end: the garbage collector need not look at them over and over."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether:
    return FilesTogether(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the skipped tests lacked."""
    reports = terminalreporter.stats.get("skipped", [])
    if told := skips.counted(report.longrepr[2] for report in reports):
        terminalreporter.write_line(told)


def folder_parent() -> str | None:
    """Memory where Linux has it to spare: a new database is 300 files, 0.02 s there and 0.06 to 0.3 s on ext4."""
    if not os.access(MEMORY_DISK, os.W_OK | os.X_OK):
        return None
    if os.statvfs(MEMORY_DISK).f_flag & os.ST_NOEXEC:  # type: ignore[attr-defined,unused-ignore] # Linux only
        return None
    return str(MEMORY_DISK) if shutil.disk_usage(MEMORY_DISK).free > MEMORY_NEEDED else None


def make_home() -> Path:
    """A temporary home of an embedded PostgreSQL; remove it with `remove_home`."""
    home = Path(tempfile.mkdtemp(prefix="sitejobs-tests-", dir=folder_parent()))
    if os.geteuid() == 0:
        home.chmod(0o711)  # the server runs as another user; pytest's own tmp_path is closed to that one
    return home


def remove_home(home: Path) -> None:
    """Waits for the server to stop; DatabaseInUse when a test left a client behind."""
    reset(home)
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The session's own server: never the developer's, whatever SITEJOBS_HOME and DATABASE_URL say."""
    home = make_home()
    with running_postgres(home) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            # Nothing here has to outlive the machine.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
    remove_home(home)


@pytest.fixture(scope="session")
def old_server() -> Iterator[Server]:
    """The oldest PostgreSQL that is supported; skipped where it cannot be had. `database_url` stays on the newest."""
    programs = programs_of(OLDEST)
    home = make_home()
    with own_server(home, programs=programs) as server:
        yield server
    shutil.rmtree(home)


@pytest.fixture
def database_url(postgres_server: Server) -> Iterator[str]:
    """The libpq URL of a fresh, empty database, dropped after the test along with the connections left to it."""
    with temporary_database(postgres_server) as url:
        yield url


@pytest.fixture
def site_url(postgres_server: Server) -> Iterator[str]:
    """The same of a database with the site's tables and the bundle's, without rows."""
    with site_database(postgres_server) as url:
        yield url
