"""Runs that take the snapshot in parts, disturbed while they do."""

from collections.abc import Callable
from pathlib import Path

from tests.failure.conftest import NOW
from tests.failure.site import BATCH, OPTIONS, PLAN, Rows, Site
from tests.matching.running import Site as InOnePiece
from tests.parts.conftest import PARTS


def test_a_run_in_parts_leaves_what_a_run_in_one_piece_leaves(site: Site, clean: Rows, tmp_path: Path) -> None:
    ended = site.run()
    [(pages, failed, context)] = site.query('SELECT "pages", "failedPages", "context" FROM "JobRun"')
    assert (ended.status, failed, context["parts"]) == ("SUCCEEDED", 0, PARTS)
    assert pages == ended.output["pages"] == PARTS + -(-context["users"] // OPTIONS["batchSize"])
    assert ended.output["written"] == len(clean)
    assert site.rows() == clean
    site.assert_whole()
    site.query('TRUNCATE "MatchList", "MatchScoreViewer"')
    assert InOnePiece(site.url, tmp_path).run(NOW, OPTIONS).parts == 0
    assert site.rows() == clean


def test_a_worker_killed_while_it_reads_a_part_reads_it_again(site: Site, clean: Rows) -> None:
    with site.lock('LOCK TABLE "UserInterest" IN ACCESS EXCLUSIVE MODE') as gate:
        site.after_plan(once(gate.close))
        execution = site.start()
        gate.wait(2)
        site.kill_workers(BATCH)
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    site.assert_killed(BATCH, 2)
    assert site.failed_pages() == []
    assert site.rows() == clean


def test_a_merge_killed_in_the_middle_is_made_again(site: Site, clean: Rows) -> None:
    with site.lock('LOCK TABLE "MatchScoreViewer" IN ACCESS EXCLUSIVE MODE') as gate:
        site.after_plan(once(gate.close))
        execution = site.start()
        gate.wait()
        site.kill_workers(PLAN)
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    site.assert_killed(PLAN, 1)
    assert site.rows() == clean


def test_a_part_that_fails_for_good_fails_the_run_and_says_which(site: Site) -> None:
    site.after_plan(once(lambda: site.query('ALTER TABLE "UserTrait" RENAME COLUMN "n" TO "m"')))
    ended = site.run()
    assert (ended.status, ended.error) == ("FAILED", "DataUnavailable")
    assert [page[:2] for page in site.failed_pages()] == [(n, "InvalidInput") for n in range(1, PARTS + 1)]
    assert "the run's failed pages say why" in str(ended.cause)
    assert site.rows() == {}
    site.query('ALTER TABLE "UserTrait" RENAME COLUMN "m" TO "n"')
    site.real_clock()
    again = site.run(incremental=True)
    assert (again.status, again.output["message"]) == (
        "SUCCEEDED",
        "no earlier run to compare with: everyone was computed",
    )


def test_a_run_stopped_while_parts_are_taken_frees_its_place(site: Site, clean: Rows) -> None:
    with site.lock('LOCK TABLE "UserInterest" IN ACCESS EXCLUSIVE MODE') as gate:
        site.after_plan(once(gate.close))
        execution = site.start()
        gate.wait(2)
        site.machine.stop(execution)
        site.kill_workers(BATCH)
        gate.open()
    assert site.wait(execution).status == "ABORTED"
    site.listener = None
    again = site.run()
    assert (again.status, again.output["status"]) == ("SUCCEEDED", "SUCCEEDED")
    assert site.rows() == clean


def test_two_runs_at_once_keep_to_their_own_parts(site: Site, clean: Rows, viewer: int) -> None:
    with site.lock('LOCK TABLE "UserInterest" IN ACCESS EXCLUSIVE MODE') as gate:
        site.after_plan(once(gate.close))
        first = site.start()
        gate.wait(2)
        of_one = site.start(userId=str(viewer))
        gate.wait(3)
        turned_away = site.run()
        gate.open()
    ended = [site.wait(one) for one in (first, of_one)]
    assert [one.output["status"] for one in (*ended, turned_away)] == ["SUCCEEDED", "SUCCEEDED", "ALREADY_RUNNING"]
    assert site.rows() == clean


def once(change: Callable[[], object]) -> Callable[[], object]:
    """The change at the first call, nothing at later ones."""
    left = [change]
    return lambda: left.pop()() if left else None
