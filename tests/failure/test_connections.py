"""Database trouble during a run: sessions ended, locks held, logins refused, the server crashed."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from sitejobs_local.database.postgres import running_postgres
from tests.conftest import make_home, remove_home
from tests.failure.conftest import fill
from tests.failure.site import BATCH, FINISH, OPTIONS, PLAN, RECORD, Rows, Site
from tests.limits import PATIENCE_S
from tests.local.command import PROGRAM, environment

OF_ONE_USER = 'NEW."userId" = {}'
LOCK_VIEWER = 'SELECT FROM "MatchScoreViewer" WHERE "userId" = {} FOR UPDATE'
# The client may fail to send before it reads why the session has ended.
ENDED = ("Transient: AdminShutdown: SQLSTATE 57P01", "Transient: OperationalError: connection lost or not made")
ONE_PAGE = {"batchSize": 1000}


def test_a_page_whose_session_is_ended_while_it_copies_is_written_again(site: Site, clean: Rows, viewer: int) -> None:
    with site.gate("MatchList", OF_ONE_USER.format(viewer)) as gate:
        execution = site.start()
        [waiting, *_] = gate.wait()
        gate.watcher.execute("SELECT pg_terminate_backend(%s, 5000)", [waiting])
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    [error] = site.errors(BATCH)
    assert error in ENDED
    assert site.rows() == clean
    assert site.failed_pages() == []


def test_sessions_ended_between_two_pages_go_unnoticed(site: Site, clean: Rows) -> None:
    ended: list[int] = []
    site.after_plan(lambda: ended.append(site.end_sessions()))
    assert site.run().status == "SUCCEEDED"
    assert ended[0] >= 1
    assert site.errors(BATCH) == []
    assert site.rows() == clean


def test_the_loser_of_a_deadlock_is_written_again(site: Site, clean: Rows) -> None:
    site.set_database("deadlock_timeout = '200ms'")
    first, last = min(clean)[0], max(clean)[0]
    assert site.run(**ONE_PAGE).status == "SUCCEEDED"
    with site.lock(f"SET LOCAL deadlock_timeout = '1min'; {LOCK_VIEWER.format(last)}") as gate:
        gate.close()
        execution = site.start(**ONE_PAGE)
        gate.wait()
        gate.holder.execute(LOCK_VIEWER.format(first).encode())
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    assert site.errors(BATCH) == ["Transient: DeadlockDetected: SQLSTATE 40P01"]
    assert site.rows() == clean


def test_a_page_that_cannot_be_put_in_order_with_another_transaction_is_written_again(
    site: Site, clean: Rows, viewer: int
) -> None:
    site.set_database("default_transaction_isolation = 'serializable'")
    assert site.run(**ONE_PAGE).status == "SUCCEEDED"
    changed = f'UPDATE "MatchScoreViewer" SET "skipped" = NULL WHERE "userId" = {viewer}'
    with site.lock(changed) as gate:
        gate.close()
        execution = site.start(**ONE_PAGE)
        gate.wait()
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    assert site.errors(BATCH) == ["Transient: SerializationFailure: SQLSTATE 40001"]
    assert site.rows() == clean


def test_a_lock_that_is_not_had_in_time_is_asked_for_again(site: Site, clean: Rows, viewer: int) -> None:
    site.set_database("lock_timeout = '50ms'")
    assert site.run(**ONE_PAGE).status == "SUCCEEDED"
    refused = threading.Event()
    with site.lock(LOCK_VIEWER.format(viewer)) as gate:
        gate.close()
        site.listener = lambda event: refused.set() if event.error is not None else None
        execution = site.start(**ONE_PAGE)
        assert refused.wait(PATIENCE_S)
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    assert set(site.errors(BATCH)) == {"Transient: LockNotAvailable: SQLSTATE 55P03"}
    assert site.rows() == clean


@pytest.mark.parametrize("function", [PLAN, BATCH, RECORD, FINISH])
def test_a_database_that_is_away_for_a_moment_costs_nothing_but_time(site: Site, clean: Rows, function: str) -> None:
    site.away_during_first(function)
    ended = site.run(maxConcurrency=1)
    assert (ended.status, ended.output["written"]) == ("SUCCEEDED", len(clean))
    assert [error.startswith("Transient: ") for error in site.errors(function)] == [True]
    assert site.rows() == clean
    assert site.failed_pages() == []


def test_a_server_that_crashes_while_rows_are_copied_is_found_again(clean: Rows, viewer: int, tmp_path: Path) -> None:
    """When one of its processes is killed, the server restarts by itself and refuses logins meanwhile."""
    home = make_home()
    with running_postgres(home) as server:
        elsewhere = Site(server, server.url, tmp_path / "nothing.log")
        fill(server.url)
        elsewhere.set_database("synchronous_commit = 'on'")
        env = environment(DATABASE_URL=server.url, SITEJOBS_HOME=str(tmp_path))
        command = [*PROGRAM, "match-scores", "--json", *(f"--{name}={value}" for name, value in OPTIONS.items())]
        with elsewhere.gate("MatchList", OF_ONE_USER.format(viewer)) as gate:
            process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
            [waiting, *_] = gate.wait()
            os.kill(waiting, signal.SIGKILL)
            output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output
        assert json.loads(output)["failedPages"] == 0
        assert elsewhere.rows() == clean
        [log] = tmp_path.glob("logs*/match-scores.log")
        assert "Transient" in log.read_text()
    remove_home(home)
