"""A database with the site's tables and the bundle's, empty, and one of each locale."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from sitejobs.postgres.connection import connect
from sitejobs_local.database.migrations import apply, apply_site_schema
from tests.matching.conftest import site
from tests.search.people import People
from tests.skips import Lacking, skip

__all__ = ["site"]


@pytest.fixture
def people(site_url: str, site: Connection) -> People:
    return People(site_url, site)


@pytest.fixture(params=["builtin", "libc", "C"])
def people_of_a_locale(request: pytest.FixtureRequest, postgres_server: Any) -> Iterator[People]:
    """One database of each locale: locales differ in what is a letter and what is punctuation."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.database_url("postgres"), autocommit=True) as administrator:
        provider, locale = ("libc", "C") if request.param == "C" else (request.param, "C.UTF-8")
        statement = f"""CREATE DATABASE "{name}" TEMPLATE template0 LOCALE_PROVIDER {provider} LOCALE '{locale}'
            {"BUILTIN_LOCALE 'C.UTF-8'" if provider == "builtin" else ""}"""
        try:
            administrator.execute(statement.encode())
        except psycopg.errors.WrongObjectType:
            skip(Lacking.C_UTF8)
        url = postgres_server.database_url(name)
        with connect(url) as connection:
            apply_site_schema(connection)
            apply(connection)
            yield People(url, connection)
        administrator.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
