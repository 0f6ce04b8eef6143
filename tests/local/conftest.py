"""What tests of the machine at home share: the parser of uploads, and a small site to change."""

from collections.abc import Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict

from sitejobs.media.parser_host import ParserHost
from sitejobs_local.database.postgres import Server
from tests.databases import populated_database, temporary_database


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserHost]:
    with ParserHost() as host:
        yield host


@pytest.fixture(scope="module")
def small_site(postgres_server: Server) -> Iterator[str]:
    """The URL of a site of 40 users that all tests of a module share."""
    with populated_database(postgres_server) as url:
        yield url


@pytest.fixture
def copied_site(postgres_server: Server, small_site: str) -> Iterator[str]:
    """The URL of a copy of the small site that the test may change."""
    with temporary_database(postgres_server, template=str(conninfo_to_dict(small_site)["dbname"])) as url:
        yield url
