"""Both search jobs and the search from the command line: state machine, worker processes and a real PostgreSQL."""

import json
import re
from typing import Any

import pytest

from sitejobs.postgres.connection import connect
from tests.local.command import environment, sitejobs

USERS = 90


@pytest.fixture
def env(database_url: str) -> dict[str, str]:
    """A database of the user's own with a small synthetic site in it."""
    variables = environment(DATABASE_URL=database_url)
    filled = sitejobs("population", f"--users={USERS}", "--seed=3", env=variables)
    assert filled.returncode == 0, filled.stderr
    return variables


def summary(env: dict[str, str], *arguments: str) -> dict[str, Any]:
    done = sitejobs(*arguments, "--json", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_users_are_marked_indexed_and_found_from_the_command_line(env: dict[str, str], database_url: str) -> None:
    early = sitejobs("search", "jazz", env=env)
    assert "nobody can be found yet: run `sitejobs profile-search-index`" in early.stdout
    marked = summary(env, "searchable-user", "--batchSize=20")
    assert (marked["pages"], marked["processed"], marked["written"]) == (5, USERS, USERS)
    indexed = summary(env, "profile-search-index", "--userBatchSize=20", "--pauseMs=0")
    assert indexed["pages"] == 5
    assert indexed["written"] + indexed["reasons"]["no-profile"] == USERS
    with connect(database_url, first_schema="sitejobs") as connection:
        row = connection.execute(
            """SELECT i."userId", i."age" FROM "ProfileSearchIndex" i JOIN "SearchableUser" s USING ("userId")
               WHERE s."isSearchable" ORDER BY 1 LIMIT 1"""
        ).fetchone()
        assert row is not None
        connection.execute(
            """UPDATE "Profile" SET "displayName" = 'Zebulon', "bio" = %s, "lat" = 10, "lng" = 20
               WHERE "userId" = %s""",
            ["[red]zither\x1b[2J players wanted", row[0]],
        )
    assert summary(env, "profile-search-index", "--incremental")["written"] == 1
    assert summary(env, "searchable-user", "--incremental")["reasons"] == {"fresh": USERS}
    around = ("--near=10.1,20", "--km=20", f"--age={row[1]}-{row[1]}")
    for text in ("zither", "Zebuoln"):
        shown = sitejobs("search", text, *around, env=env)
        assert "1 found" in shown.stdout, shown.stdout + shown.stderr
        assert f"user {row[0]}" in shown.stdout
        assert "11 km away" in shown.stdout
        assert "\x1b" not in shown.stdout
        assert "[red]" in shown.stdout
    assert "like that" in sitejobs("search", "zither", "--near=-10,20", env=env).stdout


def test_the_next_page_is_asked_for_with_what_the_last_one_says(env: dict[str, str], database_url: str) -> None:
    with connect(database_url, first_schema="sitejobs") as connection:
        connection.execute("""UPDATE "Profile" SET "bio" = 'zither' """)
    for job in ("searchable-user", "profile-search-index"):
        summary(env, job)
    seen: list[str] = []
    more: list[str] = []
    while True:
        shown = sitejobs("search", "zither", "--limit=20", *more, env=env)
        assert shown.returncode == 0, shown.stderr
        users = re.findall(r"user (\d+)", shown.stdout)
        assert users or more
        seen += users
        more = re.findall(r"--after=\S+", shown.stdout)
        if not more:
            break
    with connect(database_url, first_schema="sitejobs") as connection:
        found = connection.execute(
            """SELECT i."userId"::text FROM "ProfileSearchIndex" i JOIN "SearchableUser" s USING ("userId")
               WHERE s."isSearchable" ORDER BY i."userId" """
        ).fetchall()
    assert len(found) > 20
    assert seen == [user for (user,) in found]
    wrong = sitejobs("search", "zither", "--after=8", env=env)
    assert wrong.returncode != 0
    assert "--after must be as a search's last line gives it" in wrong.stderr
