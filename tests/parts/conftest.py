"""The site of the failures' tests, and a machine that takes its snapshot in parts."""

import uuid
from collections.abc import Iterator

import pytest

from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import TEMPLATE
from tests.failure.conftest import USERS, clean, site, template, viewer
from tests.failure.site import Site

PARTS = 4

__all__ = ["PARTS", "clean", "machine_of", "site", "template", "viewer"]


@pytest.fixture(scope="package")
def machine_of(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A machine for a database that does not exist yet: each test makes it."""
    url = postgres_server.database_url(f"parts_{uuid.uuid4().hex}")
    log = tmp_path_factory.mktemp("machine") / "functions.log"
    site = Site(postgres_server, url, log)
    size = {"SNAPSHOT_PART_USERS": str(USERS // PARTS)}
    with LocalMachine(TEMPLATE, database_url=url, log_file=log, on_event=site.hear, environment=size) as machine:
        site.machine = machine
        yield site
