"""A database with the site's tables and the bundle's, empty for each test or kept for a module's."""

from collections.abc import Iterator

import psycopg
import pytest

from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from tests.databases import site_database


@pytest.fixture
def connection(site_url: str) -> Iterator[psycopg.Connection]:
    with connect(site_url) as connection:
        yield connection


@pytest.fixture(scope="module")
def kept_url(postgres_server: Server) -> Iterator[str]:
    """One database for all examples of a test; each stores its own site there."""
    with site_database(postgres_server) as url:
        yield url
