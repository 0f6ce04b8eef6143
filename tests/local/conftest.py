"""What tests of the machine at home share: the parser of uploads, and a small site to change."""

from collections.abc import Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict

from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from tests.databases import populated_database, temporary_database
from tests.local.every_job import JOBS_IN_ORDER, run_job

HOSTILE = "\u202eevil\u2066 </p><script>document.title='broken'</script><img src=x onerror=alert(1)> [red]&amp;\x1b[31m"
"""A name that would run in a page, turn a line around, and colour a terminal."""


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


@pytest.fixture(scope="session")
def computed_site(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a site of 40 users for whom everything is computed; tests only read it."""
    folder = tmp_path_factory.mktemp("computed")
    with populated_database(postgres_server) as url:
        with ParserHost() as parser:
            for job in JOBS_IN_ORDER:
                if job.entry.group != "supporting" or "media" not in job.entry.name:
                    run_job(url, job, folder, parser)
        yield url


@pytest.fixture(scope="session")
def hostile_site(postgres_server: Server, computed_site: str) -> Iterator[str]:
    """The URL of a copy whose texts would break out of a page or a terminal."""
    with temporary_database(postgres_server, template=str(conninfo_to_dict(computed_site)["dbname"])) as url:
        with connect(url) as connection:
            connection.execute('UPDATE "Profile" SET "displayName" = %s, "bio" = %s', [HOSTILE, HOSTILE])
            connection.execute('UPDATE "ProfileSearchIndex" SET "displayName" = %s, "bio" = %s', [HOSTILE, HOSTILE])
            connection.execute("""
                UPDATE "FeedCard" SET "card" = jsonb_set("card", '{preview}', to_jsonb(%s::text))
                    || CASE WHEN "card" ? 'author' THEN jsonb_build_object('author',
                       "card" -> 'author' || jsonb_build_object('name', %s::text)) ELSE '{}' END
            """, [HOSTILE, HOSTILE])  # fmt: skip
        yield url
