"""A workflow's JobRun: opened once, updated once for each job, closed by how its jobs ended."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.errors import InvalidInput, RunClosed
from sitejobs.jobs import runs
from sitejobs.options import parse_options
from sitejobs.postgres.connection import connect
from sitejobs.workflows import records
from sitejobs.workflows.options import AllOptions

MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:all:one"
DONE = {"job": "x", "status": "SUCCEEDED", "runId": "3", "processed": 4, "written": 2, "reasons": {}}
STALE_S = 60


@pytest.fixture
def connection(site_url: str) -> Iterator[Connection]:
    with connect(site_url) as connection:
        yield connection


def opened(connection: Connection, execution: str = EXECUTION, **given: Any) -> runs.OpenRun | runs.AlreadyRunning:
    return records.open_workflow(
        connection,
        name="all",
        options=parse_options(AllOptions, given),
        execution=execution,
        machines=MACHINES,
        stale_seconds=STALE_S,
    )


def open_run(connection: Connection, execution: str = EXECUTION, **given: Any) -> runs.OpenRun:
    run = opened(connection, execution, **given)
    assert isinstance(run, runs.OpenRun)
    return run


def orders(context: dict[str, Any], by: str = "") -> list[str]:
    return [order["job"] for order in records.start_orders(context, by, AllOptions(), MACHINES)]


def test_the_first_orders_are_the_jobs_that_wait_for_nothing(connection: Connection) -> None:
    run = open_run(connection, only="match-scores,compatibility,trending")
    [first, second] = records.start_orders(run.context, "", AllOptions(incremental=True), MACHINES)
    assert first["job"] == "match-scores"
    assert first["machine"] == MACHINES + "match-scores"
    assert first["input"] == {"trigger": "workflow", "incremental": True}
    assert second["job"] == "trending"
    name = run.context["jobs"]["match-scores"]["execution"].rpartition(":")[2]
    assert first["name"] == name
    assert len(name) <= 80


def test_a_job_is_told_how_to_page_and_the_others_keep_their_defaults(connection: Connection) -> None:
    options = parse_options(AllOptions, {"paging": {"match-scores": {"batchSize": 2000, "pauseMs": 0}}})
    run = open_run(connection, only="match-scores,trending")
    [first, second] = records.start_orders(run.context, "", options, MACHINES)
    assert first["input"] == {"trigger": "workflow", "batchSize": 2000, "pauseMs": 0}
    assert second["input"] == {"trigger": "workflow"}


@pytest.mark.parametrize(
    ("paging", "says"),
    [
        (
            {"match-scores": {"batchSize": 0}},
            "paging of match-scores: batchSize must be a whole number from 1 to 10000, not 0",
        ),
        ({"feed-presort": {"userBatchSize": 5}}, "paging of feed-presort: unknown option 'userBatchSize'"),
        ({"match-scores": {"topK": 5}}, "paging of match-scores: 'topK' must be one of batchSize, userBatchSize"),
        ({"match-scores": {"userId": 5}}, "paging of match-scores: 'userId' must be one of"),
        ({"matching": {"batchSize": 5}}, "paging must be an object of jobs (build-user-traits"),
        ({"match-scores": 5}, "paging must be an object of jobs"),
        ([], "paging must be an object of jobs"),
        ('{"match-scores": {"batchSize": 20000}}', "paging of match-scores: batchSize must be"),
        ("batchSize=5", "paging must be an object of jobs"),
    ],
)
def test_paging_that_no_job_takes_is_refused_before_anything_starts(paging: object, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_options(AllOptions, {"paging": paging})
    assert says in str(refused.value)


def test_opening_twice_for_an_execution_gives_the_same_run_with_the_same_orders(connection: Connection) -> None:
    first = open_run(connection)
    records.end_job(connection, first.id, "build-user-traits", DONE, None)
    again = open_run(connection)
    assert again.id == first.id
    assert (
        orders(again.context)
        == orders(first.context)
        == [
            "build-user-traits",
            "user-interest-sets",
            "content-features",
        ]
    )


def test_the_end_of_a_job_told_twice_gives_the_same_orders(connection: Connection) -> None:
    run = open_run(connection)
    first = records.end_job(connection, run.id, "build-user-traits", DONE, None)
    second = records.end_job(connection, run.id, "build-user-traits", None, {"Error": "Late", "Cause": "x"})
    assert second == first
    assert orders(second, "build-user-traits") == ["match-scores", "profile-search-index", "searchable-user"]


def test_of_two_that_end_at_once_one_alone_starts_what_waited_for_both(connection: Connection, site_url: str) -> None:
    run = open_run(connection, only="affinity,trending,feed-presort")
    started: list[str] = []
    gate = threading.Barrier(2)

    def end(job: str) -> None:
        with connect(site_url) as own:
            gate.wait()
            started.extend(orders(records.end_job(own, run.id, job, DONE, None), job))

    threads = [threading.Thread(target=end, args=(job,)) for job in ("affinity", "trending")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert started == ["feed-presort"]


def test_a_job_whose_end_was_never_told_has_failed_when_the_run_is_closed(connection: Connection) -> None:
    run = open_run(connection, only="matching")
    summary = records.close_workflow(connection, run.id, None)
    assert (summary["status"], summary["error"]) == ("FAILED", "JobsFailed")
    assert summary["jobs"]["match-scores"]["error"] == "NotAnswered"
    assert summary["jobs"]["compatibility"]["status"] == "NOT_STARTED"
    assert summary["cause"].startswith("failed: match-scores: NotAnswered: ")
    assert summary["cause"].endswith("not started: compatibility")


def test_a_run_that_failed_as_a_whole_says_so_and_leaves_no_job_waiting(connection: Connection) -> None:
    run = open_run(connection, only="matching")
    summary = records.close_workflow(connection, run.id, {"Error": "States.Timeout", "Cause": ""})
    assert (summary["status"], summary["error"]) == ("FAILED", "States.Timeout")
    assert {state["status"] for state in summary["jobs"].values()} == {"FAILED", "NOT_STARTED"}


def test_closing_twice_gives_the_same_summary(connection: Connection) -> None:
    run = open_run(connection, only="trending")
    records.end_job(connection, run.id, "trending", DONE, None)
    first = records.close_workflow(connection, run.id, None)
    assert first == records.close_workflow(connection, run.id, None)
    assert (first["status"], first["processed"], first["written"]) == ("SUCCEEDED", 4, 2)


def test_no_job_of_a_closed_run_is_started(connection: Connection) -> None:
    run = open_run(connection, only="matching")
    records.close_workflow(connection, run.id, None)
    with pytest.raises(RunClosed):
        records.end_job(connection, run.id, "match-scores", DONE, None)


def test_a_failed_job_keeps_what_its_own_run_had_counted(connection: Connection) -> None:
    run = open_run(connection, only="matching")
    execution = run.context["jobs"]["match-scores"]["execution"]
    part = job_run(connection, execution)
    connection.execute('UPDATE "JobRun" SET "written" = 40, "pages" = 3 WHERE "id" = %s', [part])
    cause = '{"Status": "FAILED", "Error": "PagesFailed", "Cause": "1 of 3 pages failed"}'
    records.end_job(connection, run.id, "match-scores", None, {"Error": "States.TaskFailed", "Cause": cause})
    summary = records.close_workflow(connection, run.id, None)
    assert summary["cause"] == "failed: match-scores: PagesFailed: 1 of 3 pages failed. not started: compatibility"
    assert (summary["written"], summary["pages"]) == (40, 3)
    assert summary["jobs"]["match-scores"]["runId"] == str(part)


def test_an_aborted_job_is_named_by_how_it_ended(connection: Connection) -> None:
    run = open_run(connection, only="trending")
    records.end_job(
        connection, run.id, "trending", None, {"Error": "States.TaskFailed", "Cause": '{"Status": "ABORTED"}'}
    )
    summary = records.close_workflow(connection, run.id, None)
    assert summary["jobs"]["trending"]["error"] == "ABORTED"
    assert summary["cause"] == "failed: trending: ABORTED"


def test_a_long_error_of_a_job_leaves_room_for_those_of_the_others(connection: Connection) -> None:
    run = open_run(connection, only="trending,user-interest-sets")
    for job in ("trending", "user-interest-sets"):
        records.end_job(connection, run.id, job, None, {"Error": "PagesFailed", "Cause": "x" * 900})
    summary = records.close_workflow(connection, run.id, None)
    assert summary["jobs"]["trending"]["cause"] == "x" * 900
    assert "trending: PagesFailed: xxx" in summary["cause"]
    assert "user-interest-sets: PagesFailed: xxx" in summary["cause"]
    assert len(summary["cause"]) < 400


def test_a_run_whose_job_is_at_work_is_not_taken_for_dead_however_long_that_takes(connection: Connection) -> None:
    run = open_run(connection, only="matching")
    job_run(connection, run.context["jobs"]["match-scores"]["execution"])
    grow_old(connection, run.id)
    assert isinstance(opened(connection, EXECUTION + "2", only="matching"), runs.AlreadyRunning)


def test_a_run_without_a_job_at_work_is_taken_over_and_goes_no_further(connection: Connection) -> None:
    run = open_run(connection, only="matching")
    part = job_run(connection, run.context["jobs"]["match-scores"]["execution"])
    grow_old(connection, run.id)
    connection.execute("""UPDATE "JobRun" SET "status" = 'SUCCEEDED' WHERE "id" = %s""", [part])
    other = open_run(connection, EXECUTION + "2", only="matching")
    assert other.id != run.id
    with pytest.raises(RunClosed):
        records.end_job(connection, run.id, "match-scores", DONE, None)


def job_run(connection: Connection, execution: str) -> int:
    """The run that a job of a workflow opens."""
    part = runs.open_run(
        connection,
        job="match-scores",
        scope="all",
        execution=execution,
        trigger="workflow",
        options={},
        stale_seconds=STALE_S,
    )
    return int(part.id)


def grow_old(connection: Connection, run_id: str) -> None:
    old = """UPDATE "JobRun" SET "heartbeatAt" = now() - interval '1 hour' WHERE "id" = %s"""
    connection.execute(old, [int(run_id)])
