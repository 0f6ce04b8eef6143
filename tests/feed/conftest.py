"""A database with the site's tables and the bundle's, empty for each test."""

from collections.abc import Iterator

import psycopg
import pytest

from sitejobs.postgres.connection import connect


@pytest.fixture
def connection(site_url: str) -> Iterator[psycopg.Connection]:
    with connect(site_url) as connection:
        yield connection
