"""What a run records of its pages and how it is closed, against a real PostgreSQL; every call may come twice."""

import json
import threading
from collections.abc import Iterator

import pytest
from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.errors import InvalidInput, RunClosed
from sitejobs.jobs import runs
from sitejobs.jobs.runs import AlreadyRunning
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from tests.databases import site_database
from tests.job_runs import done, failed_pages, lost, make_old, opened, opening, row_of


@pytest.fixture(scope="module")
def site_url(postgres_server: Server) -> Iterator[str]:
    with site_database(postgres_server) as url:
        yield url


@pytest.fixture
def database(site_url: str) -> Iterator[Connection]:
    """A database in which nothing has run yet."""
    with connect(site_url) as connection:
        connection.execute('DELETE FROM "JobRun"')
        yield connection


# ---- recording


def test_a_chapter_adds_its_pages_counts_and_reasons(database: Connection) -> None:
    run = opened(database)
    runs.record_chapter(database, run.id, 1, [done(1, processed=5, written=9, skipped=2, reasons={"a": 2}), lost(2)])
    answer = runs.record_chapter(
        database, run.id, 2, [done(3, processed=5, written=1, failed=4, reasons={"a": 1, "b": 3})]
    )
    assert answer == {"chapter": 2, "pages": 1, "failedPages": 0}
    row = row_of(database, run.id)
    assert (row["chapter"], row["pages"], row["failedPages"]) == (2, 3, 1)
    assert (row["processed"], row["written"], row["skipped"], row["failed"]) == (10, 10, 2, 4)
    assert row["reasons"] == {"a": 3, "b": 3}


def test_a_chapter_counts_once_however_often_it_is_recorded(database: Connection) -> None:
    run = opened(database)
    results = [done(1, processed=5, reasons={"a": 2}), lost(2)]
    first = runs.record_chapter(database, run.id, 1, results)
    before = row_of(database, run.id)
    assert runs.record_chapter(database, run.id, 1, results) == first
    assert row_of(database, run.id) == before
    runs.close_run(database, run.id, None)
    assert runs.record_chapter(database, run.id, 1, results) == first


def test_a_chapter_recorded_by_two_at_once_counts_once(site_url: str, database: Connection) -> None:
    run = opened(database)
    together = threading.Barrier(4)

    def record() -> None:
        with connect(site_url) as connection:
            together.wait()
            runs.record_chapter(connection, run.id, 1, [done(1, processed=5)])

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert row_of(database, run.id)["processed"] == 5


def test_a_failed_page_is_kept_with_its_keys_its_error_and_what_was_noted(database: Connection) -> None:
    run = opened(database)
    runs.note_failed_page(database, run.id, lost(2)["page"], "KeyError", "KeyError at page.py:7")
    runs.record_chapter(database, run.id, 1, [lost(2, "KeyError"), lost(3, "Sandbox.Timedout")])
    assert failed_pages(database, run.id) == [
        (2, {"page": 2, "start": 20, "stop": 30}, "KeyError", "KeyError at page.py:7"),
        (3, {"page": 3, "start": 30, "stop": 40}, "Sandbox.Timedout", None),
    ]


def test_the_note_of_a_page_that_was_saved_by_a_retry_is_forgotten(database: Connection) -> None:
    run = opened(database)
    for page in (1, 2):
        runs.note_failed_page(database, run.id, lost(page)["page"], "Transient", "connection lost")
    runs.record_chapter(database, run.id, 1, [done(1), lost(2, "Transient")])
    assert [row[0] for row in failed_pages(database, run.id)] == [2]


def test_the_last_of_several_notes_of_a_page_stays(database: Connection) -> None:
    run = opened(database)
    for detail in ("first", "second"):
        runs.note_failed_page(database, run.id, lost(1)["page"], "Transient", detail)
    assert [row[3] for row in failed_pages(database, run.id)] == ["second"]


def test_an_execution_whose_run_was_taken_over_learns_so_when_it_records(database: Connection) -> None:
    run = opened(database)
    make_old(database, run.id)
    opened(database, "two")
    with pytest.raises(RunClosed, match=f"run {run.id} is DIED"):
        runs.record_chapter(database, run.id, 1, [done(1, written=5)])
    assert row_of(database, run.id)["written"] == 0


def test_recording_moves_the_heartbeat(database: Connection) -> None:
    run = opened(database)
    make_old(database, run.id, 50)
    runs.record_chapter(database, run.id, 1, [])
    make_old(database, run.id, 50)
    assert isinstance(opening(database, "two"), AlreadyRunning)


@pytest.mark.parametrize("call", ["record", "close"])
def test_a_run_that_does_not_exist_is_named(database: Connection, call: str) -> None:
    with pytest.raises(InvalidInput, match="there is no run 404"):
        if call == "record":
            runs.record_chapter(database, "404", 1, [])
        else:
            runs.close_run(database, "404", None)


# ---- closing


def test_a_run_without_failures_succeeds(database: Connection) -> None:
    run = opened(database)
    runs.record_chapter(database, run.id, 1, [done(1, processed=5, written=9, skipped=1, reasons={"a": 1})])
    assert runs.close_run(database, run.id, None) == {
        "job": "toy",
        "runId": run.id,
        "status": "SUCCEEDED",
        "pages": 1,
        "failedPages": 0,
        "processed": 5,
        "written": 9,
        "skipped": 1,
        "failed": 0,
        "reasons": {"a": 1},
        "message": None,
        "error": None,
        "cause": None,
    }
    row = row_of(database, run.id)
    assert (row["status"], row["error"]) == ("SUCCEEDED", None)
    assert row["finishedAt"] is not None


def test_more_failed_pages_than_tolerated_fail_the_run_and_the_first_ones_are_named(database: Connection) -> None:
    run = opened(database, options={"tolerateFailures": 3})
    runs.note_failed_page(database, run.id, lost(2)["page"], "DatabaseFailure", "CheckViolation: SQLSTATE 23514")
    runs.record_chapter(database, run.id, 1, [done(1, written=1), lost(5), lost(2), lost(3), lost(4)])
    summary = runs.close_run(database, run.id, None)
    assert (summary["status"], summary["error"]) == ("FAILED", "PagesFailed")
    assert summary["cause"] == (
        "4 of 5 pages failed, 3 tolerated. First: page 2: CheckViolation: SQLSTATE 23514; "
        "page 3: DataUnavailable; page 4: DataUnavailable"
    )
    row = row_of(database, run.id)
    assert (row["status"], row["error"]) == ("FAILED", f"PagesFailed: {summary['cause']}")


@pytest.mark.parametrize(("failures", "status"), [(0, "SUCCEEDED"), (2, "SUCCEEDED"), (3, "FAILED")])
def test_as_many_failed_pages_as_tolerated_are_no_failure(database: Connection, failures: int, status: str) -> None:
    run = opened(database, options={"tolerateFailures": 2})
    runs.record_chapter(database, run.id, 1, [done(9), *(lost(page) for page in range(failures))])
    summary = runs.close_run(database, run.id, None)
    assert (summary["status"], summary["failedPages"]) == (status, failures)


def test_an_error_fails_the_run_with_the_functions_message_and_no_stack_trace(database: Connection) -> None:
    run = opened(database)
    cause = json.dumps(
        {"errorMessage": "MATCH_WEIGHTS takes numbers", "errorType": "InvalidInput", "stackTrace": ["x"]}
    )
    summary = runs.close_run(database, run.id, {"Error": "InvalidInput", "Cause": cause})
    assert (summary["status"], summary["error"]) == ("FAILED", "InvalidInput")
    assert summary["cause"] == "MATCH_WEIGHTS takes numbers"
    assert row_of(database, run.id)["error"] == "InvalidInput: MATCH_WEIGHTS takes numbers"


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ({"Error": "States.Timeout"}, ("States.Timeout", "")),
        ({"Error": "States.Timeout", "Cause": None}, ("States.Timeout", "")),
        ({"Error": "X", "Cause": "plain words"}, ("X", "plain words")),
        ({"Error": "X", "Cause": "[1]"}, ("X", "[1]")),
        ({"Error": "X", "Cause": "x" * 40_000}, ("X", "x" * runs.MAX_CAUSE)),
        ({}, ("Error", "")),
    ],
)
def test_causes_of_every_shape_are_taken(database: Connection, error: JsonObject, named: tuple[str, str]) -> None:
    summary = runs.close_run(database, opened(database).id, error)
    assert (summary["error"], summary["cause"]) == named
    never = runs.never_opened(error)
    assert (never["status"], never["runId"], never["error"], never["cause"]) == ("FAILED", None, *named)


@pytest.mark.parametrize(
    "error", [None, {"Error": "DatabaseFailure", "Cause": "gone"}, {"Error": "States.Timeout", "Cause": None}]
)
@pytest.mark.parametrize("failures", [0, 1])
def test_closing_twice_gives_the_same_summary_and_changes_nothing(
    database: Connection, error: JsonObject | None, failures: int
) -> None:
    run = opened(database)
    runs.record_chapter(database, run.id, 1, [done(1, written=3), *(lost(page) for page in range(failures))])
    first = runs.close_run(database, run.id, error)
    row = row_of(database, run.id)
    assert runs.close_run(database, run.id, error) == first
    assert row_of(database, run.id) == row


def test_a_run_taken_over_is_summed_up_as_failed_and_stays_dead(database: Connection) -> None:
    run = opened(database)
    make_old(database, run.id)
    opened(database, "two")
    summary = runs.close_run(database, run.id, None)
    assert (summary["status"], summary["error"]) == ("FAILED", "RunClosed")
    assert "taken over" in summary["cause"]
    assert row_of(database, run.id)["status"] == "DIED"


@pytest.mark.parametrize(
    ("results", "context", "message"),
    [
        ([], {}, "nothing written: there was nothing to do"),
        ([], {"message": "user 8 does not exist"}, "user 8 does not exist"),
        ([done(1, processed=2, skipped=2, reasons={"b": 1, "a": 1})], {}, "nothing written: 2 processed (a 1, b 1)"),
        ([done(1, processed=2)], {}, "nothing written: 2 processed"),
        ([done(1, processed=2, written=1)], {}, None),
        ([lost(1)], {}, None),
    ],
)
def test_a_run_that_wrote_nothing_says_why(
    database: Connection, results: list[JsonObject], context: JsonObject, message: str | None
) -> None:
    run = opened(database)
    runs.set_context(database, run.id, context)
    runs.record_chapter(database, run.id, 1, results)
    assert runs.close_run(database, run.id, None)["message"] == message


def test_a_run_that_failed_does_not_say_that_there_was_nothing_to_do(database: Connection) -> None:
    assert runs.close_run(database, opened(database).id, {"Error": "X", "Cause": "y"})["message"] is None


def test_the_run_of_an_execution_is_found(database: Connection) -> None:
    run = opened(database)
    assert runs.run_of(database, "one") == run.id
    assert runs.run_of(database, "two") is None
