"""The Lambda entries in processes of their own, over a real PostgreSQL: answers, errors by name, what is logged."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sitejobs.aliases import JsonObject
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.workers import WorkerPool
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import REPOSITORY
from sitejobs_local.template.resources import Function
from tests.databases import site_database

LAYER = REPOSITORY / "layers" / "sitejobs"
TOYS = Path(__file__).parent / "fixtures" / "toy_job"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:toy:one"
ENDING = {
    "detail-type": "Step Functions Execution Status Change",
    "detail": {
        "executionArn": EXECUTION,
        "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:match-scores",
        "status": "FAILED",
        "startDate": 1764300000000,
    },
}
SECRET_OF_THE_PAGE = "Zebulon Quackenbush"


def function(name: str, code: Path, handler: str, **variables: str) -> Function:
    variables = {"POWERTOOLS_SERVICE_NAME": "toy", "POWERTOOLS_METRICS_NAMESPACE": "toys", **variables}
    return Function(name, name, code, handler, timeout=900, memory=256, environment=variables, layers=(LAYER,))


FUNCTIONS = (
    function("plan", TOYS, "app.plan_entry"),
    function("batch", TOYS, "app.batch_entry"),
    function("record", REPOSITORY / "functions" / "runs", "app.record"),
    function("finish", REPOSITORY / "functions" / "runs", "app.finish"),
    function("closed", REPOSITORY / "functions" / "run_closed", "app.handler"),
)


@dataclass(frozen=True)
class Functions:
    """A pool of workers, the database that they use, and what they log."""

    pool: WorkerPool
    url: str
    log: Path

    def call(self, name: str, event: JsonObject) -> JsonObject:
        answer: JsonObject = self.pool.invoke(name, json.dumps(event)).value
        return answer

    def plan(self, given: Any = None, **event: Any) -> JsonObject:
        """The first chapter, unless the event says otherwise."""
        first = {"input": given or {}, "execution": EXECUTION, "run": None, "cursor": None, "chapter": 0}
        return self.call("plan", first | event)

    def page(self, run: JsonObject, **page: Any) -> JsonObject:
        return self.call("batch", {"run": run, "page": {"page": 1, **page}})

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def notes(self) -> list[tuple[Any, ...]]:
        return self.query('SELECT "page", "error", "detail" FROM "JobRunFailedPage"')


@pytest.fixture(scope="module")
def shared(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Functions]:
    log = tmp_path_factory.mktemp("functions") / "log"
    with (
        site_database(postgres_server) as url,
        WorkerPool(FUNCTIONS, environment={"DATABASE_URL": url}, log_file=log) as pool,
    ):
        yield Functions(pool, url, log)


@pytest.fixture
def functions(shared: Functions) -> Functions:
    """Nothing has run yet."""
    shared.query('DELETE FROM "JobRun"')
    shared.log.write_text("")
    return shared


@pytest.fixture
def run(functions: Functions) -> JsonObject:
    """A run whose first chapter is planned."""
    planned: JsonObject = functions.plan()["run"]
    return planned


# ---- Plan


def test_plan_opens_the_run_and_answers_with_its_first_pages(functions: Functions) -> None:
    planned = functions.plan({"maxConcurrency": "3", "trigger": "schedule"})
    [(run_id, context, options, trigger)] = functions.query(
        'SELECT "id", "context", "options", "trigger" FROM "JobRun"'
    )
    run = planned.pop("run")
    assert planned == {
        "status": "PLANNED",
        "pages": [{"page": 1}, {"page": 2}],
        "cursor": 2,
        "chapter": 1,
        "maxConcurrency": 3,
        "planned": {"pages": 4, "users": 40},
        "message": None,
    }
    assert (run["id"], run["job"]) == (str(run_id), "toy")
    assert run["context"] == context == {"made": "by the first chapter"}
    assert run["options"] == options == {"maxConcurrency": 3, "trigger": "schedule"}
    assert run["startedAt"].endswith("+00:00")
    assert trigger == "schedule"


def test_a_later_chapter_goes_on_from_the_cursor_with_the_same_run(functions: Functions, run: JsonObject) -> None:
    later = functions.plan(run=run, cursor=2, chapter=1)
    assert (later["run"], later["chapter"], later["cursor"]) == (run, 2, None)
    assert later["pages"] == [{"page": 3}, {"page": 4}]


def test_what_plan_has_to_say_is_said_again_when_the_run_is_closed(functions: Functions) -> None:
    planned = functions.plan({"nothing": True})
    assert (planned["message"], planned["pages"], planned["cursor"]) == ("nobody is there", [], None)
    functions.call("record", {"run": planned["run"], "chapter": 1, "results": []})
    summary = functions.call("finish", {"run": planned["run"], "execution": EXECUTION, "error": None})
    assert (summary["status"], summary["message"]) == ("SUCCEEDED", "nobody is there")


def test_a_second_execution_is_told_of_the_first(functions: Functions, run: JsonObject) -> None:
    answer = functions.plan(execution=EXECUTION + "-other")
    message = f"toy is already running for all: run {run['id']}, started {run['startedAt'][:19]}"
    assert (answer["status"], answer["job"], answer["runId"]) == ("ALREADY_RUNNING", "toy", run["id"])
    assert answer["message"].startswith(message)


def test_wrong_options_are_refused_before_there_is_a_run(functions: Functions) -> None:
    answer = functions.plan({"pauseMs": -1})
    assert (answer["errorType"], answer["errorMessage"]) == (
        "InvalidInput",
        "pauseMs must be a whole number from 0 to 60000, not -1",
    )
    assert functions.query('SELECT FROM "JobRun"') == []


# ---- Batch


def test_a_page_answers_with_its_counts_and_reasons(functions: Functions, run: JsonObject) -> None:
    assert functions.page(run) == {
        "page": 1,
        "processed": 10,
        "written": 7,
        "skipped": 2,
        "failed": 1,
        "reasons": {"no-profile": 2, "unreadable": 1},
    }


def test_a_page_reports_one_metric_and_its_counts_in_the_log(functions: Functions, run: JsonObject) -> None:
    functions.page(run)
    lines = [json.loads(line) for line in functions.log.read_text().splitlines() if line.startswith("{")]
    *_, metrics = [line for line in lines if "_aws" in line]
    [told] = metrics["_aws"]["CloudWatchMetrics"]
    assert ([it["Name"] for it in told["Metrics"]], told["Dimensions"]) == (["timeUsed"], [["service"]])
    assert metrics["service"] == "all"
    assert 0 <= metrics["timeUsed"][0] < 80
    [done] = [line for line in lines if line.get("message") == "page done"]
    assert {name: done[name] for name in ("processed", "written", "skipped", "failed")} == {
        "processed": 10,
        "written": 7,
        "skipped": 2,
        "failed": 1,
    }


def test_a_function_here_imports_nothing_to_be_traced(functions: Functions, run: JsonObject) -> None:
    assert functions.page(run, **{"raise": "tracing"})["errorMessage"] == "False"


def test_a_page_pauses_as_long_as_it_was_told(functions: Functions, run: JsonObject) -> None:
    functions.page(run)  # the process is there now
    began = time.monotonic()
    functions.page(run | {"options": {"pauseMs": 300}})
    assert time.monotonic() - began >= 0.3


RAISING = f"DO $$ BEGIN RAISE EXCEPTION 'not {SECRET_OF_THE_PAGE}'; END $$"
FAILURES: list[tuple[JsonObject, str, str, str]] = [
    ({"sql": "SELECT pg_terminate_backend(pg_backend_pid())"}, "Transient", "AdminShutdown", "57P01"),
    ({"sql": RAISING}, "DatabaseFailure", "RaiseException", "P0001"),
    ({"sql": f"SELECT '{SECRET_OF_THE_PAGE}'::int"}, "DatabaseFailure", "InvalidTextRepresentation", "22P02"),
    ({"sql": "SELECT * FROM missing"}, "InvalidInput", "UndefinedTable", '"missing" does not exist'),
    ({"raise": "InvalidInput"}, "InvalidInput", "InvalidInput", "the page is wrong"),
    ({"raise": "DataUnavailable"}, "DataUnavailable", "DataUnavailable", "work file x is not there"),
    ({"raise": "work"}, "InvalidInput", "InvalidInput", "set WORK_BUCKET"),
]


@pytest.mark.parametrize(("page", "name", "noted", "detail"), FAILURES)
def test_a_failing_page_raises_an_error_that_definitions_know_and_notes_the_reason(
    functions: Functions, run: JsonObject, page: JsonObject, name: str, noted: str, detail: str
) -> None:
    answer = functions.page(run, **page)
    assert answer["errorType"] == name
    assert detail in answer["errorMessage"]
    [(number, error, kept)] = functions.notes()
    assert (number, error) == (1, noted)
    assert detail in kept
    assert SECRET_OF_THE_PAGE not in json.dumps(answer) + functions.log.read_text() + kept


def test_an_unexpected_error_is_noted_by_its_class_and_line_without_its_value(
    functions: Functions, run: JsonObject
) -> None:
    answer = functions.page(run, value=SECRET_OF_THE_PAGE, **{"raise": "KeyError"})
    [(_, error, detail)] = functions.notes()
    line = next(
        number for number, text in enumerate((TOYS / "app.py").read_text().splitlines(), 1) if "raise Key" in text
    )
    assert (error, detail) == ("KeyError", f"KeyError at app.py:{line}")
    assert (answer["errorType"], answer["errorMessage"]) == ("Unexpected", detail)
    assert any(f"line {line}" in frame for frame in answer["stackTrace"])
    assert SECRET_OF_THE_PAGE not in functions.log.read_text() + json.dumps(answer)


def test_a_handler_that_ends_its_process_is_a_crash(functions: Functions, run: JsonObject) -> None:
    assert functions.page(run, **{"raise": "exit"})["errorType"] == "Runtime.ExitError"
    assert functions.page(run)["processed"] == 10


def test_a_page_of_a_run_that_was_closed_does_nothing(functions: Functions, run: JsonObject) -> None:
    functions.call("finish", {"run": run, "execution": EXECUTION, "error": None})
    answer = functions.page(run, sql="CREATE TABLE written ()")
    assert answer["errorType"] == "RunClosed"
    assert functions.query("SELECT to_regclass('written')") == [(None,)]


# ---- Finish


def test_a_plan_that_failed_after_it_opened_the_run_leaves_a_run_that_finish_closes(functions: Functions) -> None:
    failed = functions.plan({"sql": "SELECT 1/0"})
    assert failed["errorType"] == "DatabaseFailure"
    error = {"Error": failed["errorType"], "Cause": json.dumps(failed)}
    summary = functions.call("finish", {"run": None, "execution": EXECUTION, "error": error})
    [(run_id, status, kept)] = functions.query('SELECT "id"::text, "status", "error" FROM "JobRun"')
    assert (summary["status"], summary["runId"], summary["job"]) == ("FAILED", run_id, "toy")
    assert (summary["error"], summary["cause"]) == ("DatabaseFailure", "DivisionByZero: SQLSTATE 22012")
    assert (status, kept) == ("FAILED", "DatabaseFailure: DivisionByZero: SQLSTATE 22012")


def test_an_execution_that_opened_no_run_is_summed_up_by_its_error(functions: Functions) -> None:
    failed = functions.plan({"pauseMs": -1})
    error = {"Error": failed["errorType"], "Cause": json.dumps(failed)}
    assert functions.call("finish", {"run": None, "execution": EXECUTION, "error": error}) == {
        "runId": None,
        "status": "FAILED",
        "message": None,
        "error": "InvalidInput",
        "cause": "pauseMs must be a whole number from 0 to 60000, not -1",
    }


def test_a_run_that_succeeded_is_a_metric_of_its_job_with_its_time(functions: Functions, run: JsonObject) -> None:
    functions.call("record", {"run": run, "chapter": 1, "results": []})
    functions.call("finish", {"run": run, "execution": EXECUTION, "error": None})
    lines = [json.loads(line) for line in functions.log.read_text().splitlines() if line.startswith("{")]
    of_job = [line for line in lines if "_aws" in line and line.get("job") == "toy"]
    assert [name for line in of_job for name in line if name.startswith(("runs", "run", "failed"))] == ["runSeconds"]
    assert 0 < of_job[0]["runSeconds"][0] < 300
    # The dashboard sums these up by job.
    [closed] = [line for line in lines if line.get("message") == "run closed"]
    assert {"job", "written", "skipped", "failed", "failedPages"} <= set(closed)


# ---- a database without the bundle's tables


@pytest.fixture
def unmigrated(database_url: str, tmp_path: Path) -> Iterator[Functions]:
    with WorkerPool(FUNCTIONS, environment={"DATABASE_URL": database_url}, log_file=tmp_path / "log") as pool:
        yield Functions(pool, database_url, tmp_path / "log")


def test_a_database_that_is_not_migrated_is_named_with_the_command(unmigrated: Functions) -> None:
    finish = {"run": None, "execution": EXECUTION, "error": {"Error": "NotMigrated", "Cause": "{}"}}
    for answer in (unmigrated.plan(), unmigrated.call("finish", finish)):
        assert answer["errorType"] == "NotMigrated"
        assert "run `sitejobs db migrate`" in answer["errorMessage"]


def test_an_ending_without_tables_to_note_it_in_is_no_failure(unmigrated: Functions) -> None:
    assert unmigrated.call("closed", ENDING) == {"execution": EXECUTION, "ended": "FAILED", "closedRun": None}
