"""Workflows from the command line: the real jobs on a small site in a database of the test's own."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sitejobs.postgres.connection import connect
from sitejobs.workflows.options import AfterAlgorithmUpdateOptions, AllOptions, OnboardUserOptions
from sitejobs_local.database.postgres import Server
from tests.limits import PATIENCE_S
from tests.local.command import PROGRAM, environment, sitejobs
from tests.workflows.test_order import dependants

EVERYTHING = AllOptions().jobs()


@pytest.fixture(scope="module")
def url(postgres_server: Server) -> Iterator[str]:
    """A database with a small synthetic site in it, which the tests of this file share."""
    with psycopg.connect(postgres_server.database_url("postgres"), autocommit=True) as administrator:
        administrator.execute("CREATE DATABASE workflows TEMPLATE template0")
        url = postgres_server.database_url("workflows")
        filled = sitejobs("population", "--users=60", "--seed=3", env=environment(DATABASE_URL=url))
        assert filled.returncode == 0, filled.stderr
        yield url
        administrator.execute("DROP DATABASE workflows WITH (FORCE)")


@pytest.fixture
def env(url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(DATABASE_URL=url, SITEJOBS_HOME=str(tmp_path_factory.getbasetemp()))


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with connect(url, first_schema="sitejobs") as connection:
        return connection.execute(query.encode()).fetchall()


def test_all_runs_every_job_with_a_line_each_and_a_table_at_the_end(url: str, env: dict[str, str]) -> None:
    done = sitejobs("all", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith(f"{len(EVERYTHING)} jobs: build-user-traits, ")
    told = re.findall(r"^([a-z-]+): succeeded  [\d,]+ processed  [\d,]+ rows", done.stderr, re.MULTILINE)
    assert sorted(told) == sorted(EVERYTHING)
    for job in EVERYTHING:
        assert re.search(rf"(?m)^{job} +succeeded", done.stdout)
    assert "\x1b" not in done.stdout + done.stderr
    parts = rows(url, """SELECT "job", "status", "trigger", "startedAt" FROM "JobRun" ORDER BY "id" """)
    assert [part[:3] for part in parts[:1]] == [("all", "SUCCEEDED", "cli")]
    assert {part[:3] for part in parts[1:]} == {(job, "SUCCEEDED", "workflow") for job in EVERYTHING}


def test_a_second_incremental_run_finds_little_to_do_and_is_told_as_json(env: dict[str, str]) -> None:
    done = sitejobs("all", "--incremental", "--json", "--only=matching,search,supporting", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    summary = json.loads(done.stdout)
    assert summary["status"] == "SUCCEEDED"
    assert list(summary["jobs"]) == list(AllOptions.model_validate({"only": "matching,search,supporting"}).jobs())
    assert summary["written"] == sum(state["written"] for state in summary["jobs"].values()) == 0


def test_onboarding_computes_one_user(url: str, env: dict[str, str]) -> None:
    done = sitejobs("onboard-user", "--userId=8", "--json", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert list(summary["jobs"]) == list(OnboardUserOptions.model_validate({"userId": 8}).jobs())
    assert {state["processed"] for state in summary["jobs"].values()} == {1}
    scopes = rows(
        url,
        """SELECT DISTINCT "scope" FROM "JobRun" WHERE "id" >= (SELECT max("id") FROM "JobRun"
                          WHERE "job" = 'onboard-user')""",
    )
    assert scopes == [("user:8",)]


def test_after_an_algorithm_update_a_new_version_is_everywhere(url: str, env: dict[str, str]) -> None:
    done = sitejobs("after-algorithm-update", env={**env, "MATCH_ALGO_VERSION": "v2"})
    assert done.returncode == 0, done.stdout + done.stderr
    for job in AfterAlgorithmUpdateOptions().jobs():
        assert re.search(rf"(?m)^{job} +succeeded", done.stdout)
    assert rows(url, 'SELECT DISTINCT "algorithmVersion" FROM "MatchScore"') == [("v2",)]


def test_a_jobs_broken_table_fails_it_and_what_needs_it_and_is_named(url: str, env: dict[str, str]) -> None:
    with connect(url, first_schema="sitejobs") as connection:
        connection.execute('ALTER TABLE "MatchList" RENAME COLUMN "score" TO "gone"')
        try:
            done = sitejobs("all", "--only=matching,supporting", env=env)
        finally:
            connection.execute('ALTER TABLE "MatchList" RENAME COLUMN "gone" TO "score"')
    assert done.returncode == 1
    assert re.search(r"(?m)^match-scores +failed", done.stdout)
    assert re.search(r"(?m)^compatibility +not started", done.stdout)
    assert re.search(r"(?m)^user-interest-sets +succeeded", done.stdout)
    assert "JobsFailed: failed: match-scores: PagesFailed: " in done.stdout
    assert "compatibility" in dependants("match-scores")
    [(status, error)] = rows(
        url,
        """SELECT "status", "error" FROM "JobRun" WHERE "job" = 'all'
                                     ORDER BY "id" DESC LIMIT 1""",
    )
    assert status == "FAILED"
    assert error.startswith("JobsFailed: failed: match-scores: ")


def test_an_interrupt_closes_the_runs_of_the_workflow_and_of_its_jobs(url: str, env: dict[str, str]) -> None:
    with connect(url, first_schema="sitejobs") as holder, holder.transaction():
        holder.execute('LOCK TABLE "UserTrait" IN ACCESS EXCLUSIVE MODE')
        process = subprocess.Popen(
            [*PROGRAM, "all", "--only=build-user-traits,matching"], env=env, stdout=subprocess.PIPE
        )
        deadline = time.monotonic() + PATIENCE_S
        running = """SELECT count(*) FROM "JobRun" WHERE "status" = 'RUNNING' AND "job" = 'build-user-traits'"""
        while rows(url, running) != [(1,)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert b"interrupted" in stdout
    last = rows(
        url,
        """SELECT "job", "status", "error" FROM "JobRun" WHERE "id" >= (SELECT max("id") FROM "JobRun"
                        WHERE "job" = 'all') AND "status" <> 'SUCCEEDED' ORDER BY "id" """,
    )
    assert last == [
        ("all", "ABORTED", "Interrupted: interrupted by the user"),
        ("build-user-traits", "ABORTED", "Interrupted: interrupted by the user"),
    ]
    assert rows(url, """SELECT count(*) FROM "JobRun" WHERE "status" = 'RUNNING'""") == [(0,)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["all", "--only=match-score"], "only must be names of jobs (build-user-traits, "),
        (["onboard-user"], "userId is required"),
        (["after-algorithm-update", "--userId=8"], "No such option"),
    ],
)
def test_a_wrong_option_is_refused_before_any_database_is_asked(arguments: list[str], expected: str) -> None:
    done = sitejobs(*arguments, env=environment(DATABASE_URL="postgresql://site@127.0.0.1:1/site"))
    assert done.returncode == 2
    assert expected in done.stderr
