"""Workers and whole machines killed in the middle of their work."""

import subprocess
import time
from pathlib import Path

from tests.failure.site import BATCH, LONGER_THAN_A_LOOK_MS, PLAN, Rows, Site
from tests.local.command import PROGRAM, environment

OF_ONE_USER = 'NEW."userId" = {}'


def test_a_worker_killed_before_it_writes_leaves_what_a_clean_run_leaves(site: Site, clean: Rows) -> None:
    with site.lock('LOCK TABLE "UserBlock" IN ACCESS EXCLUSIVE MODE') as gate:
        site.after_plan(gate.close)
        execution = site.start()
        gate.wait(2)
        site.kill_workers(BATCH)
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    site.assert_killed(BATCH, 2)
    assert site.rows() == clean


def test_a_worker_killed_while_it_copies_rows_leaves_what_a_clean_run_leaves(
    site: Site, clean: Rows, viewer: int
) -> None:
    with site.gate("MatchList", OF_ONE_USER.format(viewer)) as gate:
        execution = site.start()
        gate.wait()
        site.kill_workers(BATCH)
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    site.assert_killed(BATCH, 1)
    assert site.rows() == clean
    assert site.failed_pages() == []


def test_a_worker_killed_after_its_page_was_written_writes_it_again(site: Site, clean: Rows) -> None:
    execution = site.start(batchSize=1000, pauseMs=LONGER_THAN_A_LOOK_MS)
    written = 'SELECT count(*) FROM "MatchList"'
    while site.query(written) == [(0,)]:
        time.sleep(0.01)
    site.kill_workers(BATCH)
    ended = site.wait(execution)
    site.assert_killed(BATCH, 1)
    assert (ended.status, ended.output["written"]) == ("SUCCEEDED", len(clean))
    assert site.rows() == clean


def test_a_plan_killed_while_it_reads_the_site_is_made_again_for_the_same_run(site: Site, clean: Rows) -> None:
    with site.lock('LOCK TABLE "UserInterest" IN ACCESS EXCLUSIVE MODE') as gate:
        gate.close()
        execution = site.start()
        gate.wait()
        site.kill_workers(PLAN)
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    site.assert_killed(PLAN, 1)
    assert [row[:2] for row in site.run_rows()] == [("all", "SUCCEEDED")]
    assert site.rows() == clean


def test_a_plan_that_is_killed_every_time_fails_the_run_that_it_opened_and_frees_its_place(
    site: Site, clean: Rows
) -> None:
    with site.lock('LOCK TABLE "UserInterest" IN ACCESS EXCLUSIVE MODE') as gate:
        gate.close()
        execution = site.start()
        for _ in range(3):
            [waiting] = gate.wait()
            site.kill_workers(PLAN)
            gate.watcher.execute("SELECT pg_terminate_backend(%s, 5000)", [waiting])
        gate.open()
    ended = site.wait(execution)
    assert (ended.status, ended.error) == ("FAILED", "Runtime.ExitError")
    [(scope, status, error)] = site.run_rows()
    assert (scope, status) == ("all", "FAILED")
    assert error.startswith("Runtime.ExitError: ")
    assert site.run().status == "SUCCEEDED"
    assert site.rows() == clean


def test_a_page_whose_worker_dies_every_time_fails_alone_and_is_named(site: Site, clean: Rows, viewer: int) -> None:
    """As when it runs out of memory."""
    with site.gate("MatchList", OF_ONE_USER.format(viewer)) as gate:
        execution = site.start(maxConcurrency=1)
        for _ in range(3):
            [waiting] = gate.wait()
            site.kill_workers(BATCH)
            gate.watcher.execute("SELECT pg_terminate_backend(%s, 5000)", [waiting])
        ended = site.wait(execution)
    assert (ended.status, ended.error) == ("FAILED", "PagesFailed")
    [(page, error, _)] = site.failed_pages()
    assert error == "Runtime.ExitError"
    assert f"1 of {len(pages_of(site))} pages failed, 0 tolerated. First: page {page}: {error}" in (ended.cause or "")
    site.assert_whole()
    stored = site.rows()
    assert viewer not in {row[0] for row in stored}
    assert stored == {key: row for key, row in clean.items() if key[0] in {row[0] for row in stored}}


def pages_of(site: Site) -> set[int]:
    return {event.event["page"]["page"] for event in site.events if event.function == site.function(BATCH)}


def test_a_machine_killed_in_the_middle_of_a_run_is_taken_over_and_its_run_called_dead(
    site: Site, clean: Rows, tmp_path: Path
) -> None:
    env = environment(DATABASE_URL=site.url, SITEJOBS_HOME=str(tmp_path))
    command = [*PROGRAM, "match-scores", "--batchSize=10", "--topK=20", "--pauseMs=300", "--maxConcurrency=1"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not site.query('SELECT 1 FROM "MatchScoreViewer" LIMIT 1'):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    second = site.run()
    assert (second.status, second.output["status"]) == ("SUCCEEDED", "ALREADY_RUNNING")
    site.age()
    third = site.run()
    assert (third.status, third.output["status"]) == ("SUCCEEDED", "SUCCEEDED")
    assert [row[:2] for row in site.run_rows()] == [("all", "DIED"), ("all", "SUCCEEDED")]
    assert site.rows() == clean
