"""`check --views` writes views for sites as other tools make them: with these the check passes and jobs run."""

from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.catalog import JOBS
from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs.schema.check import check
from sitejobs.schema.views import SCHEMA, make_views
from sitejobs_local.database import migrations
from tests.local.command import environment, sitejobs
from tests.local.every_job import JOBS_IN_ORDER, run_job

SITES = Path(__file__).parent / "fixtures" / "sites"


def applied(url: str, name: str) -> tuple[str, str]:
    """Load a site, make its views and the bundle's tables; the URL that looks there first, and the file's text."""
    with connect(url) as connection:
        connection.execute((SITES / f"{name}.sql").read_bytes())
        before = connection.execute("SELECT count(*) FROM pg_class").fetchall()
        views = make_views(connection)
        assert connection.execute("SELECT count(*) FROM pg_class").fetchall() == before
        connection.execute(views.sql.encode())
    return make_conninfo(url, options=f"-c search_path=sitejobs,{SCHEMA},public"), views.sql


def rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    return connection.execute(query.encode()).fetchall()


@pytest.mark.parametrize("name", sorted(file.stem for file in SITES.glob("*.sql")))
def test_the_file_makes_the_check_pass_and_every_job_run(
    database_url: str, parser: ParserHost, tmp_path: Path, name: str
) -> None:
    url, text = applied(database_url, name)
    (tmp_path / "views.sql").write_text(text)
    with connect(url) as connection:
        migrations.apply(connection)
        report = check(connection, list(JOBS), migrations.pending(connection))
        assert not [finding for finding in report.findings if finding.level == "required"]
        assert not [finding for finding in report.findings if finding.kind == "values"]
    for job in JOBS_IN_ORDER:
        run_job(url, job, tmp_path, parser)
    with connect(url) as connection:
        for table in ("ProfileSearchIndex", "MatchScore", "FeedPresorted", "InterestUserSet", "UserAffinityProfile"):
            assert rows(connection, f'SELECT count(*) FROM "{table}"') != [(0,)], table
        states = rows(
            connection, """SELECT "status", "verdict" FROM "Media" JOIN "MediaMetadata" ON "mediaId" = "id" """
        )
        assert states == [("FAILED_PROCESSING", "FAILED_PROCESSING")]


def test_new_rows_are_numbered_and_profiles_stand_for_their_users(database_url: str) -> None:
    url, _ = applied(database_url, "prisma")
    with connect(url) as connection:
        connection.execute(
            """INSERT INTO public."User" ("id", "email", "updatedAt") VALUES ('new', 'new@example.org', now())"""
        )
        assert rows(connection, 'SELECT count(*), count(DISTINCT "id") FROM "User"') == [(21, 21)]


def test_a_profile_stands_for_its_user_and_words_for_those_of_the_jobs(database_url: str) -> None:
    url, _ = applied(database_url, "rails")
    with connect(url) as connection:
        assert rows(connection, 'SELECT min("userId"), max("userId") FROM "UserPreference"') == [(1, 20)]
        assert rows(connection, 'SELECT DISTINCT "gender" FROM "Profile" ORDER BY 1') == [("FEMALE",), ("MALE",)]
        assert rows(connection, 'SELECT "action" FROM "Like" ORDER BY "fromUserId"') == [("DISLIKE",), ("LIKE",)]
        assert rows(connection, 'SELECT "userId" FROM "Profile" WHERE NOT "isVisible"') == [(19,)]
        assert rows(connection, 'SELECT "id" FROM "User" WHERE "deletedAt" IS NOT NULL') == [(20,)]
        wished = rows(connection, 'SELECT DISTINCT "preferredGenders" FROM "UserPreference" ORDER BY 1')
        assert wished == [(["FEMALE"],), (["MALE"],), (None,)]


def test_the_command_writes_a_file_and_never_over_one(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as connection:
        connection.execute((SITES / "django.sql").read_bytes())
    variables = environment(DATABASE_URL=database_url, SITEJOBS_HOME=str(tmp_path))
    file = tmp_path / "views.sql"
    done = sitejobs("check", "--views", str(file), env=variables)
    assert done.returncode == 0, done.stderr
    assert "recognised: User, Profile," in done.stdout
    assert "EDIT" in file.read_text()
    again = sitejobs("check", "--views", str(file), env=variables)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    nowhere = sitejobs("check", "--views", str(tmp_path / "no" / "views.sql"), env=variables)
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (2, True)
