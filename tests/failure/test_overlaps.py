"""Overlapping runs: of the same scope, of different scopes with the same viewers, and runs taken for dead."""

import time

import pytest

from tests.failure.site import BATCH, FINISH, RECORD, Rows, Site
from tests.limits import PATIENCE_S

OF_THE_FIRST_RUN = """NEW."userId" = {} AND NEW."scoredAt" = (SELECT min("startedAt") FROM "JobRun")"""
_SCOPE_OF_ROWS = """
SELECT DISTINCT m."userId", r."scope" FROM "MatchScore" m LEFT JOIN "JobRun" r ON r."startedAt" = m."scoredAt"
"""


@pytest.fixture
def live(site: Site) -> Site:
    """A site whose runs start at the real time."""
    site.real_clock()
    return site


def scopes(site: Site) -> dict[int, str]:
    """Viewer -> scope of the run whose rows are stored for it."""
    pairs = site.query(_SCOPE_OF_ROWS)
    assert len(pairs) == len(dict(pairs)), "a viewer has rows of two runs"
    return dict(pairs)


def ended_of(site: Site, executions: list[str], number: int) -> list[str]:
    """Wait until this many of the executions have ended; returns them."""
    deadline = time.monotonic() + PATIENCE_S
    while len(ended := [one for one in executions if site.machine.describe(one).status != "RUNNING"]) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return ended


def test_a_second_run_ends_at_once_names_the_first_and_leaves_it_alone(live: Site, clean: Rows, viewer: int) -> None:
    with live.gate("MatchList", f'NEW."userId" = {viewer}') as gate:
        first = live.start()
        gate.wait()
        second = live.run()
        gate.open()
    assert (second.status, second.output["status"]) == ("SUCCEEDED", "ALREADY_RUNNING")
    [(run_id,)] = live.query('SELECT "id" FROM "JobRun"')
    assert f"match-scores is already running for all: run {run_id}, started " in second.output["message"]
    ended = live.wait(first)
    assert (ended.status, ended.output["written"]) == ("SUCCEEDED", len(clean))
    live.assert_whole()


def test_of_runs_started_at_once_one_runs(live: Site, clean: Rows, viewer: int) -> None:
    with live.gate("MatchList", f'NEW."userId" = {viewer}') as gate:
        executions = [live.start() for _ in range(4)]
        turned_away = ended_of(live, executions, 3)
        gate.wait()
        assert [live.wait(one).output["status"] for one in turned_away] == ["ALREADY_RUNNING"] * 3
        gate.open()
    [remaining] = set(executions) - set(turned_away)
    assert live.wait(remaining).output["written"] == len(clean)
    assert [row[:2] for row in live.run_rows()] == [("all", "SUCCEEDED")]
    live.assert_whole()


def test_an_older_runs_late_page_leaves_a_newer_runs_rows_alone(live: Site, clean: Rows, viewer: int) -> None:
    with live.gate("MatchScoreViewer", OF_THE_FIRST_RUN.format(viewer)) as gate:
        everyone = live.start()
        gate.wait()
        assert live.run(userId=viewer).output["written"] > 0
        newer = live.rows_of(viewer)
        gate.open()
    ended = live.wait(everyone)
    assert (ended.status, ended.output["reasons"].get("superseded")) == ("SUCCEEDED", 1)
    assert live.rows_of(viewer) == newer
    assert {one: scope for one, scope in scopes(live).items() if scope != "all"} == {viewer: f"user:{viewer}"}
    live.assert_whole()


def test_an_older_run_of_one_user_that_comes_late_writes_nothing_and_says_so(
    live: Site, clean: Rows, viewer: int
) -> None:
    with live.gate("MatchScoreViewer", OF_THE_FIRST_RUN.format(viewer)) as gate:
        one = live.start(userId=viewer)
        gate.wait()
        assert live.run().output["written"] == len(clean)
        gate.open()
    ended = live.wait(one)
    assert (ended.status, ended.output["written"]) == ("SUCCEEDED", 0)
    assert ended.output["message"] == "nothing written: 1 processed (superseded 1)"
    assert set(scopes(live).values()) == {"all"}
    live.assert_whole()


def test_a_newer_run_that_waits_for_an_older_ones_page_replaces_it(live: Site, clean: Rows, viewer: int) -> None:
    with live.gate("MatchList", f"{OF_THE_FIRST_RUN.format(viewer)}") as gate:
        everyone = live.start()
        gate.wait()
        one = live.start(userId=viewer)
        gate.wait(2)
        gate.open()
    assert [live.wait(each).status for each in (everyone, one)] == ["SUCCEEDED"] * 2
    assert live.errors(BATCH) == []
    assert scopes(live)[viewer] == f"user:{viewer}"
    live.assert_whole()


def test_runs_of_all_kinds_at_once_neither_deadlock_nor_mix_their_rows(live: Site, clean: Rows) -> None:
    viewers = sorted({key[0] for key in clean})[::60]
    executions = [live.start(maxConcurrency=3, batchSize=30), *(live.start(userId=viewer) for viewer in viewers)]
    assert [live.wait(one).status for one in executions] == ["SUCCEEDED"] * len(executions)
    assert live.errors(BATCH) == []
    started = dict(live.query('SELECT "scope", "startedAt" FROM "JobRun"'))
    stored = scopes(live)
    assert set(stored) == {key[0] for key in clean}
    for viewer in viewers:
        newest = max(("all", f"user:{viewer}"), key=lambda scope: started[scope])
        assert stored[viewer] == newest
    live.assert_whole()


def test_a_run_taken_for_dead_writes_no_more_and_fails(live: Site, clean: Rows) -> None:
    # A page's first viewer: the page holds no lock yet that the newer run would wait for.
    with live.gate("MatchScoreViewer", """NEW."scoredAt" = (SELECT min("startedAt") FROM "JobRun")""") as gate:
        dead = live.start(maxConcurrency=1)
        gate.wait()
        live.age()
        newer = live.run()
        assert (newer.status, newer.output["written"]) == ("SUCCEEDED", len(clean))
        rows = live.rows()
        gate.open()
        ended = live.wait(dead)
    assert (ended.status, ended.error) == ("FAILED", "RunClosed")
    assert "taken over by a later run" in (live.run_rows()[0][2] or "")
    assert [row[:2] for row in live.run_rows()] == [("all", "DIED"), ("all", "SUCCEEDED")]
    late = live.errors(BATCH)
    assert late
    assert all(error.startswith("RunClosed: ") and "DIED: its pages no longer write" in error for error in late)
    assert [error.startswith("RunClosed: ") for error in live.errors(RECORD)] == [True]
    assert live.rows() == rows
    live.assert_whole()


def test_a_page_that_was_computing_while_its_run_was_closed_writes_nothing(live: Site) -> None:
    """As when the execution was stopped by hand, or the run taken over before this page's viewers were written."""
    with live.lock('LOCK TABLE "UserBlock" IN ACCESS EXCLUSIVE MODE') as gate:
        live.after_plan(gate.close)
        execution = live.start()
        gate.wait(2)
        [(run_id, arn)] = live.query('SELECT "id"::text, "execution" FROM "JobRun"')
        stopped = {"Error": "Stopped", "Cause": "by hand"}
        live.call(FINISH, {"run": {"id": run_id}, "execution": arn, "error": stopped})
        gate.open()
    ended = live.wait(execution)
    assert (ended.status, ended.error) == ("FAILED", "RunClosed")
    assert live.run_rows() == [("all", "FAILED", "Stopped: by hand")]
    assert all(error.startswith("RunClosed: ") for error in live.errors(BATCH))
    assert live.rows() == {}
    assert live.query('SELECT count(*) FROM "MatchScoreViewer"') == [(0,)]
