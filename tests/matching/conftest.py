"""A database with the site's tables and the bundle's, empty."""

from collections.abc import Iterator

import pytest
from psycopg import Connection

from sitejobs.postgres.connection import connect
from sitejobs_local.database.migrations import apply, apply_site_schema


@pytest.fixture
def site_url(database_url: str) -> str:
    """URL of a database of its own, with all tables and no rows."""
    with connect(database_url) as connection:
        apply_site_schema(connection)
        apply(connection)
    return database_url


@pytest.fixture
def site(site_url: str) -> Iterator[Connection]:
    """A connection to `site_url`."""
    with connect(site_url) as connection:
        yield connection
