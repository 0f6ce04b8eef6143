"""The feed's jobs from the command line: the state machine's own file, worker processes and a real PostgreSQL."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.feed import affinity, content_features, feed_presort, feed_presort_cleanup, trending
from sitejobs.jobs.job import PagedJob
from sitejobs.postgres.connection import connect
from sitejobs.schema.roles import role_script
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database
from tests.feed.running import rows, run, versions
from tests.local.command import environment, sitejobs

USERS = 150
TABLES = {"content-features": "PostFeatures", "trending": "TrendingScore", "affinity": "UserAffinityProfile"}


@pytest.fixture(scope="module")
def synthetic(postgres_server: Server) -> Iterator[str]:
    """A small synthetic site of this hour."""
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            load(connection, generate(USERS, 3, datetime.now(UTC) - timedelta(minutes=1)))
        yield url


@pytest.fixture
def connection(synthetic: str) -> Iterator[Connection]:
    with connect(synthetic) as connection:
        yield connection


def summary_of(url: str, *arguments: str, home: Path) -> dict[str, Any]:
    env = environment(DATABASE_URL=url, SITEJOBS_HOME=str(home))
    result = sitejobs(*arguments, "--json", env=env)
    assert result.returncode == 0, result.stdout + result.stderr
    loaded: dict[str, Any] = json.loads(result.stdout)
    assert (loaded["status"], loaded["failed"], loaded["failedPages"]) == ("SUCCEEDED", 0, 0)
    return loaded


def test_the_three_jobs_run_one_after_the_other_and_a_second_run_finds_nothing_changed(
    synthetic: str, connection: Connection, tmp_path: Path
) -> None:
    for job, table in TABLES.items():
        first = summary_of(synthetic, job, "--batchSize=40", home=tmp_path)
        assert first["written"] == rows(connection, f'SELECT count(*) FROM "{table}"')[0][0] > 3
        assert first["pages"] > 1
        assert first["processed"] == first["written"] + first["skipped"]
    before = versions(connection, "PostFeatures")
    again = summary_of(synthetic, "content-features", "--incremental", home=tmp_path)
    assert (again["written"], again["reasons"]) == (0, {"fresh": again["processed"]})
    assert versions(connection, "PostFeatures") == before


def test_feeds_are_presorted_renewed_cleaned_up_and_shown(
    synthetic: str, connection: Connection, tmp_path: Path
) -> None:
    first = summary_of(synthetic, "feed-presort", "--batchSize=40", "--segmentSize=10", home=tmp_path)
    assert first["written"] == rows(connection, 'SELECT count(*) FROM "FeedPresorted"')[0][0] > USERS
    assert (first["pages"], first["processed"]) == (4, USERS)
    again = summary_of(synthetic, "feed-presort", "--incremental", "--segmentSize=10", home=tmp_path)
    assert (again["written"], again["reasons"]) == (0, {"fresh": again["processed"]})
    author, post = rows(
        connection,
        """SELECT item->'author'->>'id', item->>'id' FROM "FeedPresorted", jsonb_array_elements("items") AS item
           WHERE "userId" = 8 AND item->>'kind' = 'post' AND item->'author'->>'id' <> '8' LIMIT 1""",
    )[0]
    connection.execute('UPDATE "Post" SET "deletedAt" = now() WHERE "id" = %s', [int(post)])
    cleaned = summary_of(synthetic, "feed-presort-cleanup", home=tmp_path)
    assert cleaned["reasons"]["post-gone"] == cleaned["written"] > 0
    connection.execute('INSERT INTO "UserBlock" VALUES (8, %s, now())', [int(author)])
    alone = summary_of(synthetic, "feed-presort", "--userId=8", "--incremental", "--segmentSize=10", home=tmp_path)
    assert (alone["processed"], alone["written"]) == (1, 3)
    shown = sitejobs("feed", "--userId=8", env=environment(DATABASE_URL=synthetic, SITEJOBS_HOME=str(tmp_path)))
    assert shown.stdout.startswith("feed of user 8: 10 cards of ")


def test_a_run_for_one_post_has_a_scope_of_its_own_and_is_told_of_in_posts(
    synthetic: str, connection: Connection, tmp_path: Path
) -> None:
    [(post,)] = rows(connection, 'SELECT min("id") FROM "Post" WHERE "deletedAt" IS NULL')
    env = environment(DATABASE_URL=synthetic, SITEJOBS_HOME=str(tmp_path))
    shown = sitejobs("content-features", f"--postId={post}", env=env).stdout
    assert " posts " in shown
    assert " users " not in shown
    assert rows(connection, f'SELECT count(*) FROM "PostFeatures" WHERE "postId" = {post}') == [(1,)]
    scopes = rows(connection, 'SELECT DISTINCT "scope" FROM "JobRun"')
    assert (f"post:{post}",) in scopes


EVERY_JOB = [content_features.JOB, trending.JOB, affinity.JOB, feed_presort.JOB, feed_presort_cleanup.JOB]


@pytest.mark.parametrize("job", EVERY_JOB, ids=lambda job: job.entry.name)
def test_each_job_runs_with_the_rights_that_the_role_script_grants(
    synthetic: str, connection: Connection, job: PagedJob
) -> None:
    role = f"feed_{job.entry.name.replace('-', '_')}"
    connection.execute(role_script(role, [job.entry.name]).encode())
    connection.execute(f"ALTER ROLE {role} LOGIN".encode())
    try:
        url = make_conninfo(synthetic, user=role)
        for incremental in (True, False):
            assert run(url, job, datetime.now(UTC), incremental=incremental).counts["failed"] == 0
    finally:
        connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
