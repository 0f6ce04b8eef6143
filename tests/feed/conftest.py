"""A database with the site's tables and the bundle's, empty for each test."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from tests.databases import site_database, temporary_database


@pytest.fixture(scope="module")
def empty_site(postgres_server: Server) -> Iterator[str]:
    """The name of a database to copy: nothing may stay connected to it."""
    with site_database(postgres_server) as url:
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def site_url(postgres_server: Server, empty_site: str) -> Iterator[str]:
    with temporary_database(postgres_server, template=empty_site) as url:
        yield url


@pytest.fixture
def connection(site_url: str) -> Iterator[psycopg.Connection]:
    with connect(site_url) as connection:
        yield connection
