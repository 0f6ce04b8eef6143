"""Whole runs on a small site. Each test has its own database; the machine and its workers serve all tests."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest
from psycopg.conninfo import conninfo_to_dict

from sitejobs.postgres.connection import connect
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.database.migrations import apply, apply_site_schema
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import TEMPLATE
from sitejobs_local.population import generate, load
from tests.databases import temporary_database
from tests.failure.site import Rows, Site

USERS = 300
NOW = datetime(2026, 6, 1, tzinfo=UTC)

_numbers = count(1)


def fill(url: str) -> None:
    """Make a synthetic site in which every run starts at `NOW`, so that their rows can be compared."""
    with connect(url) as connection:
        apply_site_schema(connection)
        apply(connection)
        load(connection, generate(USERS, 7, NOW))
        connection.execute(f"""ALTER TABLE "JobRun" ALTER "startedAt" SET DEFAULT '{NOW.isoformat()}'""".encode())


@pytest.fixture(scope="package")
def template(postgres_server: Server) -> Iterator[str]:
    """Name of a database with such a site."""
    with temporary_database(postgres_server) as url:
        fill(url)
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture(scope="package")
def machine_of(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A machine for a database that does not exist yet: each test makes it."""
    url = postgres_server.database_url(f"failure_{uuid.uuid4().hex}")
    log = tmp_path_factory.mktemp("machine") / "functions.log"
    site = Site(postgres_server, url, log)
    with LocalMachine(TEMPLATE, database_url=url, log_file=log, on_event=site.hear) as machine:
        site.machine = machine
        yield site


@pytest.fixture
def site(machine_of: Site, template: str) -> Iterator[Site]:
    with temporary_database(machine_of.server, template, machine_of.name):
        # Workers keep the last opened snapshot by the run's id, so no two tests may use the same id.
        machine_of.query(f'ALTER TABLE "JobRun" ALTER "id" RESTART WITH {next(_numbers) * 1000}')
        machine_of.forget()
        yield machine_of
        machine_of.forget()
        machine_of.bring_back()


@pytest.fixture(scope="package")
def clean(machine_of: Site, template: str) -> Rows:
    """The rows after one undisturbed run."""
    with temporary_database(machine_of.server, template, machine_of.name):
        assert machine_of.run().status == "SUCCEEDED"
        machine_of.assert_whole()
        rows = machine_of.rows()
        assert len(rows) > USERS
        return rows


@pytest.fixture
def viewer(clean: Rows) -> int:
    """Somebody who has matches."""
    return sorted(clean)[len(clean) // 2][0]
