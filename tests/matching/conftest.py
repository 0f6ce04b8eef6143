"""A connection to a database with the site's tables and the bundle's, empty."""

from collections.abc import Iterator

import pytest
from psycopg import Connection

from sitejobs.postgres.connection import connect


@pytest.fixture
def site(site_url: str) -> Iterator[Connection]:
    """A connection to `site_url`."""
    with connect(site_url) as connection:
        yield connection
