"""A database with the site's tables and the bundle's, empty; the site's accept unusable rows."""

from collections.abc import Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict

from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from tests.databases import site_database, temporary_database
from tests.traits.sites import LET_ANYTHING_IN, Site


@pytest.fixture(scope="package")
def template(postgres_server: Server) -> Iterator[str]:
    """Name of the database that is copied for each test."""
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            connection.execute(LET_ANYTHING_IN)
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def site(postgres_server: Server, template: str) -> Iterator[Site]:
    with temporary_database(postgres_server, template) as url:
        made = Site(url)
        yield made
        made.close()
