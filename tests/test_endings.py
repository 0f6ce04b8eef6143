"""Executions that end without closing their run: what is read of the event, what becomes of the row."""

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import dict_row

from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.errors import InvalidInput, RunClosed
from sitejobs.jobs import runs
from sitejobs.jobs.endings import METRIC_OF, Ending, job_of, read_ending
from sitejobs.jobs.runs import AlreadyRunning, OpenRun
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.workers import WorkerPool
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import REPOSITORY, TEMPLATE
from sitejobs_local.template.template import load_template
from tests.databases import site_database

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:sitejobs-match-scores"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:sitejobs-match-scores:by-hand"
STARTED = datetime(2026, 1, 15, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def site_url(postgres_server: Server) -> Iterator[str]:
    with site_database(postgres_server) as url:
        yield url


@pytest.fixture
def database(site_url: str) -> Iterator[Connection]:
    with connect(site_url) as connection:
        connection.execute('DELETE FROM "JobRun"')
        yield connection


def event(**detail: Any) -> JsonObject:
    """The event of events/, with another detail."""
    loaded: JsonObject = json.loads((REPOSITORY / "events" / "run-closed.json").read_text())
    return loaded | {"detail": loaded["detail"] | detail}


def ending(status: str = "ABORTED", error: str = "", cause: str = "") -> Ending:
    return Ending(EXECUTION, MACHINE, status, STARTED, error or status, cause)


def opening(connection: Connection) -> OpenRun | AlreadyRunning:
    return runs.open_run(
        connection,
        job="match-scores",
        scope="all",
        execution=EXECUTION,
        trigger="cli",
        options={},
        stale_seconds=1800,
    )


def rows(database: Connection) -> list[JsonObject]:
    with database.cursor(row_factory=dict_row) as cursor:
        return cursor.execute('SELECT * FROM "JobRun"').fetchall()


# ---- the event


def test_an_event_tells_the_execution_how_it_ended_and_why() -> None:
    assert read_ending(event()) == Ending(EXECUTION, MACHINE, "ABORTED", STARTED, "Stopped", "stopped by hand")


@pytest.mark.parametrize("status", METRIC_OF)
def test_without_an_error_the_status_says_it_all(status: str) -> None:
    read = read_ending(event(status=status, error=None, cause=None))
    assert (read.status, read.error, read.cause) == (status, status, "")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (event() | {"detail-type": "Scheduled Event"}, "detail-type must be 'Step Functions Execution Status Change'"),
        (event() | {"detail": None}, "detail must be an object"),
        (event(status="SUCCEEDED"), "detail.status must be one of FAILED, TIMED_OUT, ABORTED, not 'SUCCEEDED'"),
        (event(executionArn=""), "detail.executionArn must be an ARN, not ''"),
        (event(stateMachineArn=7), "detail.stateMachineArn must be an ARN, not 7"),
        (event(startDate="yesterday"), "detail.startDate must be milliseconds since 1970, not 'yesterday'"),
        (event(startDate=1e30), "detail.startDate is no moment in time"),
    ],
)
def test_what_is_no_such_event_is_refused_with_the_field(wrong: JsonObject, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_ending(wrong)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("machine", "prefix", "job"),
    [
        (MACHINE, "sitejobs-", "match-scores"),
        (MACHINE, "", None),
        (MACHINE, "site-", None),
        (MACHINE.replace("sitejobs-", ""), "", "match-scores"),
        (MACHINE.replace("sitejobs-", ""), "sitejobs-", None),
        (MACHINE.replace("sitejobs-", "sitejobs-eu-"), "sitejobs-", None),
        (MACHINE.replace("match-scores", "payroll"), "sitejobs-", None),
    ],
)
def test_a_state_machine_is_known_by_its_name_without_the_stacks_prefix(
    machine: str, prefix: str, job: str | None
) -> None:
    assert job_of(machine, prefix, JOBS) == job


# ---- the row


@pytest.mark.parametrize("status", METRIC_OF)
def test_an_open_run_is_closed_as_its_execution_ended(database: Connection, status: str) -> None:
    run = opening(database)
    assert runs.close_ended(database, ending(status, "Stopped", "by hand"), "match-scores") == run.id
    [row] = rows(database)
    assert (row["status"], row["error"]) == (status, "Stopped: by hand")
    assert row["finishedAt"] is not None
    with pytest.raises(RunClosed, match=f"run {run.id} is {status}"):
        runs.check_alive(database, run.id)
    assert runs.close_run(database, run.id, None)["status"] == "FAILED"


def test_a_functions_stack_trace_is_left_out(database: Connection) -> None:
    opening(database)
    cause = json.dumps({"errorMessage": "no database", "errorType": "Transient", "stackTrace": ["x"]})
    runs.close_ended(database, ending("FAILED", "Transient", cause), "match-scores")
    assert rows(database)[0]["error"] == "Transient: no database"


@pytest.mark.parametrize("error", [None, {"Error": "InvalidInput", "Cause": "batchSize"}])
def test_a_run_that_closed_itself_stays_as_it_is_however_often_the_event_comes(
    database: Connection, error: JsonObject | None
) -> None:
    run = opening(database)
    runs.close_run(database, run.id, error)
    before = rows(database)
    for _ in range(2):
        assert runs.close_ended(database, ending("FAILED"), "match-scores") is None
    assert rows(database) == before


def test_an_execution_stopped_before_its_run_was_opened_finds_it_closed(database: Connection) -> None:
    run_id = runs.close_ended(database, ending(cause="too early"), "match-scores")
    [row] = rows(database)
    assert (str(row["id"]), row["job"], row["status"], row["scope"]) == (run_id, "match-scores", "ABORTED", "unknown")
    assert (row["startedAt"], row["error"]) == (STARTED, "ABORTED: too early")
    with pytest.raises(RunClosed, match="was closed as ABORTED"):
        opening(database)
    assert runs.close_ended(database, ending(), "match-scores") is None


def test_an_execution_that_is_no_jobs_or_failed_by_itself_before_there_was_a_run_leaves_no_row(
    database: Connection,
) -> None:
    assert runs.close_ended(database, ending(), None) is None
    assert runs.close_ended(database, ending("FAILED", "InvalidInput", "batchSize"), "match-scores") is None
    assert rows(database) == []


def test_a_stop_and_a_plan_at_once_never_leave_a_run_open(site_url: str, database: Connection) -> None:
    for _ in range(25):
        database.execute('DELETE FROM "JobRun"')
        together = threading.Barrier(2)

        def plan(together: threading.Barrier) -> None:
            with connect(site_url) as connection:
                together.wait()
                with contextlib.suppress(RunClosed):
                    opening(connection)

        thread = threading.Thread(target=plan, args=(together,))
        thread.start()
        together.wait()
        runs.close_ended(database, ending(), "match-scores")
        thread.join()
        [row] = rows(database)
        assert row["status"] == "ABORTED"


# ---- the function


def call(url: str, log: Path, given: JsonObject) -> JsonObject:
    function = load_template(TEMPLATE).functions["RunClosedFunction"]
    with WorkerPool([function], environment={"DATABASE_URL": url}, log_file=log) as workers:
        answer: JsonObject = workers.invoke(function.name, json.dumps(given)).value
        return answer


def metrics_of(log: Path) -> list[JsonObject]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def test_the_function_closes_the_run_and_counts_the_ending(site_url: str, database: Connection, tmp_path: Path) -> None:
    run = opening(database)
    log = tmp_path / "log"
    answer = call(site_url, log, event())
    assert answer == {"execution": EXECUTION, "ended": "ABORTED", "closedRun": run.id}
    assert rows(database)[0]["status"] == "ABORTED"
    counted = [line for line in metrics_of(log) if "runsAborted" in line]
    assert sorted(line.get("job", "") for line in counted) == ["", "match-scores"]
    assert {line["service"] for line in counted} == {"runs"}
    assert all(line["runsAborted"] == [1.0] for line in counted)


@pytest.mark.parametrize(
    ("error", "cause", "counted"),
    [
        ("JobsFailed", "failed: match-scores: InvalidInput: batchSize must be ... not started: compatibility", [None]),
        ("JobsFailed", "failed: match-scores: NotAnswered: its end was not reported", [None, "workflows"]),
        ("JobsFailed", "failed: match-scores: StepFunctions.AccessDeniedException: no", [None, "workflows"]),
        ("NotMigrated", "run sitejobs db migrate", [None, "workflows"]),
        ("States.Timeout", "", [None, "workflows"]),
    ],
)
def test_a_workflow_is_counted_only_if_its_jobs_do_not_tell_what_failed(
    error: str, cause: str, counted: list[str | None], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    machine = MACHINE.replace("match-scores", "all")
    given = event(stateMachineArn=machine, status="FAILED", error=error, cause=cause)
    call("postgresql://127.0.0.1:1/nowhere", log, given)
    assert [line.get("job") for line in metrics_of(log) if "runsFailed" in line] == counted


@pytest.mark.parametrize("name", ["sitejobs-workflow-job", "sitejobs-eu-match-scores", "match-scores"])
def test_executions_of_no_job_of_the_stack_are_not_counted(name: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    machine = MACHINE.replace("sitejobs-match-scores", name)
    answer = call("postgresql://127.0.0.1:1/nowhere", log, event(stateMachineArn=machine))
    assert answer["closedRun"] is None
    assert not [line for line in metrics_of(log) if "runsAborted" in line]


def test_an_ending_is_counted_even_when_the_database_is_away_and_the_call_may_be_repeated(tmp_path: Path) -> None:
    log = tmp_path / "log"
    answer = call("postgresql://127.0.0.1:1/nowhere", log, event(status="TIMED_OUT"))
    assert answer["errorType"] == "Transient"
    assert [line for line in metrics_of(log) if "runsTimedOut" in line]
