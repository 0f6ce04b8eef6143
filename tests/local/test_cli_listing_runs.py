"""`sitejobs runs` and the view behind it: what ran, how it ended, why."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.jobs import runs
from sitejobs.jobs.runs import OpenRun
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from sitejobs_local.runs.recorded import one, recent
from tests.databases import site_database
from tests.local.command import PROGRAM, environment, sitejobs


@pytest.fixture(scope="module")
def site_url(postgres_server: Server) -> Iterator[str]:
    with site_database(postgres_server) as url:
        yield url


@pytest.fixture
def database(site_url: str) -> Iterator[Connection]:
    with connect(site_url) as connection:
        connection.execute('TRUNCATE "JobRun" RESTART IDENTITY CASCADE')
        yield connection


def open_run(database: Connection, execution: str, **changed: Any) -> str:
    given: dict[str, Any] = {"job": "match-scores", "scope": "all", "trigger": "schedule", "options": {}}
    run = runs.open_run(database, execution=execution, stale_seconds=60, **(given | changed))
    assert isinstance(run, OpenRun)
    return run.id


def page(number: int, **counts: Any) -> dict[str, Any]:
    return {"page": number, "processed": 0, "written": 0, "skipped": 0, "failed": 0, "reasons": {}} | counts


def lost(number: int, error: str) -> dict[str, Any]:
    return {"page": {"page": number, "start": number * 10, "stop": number * 10 + 10}, "error": error}


def finished_run(database: Connection) -> str:
    """One that lost three of four pages."""
    run = open_run(database, "lost some", options={"tolerateFailures": 1})
    runs.note_failed_page(database, run, lost(3, "")["page"], "DatabaseFailure", "CheckViolation: SQLSTATE 23514")
    results = [
        page(1, processed=9, written=7, skipped=2, failed=1, reasons={"no-profile": 2, "bad-age": 1}),
        lost(2, "Transient"),
        lost(3, "DatabaseFailure"),
        lost(4, "Transient"),
    ]
    runs.record_chapter(database, run, 1, results)
    runs.close_run(database, run, None)
    return run


def test_the_view_has_a_runs_counts_its_time_and_why_pages_failed(database: Connection) -> None:
    run = finished_run(database)
    [row] = recent(database)
    assert row["id"] == int(run)
    assert (row["status"], row["pages"], row["failedPages"], row["quietSeconds"]) == ("FAILED", 4, 3, None)
    assert (row["processed"], row["written"], row["skipped"], row["failed"]) == (9, 7, 2, 1)
    assert row["pageErrors"] == {"Transient": 2, "DatabaseFailure": 1}
    assert row["seconds"] == pytest.approx((row["finishedAt"] - row["startedAt"]).total_seconds(), abs=0.001)


def test_a_run_at_work_tells_how_long_ago_it_was_heard_of(database: Connection) -> None:
    run = open_run(database, "at work")
    database.execute(
        'UPDATE "JobRun" SET "startedAt" = now() - interval \'90 s\', "heartbeatAt" = now() - interval \'40 s\''
    )
    [row] = recent(database)
    assert row["seconds"] == pytest.approx(90, abs=20)
    assert row["quietSeconds"] == pytest.approx(40, abs=20)
    assert row["pageErrors"] == {}
    assert row["id"] == int(run)


def test_paging_goes_through_all_runs_once_newest_first(database: Connection) -> None:
    for number in range(7):
        run = open_run(database, str(number), job="match-scores" if number % 2 else "other")
        runs.close_run(database, run, None)
    seen: list[int] = []
    while rows := recent(database, limit=2, before=seen[-1] if seen else None):
        seen += [row["id"] for row in rows]
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert [row["id"] for row in recent(database, job="match-scores", before=6)] == [4, 2]


def test_pages_of_one_jobs_runs_are_read_through_an_index(database: Connection) -> None:
    database.execute(
        """INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options", "status")
           SELECT CASE WHEN n %% 100 = 0 THEN 'rare' ELSE 'other' END, 'all', n::text, 'cli', '{}', 'SUCCEEDED'
           FROM generate_series(1, 20000) n""".replace("%%", "%").encode()
    )
    database.execute('ANALYZE "JobRun"')
    plan = database.execute(
        """EXPLAIN SELECT * FROM "JobRunOverview" WHERE "job" = 'rare' AND "id" < 9000 ORDER BY "id" DESC LIMIT 20"""
    ).fetchall()
    text = "\n".join(row[0] for row in plan)
    assert 'Index Scan using "JobRun_job_id_idx"' in text
    assert "Sort" not in text.split("SubPlan")[0].split("Aggregate")[0]


def test_one_run_has_its_failed_pages_with_keys_and_detail(database: Connection) -> None:
    run = one(database, int(finished_run(database)), 2)
    assert [(noted["page"], noted["error"], noted["detail"]) for noted in run["failedPagesNoted"]] == [
        (2, "Transient", None),
        (3, "DatabaseFailure", "CheckViolation: SQLSTATE 23514"),
    ]
    assert run["failedPagesNoted"][0]["keys"] == {"page": 2, "start": 20, "stop": 30}


def test_the_list_shows_each_run_in_a_line(database: Connection, site_url: str) -> None:
    finished_run(database)
    runs.close_run(database, open_run(database, "ok", scope="user:8", trigger="cli"), None)
    shown = sitejobs("runs", env=environment(DATABASE_URL=site_url, COLUMNS="250"))
    assert shown.returncode == 0, shown.stderr
    [failed] = [line for line in shown.stdout.splitlines() if "PagesFailed" in line]
    for part in ("match-scores", "by schedule", "failed", "9", "7", "3 of 4 pages failed"):
        assert part in failed
    [succeeded] = [line for line in shown.stdout.splitlines() if "succeeded" in line]
    assert "user:8" in succeeded
    narrow = sitejobs("runs", env=environment(DATABASE_URL=site_url, COLUMNS="80")).stdout.splitlines()
    assert [line.split()[:3] for line in narrow if line.startswith(("  1", "  2"))] == [
        ["2", "match-scores", "succeeded"],
        ["1", "match-scores", "failed"],
    ]
    assert max(map(len, narrow)) <= 80
    assert shown.stdout.index("succeeded") < shown.stdout.index("PagesFailed")
    assert (
        "older ones: sitejobs runs --before=2"
        in sitejobs("runs", "--limit=1", env=environment(DATABASE_URL=site_url)).stdout
    )


def test_one_run_is_shown_whole_and_brackets_in_a_reason_stay(database: Connection, site_url: str) -> None:
    run = finished_run(database)
    database.execute("""UPDATE "JobRunFailedPage" SET "detail" = '[red] at page.py:7' WHERE "page" = 2""")
    shown = sitejobs("runs", run, "--limit=2", env=environment(DATABASE_URL=site_url, COLUMNS="160")).stdout
    for part in ("no-profile", "bad-age", "SQLSTATE 23514", "[red] at page.py:7", "and 1 more", '"start": 20'):
        assert part in shown


def test_as_json_it_is_the_same_with_times_in_utc(database: Connection, site_url: str) -> None:
    run = finished_run(database)
    env = environment(DATABASE_URL=site_url)
    listed = json.loads(sitejobs("runs", "--json", "--limit=1", env=env).stdout)
    assert [row["id"] for row in listed["runs"]] == [int(run)]
    assert listed["next"] == int(run)
    assert listed["runs"][0]["startedAt"].endswith("+00:00")
    single = json.loads(sitejobs("runs", run, "--json", env=env).stdout)
    assert len(single["failedPagesNoted"]) == 3
    assert single["reasons"] == {"no-profile": 2, "bad-age": 1}


def test_a_workflow_is_shown_with_its_jobs_and_found_by_name_and_status(database: Connection, site_url: str) -> None:
    workflow = open_run(database, "the workflow", job="all")
    part = open_run(database, "its part", job="trending", trigger="workflow")
    runs.close_run(database, part, None)
    states = {
        "trending": {"status": "SUCCEEDED", "execution": "its part"},
        "affinity": {"status": "NOT_STARTED", "execution": "never", "summary": {"cause": "it needs trending"}},
    }
    runs.set_context(database, workflow, {"jobs": states})
    runs.close_run(database, workflow, {"Error": "JobsFailed", "Cause": "not started: affinity"})
    env = environment(DATABASE_URL=site_url)
    shown = sitejobs("runs", workflow, env=env).stdout
    assert re.search(rf"(?m)^trending +{part} +succeeded", shown)
    assert re.search(r"(?m)^affinity +not started", shown)
    jobs = json.loads(sitejobs("runs", workflow, "--json", env=env).stdout)["jobs"]
    assert [(job["job"], job["id"], job["state"]) for job in jobs] == [
        ("trending", int(part), "SUCCEEDED"),
        ("affinity", None, "NOT_STARTED"),
    ]
    assert [run["id"] for run in recent(database, job="all")] == [int(workflow)]
    assert [run["id"] for run in recent(database, status="FAILED")] == [int(workflow)]
    for arguments in (["--job=all"], ["--status=failed"], ["--job=all", "--status=failed", "--limit=1"]):
        listed = sitejobs("runs", *arguments, env=env)
        assert (listed.returncode, "not started: affinity" in listed.stdout) == (0, True)
    refused = sitejobs("runs", "retry", workflow, env=env)
    assert (refused.returncode, "is a workflow's, and has no pages of its own" in refused.stderr) == (2, True)


def test_watching_a_run_ends_with_it_and_says_whether_it_succeeded(database: Connection, site_url: str) -> None:
    run = open_run(database, "at work")
    env = environment(DATABASE_URL=site_url)
    with subprocess.Popen([*PROGRAM, "runs", run, "--watch"], env=env, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith(f"run {run}: match-scores, running for ")
        runs.close_run(database, run, {"Error": "Enough", "Cause": "of it"})
        shown = watching.stdout.read()
    assert "Enough: of it" in shown
    assert watching.returncode == 1


def test_watching_the_list_tells_what_begins_and_ends_until_interrupted(database: Connection, site_url: str) -> None:
    first = open_run(database, "first")
    env = environment(DATABASE_URL=site_url)
    with subprocess.Popen([*PROGRAM, "runs", "--watch"], env=env, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().split()[0] == "run"
        assert watching.stdout.readline().split()[:3] == [first, "match-scores", "running"]
        runs.close_run(database, first, None)
        lines = iter(watching.stdout.readline, "")
        assert next(line for line in lines if "succeeded" in line).split()[0] == first
        watching.send_signal(signal.SIGINT)
    assert watching.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["retry"], "say which run: sitejobs runs retry <ID>"),
        (["rety", "3"], "Did you mean 'retry'?"),
        (["0"], "the ID of a run is a whole number, not '0'"),
        (["--log"], "say whose log"),
        (["--stack=x"], "--stack goes with --log or retry"),
        (["--watch", "--json"], "--watch shows runs to a person"),
        (["--status=succeded"], "Did you mean 'succeeded'?"),
        (["3", "--log"], "there is no run 3"),
        (["retry", "3"], "there is no run 3"),
    ],
)
def test_what_runs_cannot_do_is_refused(database: Connection, site_url: str, arguments: list[str], says: str) -> None:
    refused = sitejobs("runs", *arguments, env=environment(DATABASE_URL=site_url))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert says in refused.stderr


def test_without_runs_it_says_so_and_a_run_that_is_not_there_is_bad_input(database: Connection, site_url: str) -> None:
    env = environment(DATABASE_URL=site_url)
    assert "no runs yet" in sitejobs("runs", env=env).stdout
    missing = sitejobs("runs", "404", env=env)
    assert (missing.returncode, "there is no run 404" in missing.stderr) == (2, True)
