"""Which database is used: the one of DATABASE_URL, the embedded one, or a test's own."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sitejobs_local.database.postgres import Server, default_home, site_database
from tests.conftest import make_home, remove_home


@pytest.fixture
def home() -> Iterator[Path]:
    folder = make_home()
    yield folder
    remove_home(folder)


def test_database_url_wins_and_no_server_is_touched(home: Path) -> None:
    with site_database({"DATABASE_URL": "postgresql://elsewhere/db", "SITEJOBS_HOME": str(home / "none")}) as url:
        assert url == "postgresql://elsewhere/db"
    assert not (home / "none").exists()


def test_without_database_url_the_embedded_site_database_is_given(home: Path) -> None:
    with site_database({"DATABASE_URL": "", "SITEJOBS_HOME": str(home)}) as url, psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_database(), current_setting('TimeZone'), 'É' ILIKE 'é'").fetchone()
    assert row == ("site", "UTC", True)


def test_the_home_is_the_one_named_else_a_folder_of_the_user() -> None:
    assert default_home({"SITEJOBS_HOME": "/some/where"}) == Path("/some/where")
    assert default_home({"SITEJOBS_HOME": "relative"}) == Path.cwd() / "relative"
    assert default_home({"HOME": "/home/ada"}).name == "sitejobs"
    assert default_home({"HOME": "/home/ada"}).is_relative_to("/home/ada") == (os.geteuid() != 0)


def test_a_database_url_fixture_is_a_new_database_each_time(database_url: str, postgres_server: Server) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)
    assert database_url != postgres_server.url
