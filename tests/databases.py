"""Databases on the tests' server that live longer than a test, or are copies of one another."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from sitejobs.postgres.connection import connect
from sitejobs_local.database.migrations import apply, apply_site_schema
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load


@contextmanager
def temporary_database(server: Server, template: str = "template0", name: str | None = None) -> Iterator[str]:
    """The URL of a database made from a template, dropped at the end along with the connections left to it."""
    name = name or f"test_{uuid.uuid4().hex}"
    values = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    with psycopg.connect(server.database_url("postgres"), autocommit=True) as administrator:
        administrator.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**values))
        try:
            yield server.database_url(name)
        finally:
            administrator.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**values))


@contextmanager
def site_database(server: Server) -> Iterator[str]:
    """The URL of a database with the site's tables and the bundle's, without rows."""
    with temporary_database(server) as url:
        with connect(url) as connection:
            apply_site_schema(connection)
            apply(connection)
        yield url


@contextmanager
def populated_database(server: Server, users: int = 40, seed: int = 5, moment: datetime | None = None) -> Iterator[str]:
    """The URL of a database with a small synthetic site as it is at a moment, a minute ago by default."""
    with site_database(server) as url:
        with connect(url) as connection:
            load(connection, generate(users, seed, moment or datetime.now(UTC) - timedelta(minutes=1)))
        yield url
