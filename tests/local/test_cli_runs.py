"""Whole runs from the command line: the state machine, worker processes and a real PostgreSQL."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg.conninfo import make_conninfo

from sitejobs.catalog import JOBS
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import running_postgres
from tests.conftest import make_home, remove_home
from tests.limits import PATIENCE_S
from tests.local.command import PROGRAM, environment, sitejobs

USERS = 120
SLOW_RUN = ("match-scores", "--batchSize=2", "--pauseMs=20000", "--maxConcurrency=2")  # ten minutes


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home of its own with a small synthetic site."""
    folder = make_home()
    filled = sitejobs("population", f"--users={USERS}", "--seed=3", env=environment(SITEJOBS_HOME=str(folder)))
    assert filled.returncode == 0, filled.stderr
    yield folder
    remove_home(folder)


@pytest.fixture
def env(home: Path) -> dict[str, str]:
    return environment(SITEJOBS_HOME=str(home))


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    """The embedded database, whose server is held while the test runs."""
    with running_postgres(home) as server:
        yield server.url


@pytest.fixture
def site_url(database_url: str) -> str:
    """A database of the user's own with a small site in it."""
    filled = sitejobs("population", "--users=60", env=environment(DATABASE_URL=database_url))
    assert filled.returncode == 0, filled.stderr
    return database_url


def last_run(url: str) -> dict[str, Any]:
    with connect(url) as connection:
        row = connection.execute(
            'SELECT "status", "trigger", "options", "written", "error" FROM "JobRun" ORDER BY "id" DESC LIMIT 1'
        ).fetchone()
    assert row is not None
    return dict(zip(("status", "trigger", "options", "written", "error"), row, strict=True))


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


# Runs that succeed ------------------------------------------------------------------------------------------


def test_a_run_shows_how_it_goes_on_stderr_and_how_it_ended_on_stdout(env: dict[str, str], url: str) -> None:
    result = sitejobs("match-scores", "--batchSize=50", "--pauseMs=0", env=env)
    assert result.returncode == 0, result.stderr
    assert re.search(r"match-scores: \d/\d+ pages  \d+/\d+ users  \d+ rows", result.stderr)
    assert "\x1b" not in result.stdout + result.stderr
    assert "succeeded" in result.stdout
    with connect(url) as connection:
        stored = connection.execute('SELECT count(*) FROM "MatchScore"').fetchone()
    assert stored is not None
    assert re.search(rf"rows written +│ +{stored[0]:,} │", result.stdout)


def test_as_json_stdout_is_the_summary_alone(env: dict[str, str], url: str) -> None:
    result = sitejobs("match-scores", "--json", "--pauseMs=0", "--topK=5", env=env)
    assert result.returncode == 0
    assert result.stderr == ""
    summary = json.loads(result.stdout)
    assert summary["status"] == "SUCCEEDED"
    run = last_run(url)
    assert run["trigger"] == "cli"
    assert run["written"] == summary["written"] > 0
    assert run["options"] == {"pauseMs": 0, "topK": 5, "trigger": "cli"}


@pytest.mark.parametrize("arguments", [("--userId=1",), ("--userId", "1")])
def test_a_value_may_be_joined_or_apart(env: dict[str, str], url: str, arguments: tuple[str, ...]) -> None:
    assert sitejobs("match-scores", "--json", *arguments, env=env).returncode == 0
    assert last_run(url)["options"]["userId"] == 1


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["match-scores", "--userId=999999"], "user 999999"),
        (["searchable-user", "--userId=999999", "--json"], "user 999999"),
        (["content-features", "--postId=999999"], "post 999999"),
        (["media-metadata", "--mediaId=999999", "--json"], "media 999999"),
        (["matches", "--userId=999999"], "user 999999"),
        (["matches", "--userId=1", "--candidate=999999", "--json"], "user 999999"),
        (["feed", "--userId=999999"], "user 999999"),
        (["explain", "--userId=999999"], "user 999999"),
        (["upload", "pyproject.toml", "--userId=999999"], "user 999999"),
        (["runs", "999999"], "run 999999"),
    ],
)
def test_what_does_not_exist_is_told_in_a_sentence_by_every_command(
    env: dict[str, str], url: str, arguments: list[str], what: str
) -> None:
    result = sitejobs(*arguments, env=env)
    assert result.returncode == 2
    assert re.match(f"sitejobs: there is no {what}\\b", result.stderr.splitlines()[-1])
    if arguments[0] in JOBS and "--json" in arguments:
        assert json.loads(result.stdout)["written"] == 0
    else:
        assert result.stdout == ""


def test_variables_of_the_functions_reach_them(env: dict[str, str], url: str) -> None:
    result = sitejobs("match-scores", "--json", "--userId=1", env={**env, "MATCH_ALGO_VERSION": "v-test"})
    assert result.returncode == 0
    with connect(url) as connection:
        versions = connection.execute('SELECT DISTINCT "algorithmVersion" FROM "MatchScore" WHERE "userId" = 1')
        assert versions.fetchall() == [("v-test",)]


def test_matches_shows_the_stored_rows_in_order_with_reasons(env: dict[str, str], url: str) -> None:
    assert sitejobs("match-scores", "--userId=1", env=env).returncode == 0
    result = sitejobs("matches", "--userId=1", "--limit=3", "--summary", env=env)
    assert result.returncode == 0
    with connect(url) as connection:
        best = connection.execute(
            'SELECT "candidateUserId", "score" FROM "MatchScore" WHERE "userId" = 1 ORDER BY "rank" LIMIT 4'
        ).fetchall()
    places = [result.stdout.find(f"user {candidate} ") for candidate, _ in best[:3]]
    assert -1 not in places
    assert places == sorted(places)
    assert f"user {best[3][0]} " not in result.stdout
    assert f"{best[0][1]:.3f}" in result.stdout
    assert "traits in common" in result.stdout
    assert re.search(r"tier [AB]: [\d,]+ scores", result.stdout)


def test_matches_explains_one_pair_whether_it_is_a_match_or_not(env: dict[str, str], url: str) -> None:
    assert sitejobs("match-scores", "--userId=1", env=env).returncode == 0
    with connect(url) as connection:
        stored = """SELECT "candidateUserId", "score", "rank", "tier" FROM "MatchScore" WHERE "userId" = 1"""
        rows = connection.execute(stored).fetchall()
    candidate, score, rank, tier = rows[-1]
    shown = sitejobs("matches", "--userId=1", f"--candidate={candidate}", env=env)
    assert shown.returncode == 0, shown.stderr
    assert f"tier {tier}, rank {rank} of {len(rows)} stored" in shown.stdout
    told = re.search(r"score ([\d.]+)", shown.stdout)
    assert told
    assert abs(float(told[1]) - score) < 0.001
    assert "user 1 wants: gender" in shown.stdout
    assert f"user {candidate} wants: gender" in shown.stdout


def test_a_name_cannot_command_the_terminal(env: dict[str, str], url: str) -> None:
    assert sitejobs("match-scores", "--userId=1", env=env).returncode == 0
    with connect(url) as connection:
        best = 'SELECT "candidateUserId" FROM "MatchScore" WHERE "userId" = 1 AND "rank" = 1'
        connection.execute(
            f'UPDATE "Profile" SET "displayName" = %s WHERE "userId" = ({best})'.encode(), ["[red]\x1b[2Jgone"]
        )
    shown = sitejobs("matches", "--userId=1", "--limit=1", env=env).stdout
    assert "\x1b" not in shown
    assert "[red]\N{REPLACEMENT CHARACTER}[2Jgone" in shown


@pytest.mark.parametrize("birthdate", ["infinity", "-infinity", "4000-01-01 BC", "3000-01-01", None])
def test_matches_shows_who_has_no_birthdate_that_can_be_without_an_age(
    env: dict[str, str], url: str, birthdate: str | None
) -> None:
    sitejobs("match-scores", env=env)
    with connect(url) as connection:
        first = """SELECT "candidateUserId" FROM "MatchScore" WHERE "userId" = 1 AND "rank" = 1"""
        before = connection.execute(
            f"""UPDATE "Profile" SET "displayName" = 'Ada', "birthdate" = %s
                                        WHERE "userId" = ({first})""".encode(),
            [birthdate],
        )
        assert before.rowcount == 1
    shown = sitejobs("matches", "--userId=1", "--limit=1", env=env)
    assert shown.returncode == 0, shown.stderr
    assert "Ada" in shown.stdout
    assert "Ada," not in shown.stdout


def test_matches_of_a_user_without_scores_names_the_command(env: dict[str, str], url: str) -> None:
    with connect(url) as connection:
        connection.execute('INSERT INTO "User" ("id") VALUES (424242) ON CONFLICT DO NOTHING')
        result = sitejobs("matches", "--userId=424242", env=env)
        connection.execute('DELETE FROM "User" WHERE "id" = 424242')
    assert "`sitejobs match-scores --userId=424242` computes them" in result.stdout


def test_a_reader_that_leaves_early_gets_no_stack_trace(env: dict[str, str], url: str) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "db", "roles"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE_S) == 1
    assert errors == ""


def test_a_role_with_the_printed_grants_can_run_the_job(site_url: str) -> None:
    role = "sitejobs_test_worker"
    with connect(site_url, first_schema="sitejobs") as connection:
        script = sitejobs("db", "roles", f"--role={role}", env=environment(DATABASE_URL=site_url)).stdout
        connection.execute(script.encode())
        connection.execute(f"ALTER ROLE {role} LOGIN".encode())
        try:
            result = sitejobs(
                "match-scores",
                "--json",
                "--pauseMs=0",
                env=environment(DATABASE_URL=make_conninfo(site_url, user=role)),
            )
            assert result.returncode == 0, result.stdout
            assert json.loads(result.stdout)["written"] > 0
        finally:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_the_demo_goes_from_an_empty_database_to_matches(database_url: str) -> None:
    env = environment(DATABASE_URL=database_url)
    result = sitejobs("demo", "--users=80", env=env)
    assert result.returncode == 0, result.stderr
    for part in (
        "the site",
        "too few likes and dislikes",
        "rows written",
        "best matches of user",
        "tier A",
        "More: sitejobs matches --userId=",
    ):
        assert part in result.stdout
    again = sitejobs("demo", "--users=80", env=env)
    assert again.returncode == 0
    assert "the site" not in again.stdout


# Runs that fail ---------------------------------------------------------------------------------------------


def refuse_rows_of(url: str, users: int) -> None:
    """Make the page of one user fail whenever it is written."""
    with connect(url, first_schema="sitejobs") as connection:
        connection.execute(
            f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN IF NEW."userId" = {users} THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON "MatchList" FOR EACH ROW EXECUTE FUNCTION refuse()""".encode()
        )


def test_a_page_that_fails_fails_the_run_unless_tolerated_and_is_shown_either_way(site_url: str) -> None:
    env = environment(DATABASE_URL=site_url)
    refuse_rows_of(site_url, 1)
    failed = sitejobs("match-scores", "--batchSize=10", "--pauseMs=0", env=env)
    assert failed.returncode == 1
    assert "failed pages" in failed.stdout
    assert "DatabaseFailure" in failed.stdout
    assert "PagesFailed: 1 of" in failed.stdout
    tolerated = sitejobs("match-scores", "--batchSize=10", "--pauseMs=0", "--tolerateFailures=1", env=env)
    assert tolerated.returncode == 0
    assert "DatabaseFailure" in tolerated.stdout
    as_json = sitejobs("match-scores", "--batchSize=10", "--pauseMs=0", "--json", env=env)
    assert as_json.returncode == 1
    summary = json.loads(as_json.stdout)
    assert (summary["status"], summary["error"], summary["failedPages"]) == ("FAILED", "PagesFailed", 1)
    with connect(site_url, first_schema="sitejobs") as connection:
        connection.execute("DROP FUNCTION refuse CASCADE")
        again = json.loads(sitejobs("runs", "retry", summary["runId"], "--json", env=env).stdout)
        assert (again["status"], again["pages"], again["failedPages"]) == ("SUCCEEDED", 1, 0)
        assert again["written"] > 0
        complete = """SELECT bool_and("rows" = (SELECT count(*) FROM "MatchScore" m WHERE m."userId" = v."userId"))
                      FROM "MatchScoreViewer" v"""
        assert connection.execute(complete).fetchone() == (True,)
    assert f"failed pages again: run {again['runId']}, succeeded" in sitejobs("runs", summary["runId"], env=env).stdout
    logged = sitejobs("runs", again["runId"], "--log", env=env).stdout
    assert re.search(r"INFO planned chapter=1 pages=1\n.* INFO page done page=1 ", logged)
    assert "status=SUCCEEDED" in logged


def test_a_setting_that_plan_refuses_is_bad_input(site_url: str) -> None:
    env = environment(DATABASE_URL=site_url, RUN_STALE_SECONDS="soon")
    result = sitejobs("match-scores", "--json", env=env)
    assert result.returncode == 2
    summary = json.loads(result.stdout)
    assert summary["error"] == "InvalidInput"
    assert "RUN_STALE_SECONDS" in summary["cause"]


# Interrupts -------------------------------------------------------------------------------------------------


class Started:
    """A slow run in a process of its own, and everything that it started."""

    def __init__(self, env: dict[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, *SLOW_RUN, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        self.starting = self.process.stderr.readline() if "--json" not in arguments else ""
        self.first_line = self.process.stderr.readline() if "--json" not in arguments else ""
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, output, errors


def test_interrupted_it_closes_the_run_and_leaves_no_process_behind(env: dict[str, str], home: Path) -> None:
    started = Started(env)
    assert started.starting == "match-scores: starting\n"
    assert "pages" in started.first_line
    assert started.children
    with running_postgres(home) as server:
        database = server.url
        postmaster = psutil.Process(int((server.data_dir / "postmaster.pid").read_text().split()[0]))
        status, output, errors = started.interrupt()
        assert status == 130
        assert "stopped: interrupted by the user; no page was done" in output
        assert "Traceback" not in errors
        run = last_run(database)
        assert (run["status"], run["error"]) == ("ABORTED", "Interrupted: interrupted by the user")
    wait_for(lambda: not any(child.is_running() for child in started.children), "a worker is left")
    wait_for(lambda: not postmaster.is_running(), "the server is left")
    assert sitejobs("match-scores", "--json", "--pauseMs=0", env=env).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_that_end_a_program_close_the_run_too(
    env: dict[str, str], url: str, number: signal.Signals
) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # under nohup a child would be right to ignore it
    try:
        status, _, _ = Started(env).interrupt(number)
    finally:
        signal.signal(number, before)
    assert status == 130
    assert last_run(url)["status"] == "ABORTED"


def test_a_second_interrupt_does_not_disturb_the_cleaning_up(env: dict[str, str], url: str) -> None:
    started = Started(env)
    started.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    status, _, errors = started.interrupt()
    assert status == 130
    assert "Traceback" not in errors
    assert last_run(url)["status"] == "ABORTED"


def test_interrupted_as_json_it_prints_one_object(env: dict[str, str], url: str) -> None:
    started = Started(env, "--json")
    with connect(url) as connection:
        running = """SELECT EXISTS (SELECT FROM "JobRun" WHERE "status" = 'RUNNING')"""
        wait_for(lambda: connection.execute(running).fetchone() == (True,), "no run was opened")
    status, output, errors = started.interrupt()
    assert status == 130
    summary = json.loads(output)
    assert (summary["status"], summary["error"]) == ("ABORTED", "Interrupted")
    assert errors == ""


def test_a_second_run_of_the_job_ends_at_once_and_names_the_first(env: dict[str, str], url: str) -> None:
    started = Started(env)
    second = sitejobs("match-scores", env=env)
    as_json = sitejobs("match-scores", "--json", env=env)
    assert second.returncode == as_json.returncode == 3
    assert "match-scores is already running" in second.stdout
    assert json.loads(as_json.stdout)["status"] == "ALREADY_RUNNING"
    assert started.interrupt()[0] == 130
