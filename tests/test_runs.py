"""JobRun's rows, against a real PostgreSQL: who may run, what is counted, how it ends; every call may come twice."""

import threading
from collections.abc import Iterator

import pytest
from psycopg import Connection

from sitejobs.errors import RunClosed, Transient
from sitejobs.jobs import runs
from sitejobs.jobs.runs import AlreadyRunning, OpenRun
from sitejobs.postgres.connection import connect, translated_errors
from sitejobs_local.database.postgres import Server
from tests.databases import site_database
from tests.job_runs import STALE_SECONDS, make_old, opened, opening, row_of


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


# ---- opening


def test_a_run_is_opened_with_what_it_was_asked_for(database: Connection) -> None:
    run = opened(database, "one", scope="user:8", trigger="schedule", options={"userId": 8})
    row = row_of(database, run.id)
    assert (row["job"], row["scope"], row["execution"]) == ("toy", "user:8", "one")
    assert (row["trigger"], row["options"], row["status"]) == ("schedule", {"userId": 8}, "RUNNING")
    assert row["startedAt"] == run.started_at


def test_an_execution_that_opens_its_run_again_finds_it_with_its_context(database: Connection) -> None:
    first = opened(database)
    runs.set_context(database, first.id, {"snapshot": "key"})
    assert opened(database) == OpenRun(first.id, first.started_at, {"snapshot": "key"})
    assert database.execute('SELECT count(*) FROM "JobRun"').fetchone() == (1,)


def test_a_second_execution_is_told_which_run_is_in_its_way(database: Connection) -> None:
    first = opened(database)
    assert opening(database, "two") == AlreadyRunning(first.id, first.started_at)
    assert runs.run_of(database, "two") is None


def test_other_jobs_and_scopes_run_beside_it(database: Connection) -> None:
    ids = {opened(database, "one").id, opened(database, "two", scope="user:8").id, opened(database, "3", job="b").id}
    assert len(ids) == 3


def test_once_closed_the_next_one_may_run(database: Connection) -> None:
    runs.close_run(database, opened(database).id, None)
    assert opened(database, "two")


def test_a_run_not_heard_of_for_too_long_is_taken_over_and_says_so(database: Connection) -> None:
    dead = opened(database)
    make_old(database, dead.id)
    opened(database, "two")
    row = row_of(database, dead.id)
    assert (row["status"], row["error"]) == ("DIED", "no heartbeat: taken over by a later run")
    assert row["finishedAt"] is not None


def test_a_heartbeat_far_ahead_of_the_clock_holds_nobody_up(database: Connection) -> None:
    run = opened(database)
    make_old(database, run.id, -365 * 86_400)
    opened(database, "two")
    assert row_of(database, run.id)["status"] == "DIED"


def test_a_page_moves_a_heartbeat_that_is_ahead_back(database: Connection) -> None:
    run = opened(database)
    make_old(database, run.id, -365 * 86_400)
    runs.check_alive(database, run.id)
    assert isinstance(opening(database, "two"), AlreadyRunning)


def test_a_run_heard_of_in_time_is_left_alone(database: Connection) -> None:
    alive = opened(database)
    make_old(database, alive.id, STALE_SECONDS - 5)
    assert isinstance(opening(database, "two"), AlreadyRunning)
    assert row_of(database, alive.id)["status"] == "RUNNING"


def test_an_old_run_of_another_scope_is_left_alone(database: Connection) -> None:
    other = opened(database, scope="user:8")
    make_old(database, other.id)
    opened(database, "two")
    assert row_of(database, other.id)["status"] == "RUNNING"


def test_an_execution_whose_run_was_closed_may_not_go_on(database: Connection) -> None:
    run = opened(database)
    runs.close_run(database, run.id, None)
    with pytest.raises(RunClosed, match=f"run {run.id} of this execution was closed as SUCCEEDED"):
        opening(database)


@pytest.mark.parametrize("dead", [False, True])
def test_of_many_that_start_at_once_one_runs(site_url: str, database: Connection, dead: bool) -> None:
    if dead:
        make_old(database, opened(database, "dead").id)
    together = threading.Barrier(8)
    results: list[OpenRun | AlreadyRunning] = []

    def start(number: int) -> None:
        with connect(site_url) as connection:
            together.wait()
            results.append(opening(connection, f"execution {number}"))

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [running] = [result for result in results if isinstance(result, OpenRun)]
    assert [result.id for result in results if isinstance(result, AlreadyRunning)] == [running.id] * 7


def test_calls_at_once_for_one_execution_open_one_run(site_url: str, database: Connection) -> None:
    together = threading.Barrier(6)
    ids: list[str] = []

    def start() -> None:
        with connect(site_url) as connection:
            together.wait()
            ids.append(opened(connection).id)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 6
    assert len(set(ids)) == 1


def test_in_a_database_of_strict_isolation_the_loser_of_a_race_may_try_again(
    site_url: str, database: Connection
) -> None:
    with connect(site_url) as other:
        other.execute("SET default_transaction_isolation = 'repeatable read'")
        with pytest.raises(Transient, match="40001"), translated_errors(), other.transaction():
            other.execute("SELECT 1")
            opened(database)
            opening(other, "two")
        assert isinstance(opening(other, "two"), AlreadyRunning)


# ---- while it runs


def test_a_heartbeat_that_is_due_is_moved_and_no_other(database: Connection) -> None:
    run = opened(database)
    before = row_of(database, run.id)["heartbeatAt"]
    runs.check_alive(database, run.id)
    assert row_of(database, run.id)["heartbeatAt"] == before
    make_old(database, run.id, runs.HEARTBEAT_SECONDS + 1)
    runs.check_alive(database, run.id)
    assert row_of(database, run.id)["heartbeatAt"] > before


@pytest.mark.parametrize("end", ["closed", "taken over"])
def test_pages_of_a_run_that_ended_may_not_write(database: Connection, end: str) -> None:
    run = opened(database)
    if end == "closed":
        runs.close_run(database, run.id, None)
    else:
        make_old(database, run.id)
        opened(database, "two")
    with pytest.raises(RunClosed, match=f"run {run.id} is (SUCCEEDED|DIED)"):
        runs.check_alive(database, run.id)


def test_pages_of_a_run_that_is_gone_may_not_write(database: Connection) -> None:
    with pytest.raises(RunClosed, match="run 404 is gone"):
        runs.check_alive(database, "404")
