"""A disturbed incremental run has the result of an undisturbed run for everyone."""

import time

from tests.failure.site import BATCH, LONGER_THAN_A_LOOK_MS, Rows, Site

CHANGES = """
UPDATE "Profile" SET "lat" = 48.2, "lng" = 16.37, "updatedAt" = '2026-05-31' WHERE "userId" % 11 = 0;
UPDATE "UserPreference" SET "preferredAgeMin" = 30 WHERE "userId" % 13 = 0;
UPDATE "Profile" SET "isVisible" = false WHERE "userId" % 17 = 0;
UPDATE "User" SET "deletedAt" = now() WHERE "id" % 19 = 0;
DELETE FROM "UserInterest" WHERE "userId" % 7 = 0
"""
CHANGED = 'SELECT 1 FROM "JobRun" WHERE "context" ? \'changes\''


def assert_as_a_whole_run_would(site: Site, before: Rows) -> None:
    site.assert_whole()
    rows = site.rows()
    assert rows != before
    assert site.query(CHANGED), "no run was incremental"
    assert site.run().status == "SUCCEEDED"
    assert rows == site.rows()


def test_a_worker_killed_while_it_copies_merged_rows_leaves_what_a_whole_run_leaves(site: Site, clean: Rows) -> None:
    assert site.run().status == "SUCCEEDED"
    site.query(CHANGES)
    with site.gate("MatchList", "true") as gate:
        execution = site.start(incremental=True)
        gate.wait()
        site.kill_workers(BATCH)
        gate.open()
    assert site.wait(execution).status == "SUCCEEDED"
    site.assert_killed(BATCH, 1)
    assert_as_a_whole_run_would(site, clean)


def test_a_worker_killed_after_its_merged_rows_were_written_merges_them_again(site: Site, clean: Rows) -> None:
    assert site.run().status == "SUCCEEDED"
    site.query(CHANGES)
    execution = site.start(incremental=True, batchSize=1000, pauseMs=LONGER_THAN_A_LOOK_MS)
    while site.rows() == clean:
        time.sleep(0.01)
    site.kill_workers(BATCH)
    assert site.wait(execution).status == "SUCCEEDED"
    site.assert_killed(BATCH, 1)
    assert_as_a_whole_run_would(site, clean)


def test_pages_that_the_run_before_failed_to_write_are_made_up_for(site: Site, clean: Rows) -> None:
    assert site.run().status == "SUCCEEDED"
    site.query(CHANGES)
    site.query('ALTER TABLE "MatchList" ADD CONSTRAINT "refuse" CHECK ("userId" % 50 <> 0) NOT VALID')
    failed = site.run(incremental=True, tolerateFailures=100)
    assert (failed.status, failed.output["failedPages"] > 0) == ("SUCCEEDED", True)
    site.query('ALTER TABLE "MatchList" DROP CONSTRAINT "refuse"')
    assert site.run(incremental=True).status == "SUCCEEDED"
    assert_as_a_whole_run_would(site, clean)


def test_a_run_that_failed_is_no_basis_to_compare_with(site: Site, clean: Rows) -> None:
    assert site.run().status == "SUCCEEDED"
    site.query(CHANGES)
    site.query('ALTER TABLE "MatchList" ADD CONSTRAINT "refuse" CHECK ("userId" % 50 <> 0) NOT VALID')
    assert site.run(incremental=True).status == "FAILED"
    site.query('ALTER TABLE "MatchList" DROP CONSTRAINT "refuse"')
    assert site.run(incremental=True).status == "SUCCEEDED"
    assert_as_a_whole_run_would(site, clean)


def test_a_basis_that_has_expired_means_everyone(site: Site, clean: Rows) -> None:
    assert site.run().status == "SUCCEEDED"
    bucket = site.machine.template.buckets["WorkBucket"].name
    s3 = site.machine.client("s3")
    for item in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    ended = site.run(incremental=True)
    assert (ended.status, ended.output["written"]) == ("SUCCEEDED", len(clean))
    assert ended.output["message"] == "no earlier run to compare with: everyone was computed"
