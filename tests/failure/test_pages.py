"""Pages that always fail: the others are written, and the run fails and names them, or tolerates them."""

from typing import Any

import pytest

from tests.failure.site import BATCH, PLAN, Rows, Site

REFUSING_TRIGGER = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW."userId" = {} THEN RAISE EXCEPTION 'not %', NEW; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON "MatchList" FOR EACH ROW EXECUTE FUNCTION refuse()
"""
REFUSING_CHECK = 'ALTER TABLE "MatchList" ADD CONSTRAINT "refuse" CHECK ("userId" <> {}) NOT VALID'
REASONS = {
    REFUSING_TRIGGER: "RaiseException: SQLSTATE P0001",
    REFUSING_CHECK: "CheckViolation: SQLSTATE 23514",
}


def viewers(rows: Rows) -> set[int]:
    return {viewer for viewer, _ in rows}


def only(rows: Rows, wanted: set[int]) -> Rows:
    return {key: row for key, row in rows.items() if key[0] in wanted}


def snapshot_key(site: Site) -> str:
    [(key,)] = site.query("""SELECT "context" ->> 'snapshot' FROM "JobRun" ORDER BY "id" DESC LIMIT 1""")
    return str(key)


@pytest.mark.parametrize("refusal", REASONS)
def test_one_page_that_always_fails_is_named_and_the_others_are_written(
    site: Site, clean: Rows, viewer: int, refusal: str
) -> None:
    site.query(refusal.format(viewer))
    ended = site.run()
    [(page, error, detail)] = site.failed_pages()
    assert (error, detail) == ("DatabaseFailure", REASONS[refusal])
    assert (ended.status, ended.error) == ("FAILED", "PagesFailed")
    pages = -(-site.query('SELECT count(*) FROM "User" WHERE "deletedAt" IS NULL')[0][0] // 40)
    cause = f"1 of {pages} pages failed, 0 tolerated. First: page {page}: {detail}"
    assert ended.cause == cause
    assert site.run_rows() == [("all", "FAILED", f"PagesFailed: {cause}")]
    assert site.errors(BATCH) == [f"DatabaseFailure: {detail}"]  # tried once: a retry could not help
    stored = site.rows()
    assert viewer not in viewers(stored)
    assert 0 < len(viewers(clean)) - len(viewers(stored)) <= 40
    assert stored == only(clean, viewers(stored))
    site.assert_whole()


def test_a_failed_page_that_is_tolerated_is_counted_and_the_run_succeeds(site: Site, viewer: int) -> None:
    site.query(REFUSING_TRIGGER.format(viewer))
    ended = site.run(tolerateFailures=1)
    assert (ended.status, ended.output["status"], ended.output["failedPages"]) == ("SUCCEEDED", "SUCCEEDED", 1)
    assert [row[:2] for row in site.run_rows()] == [("all", "SUCCEEDED")]
    assert [row[1:] for row in site.failed_pages()] == [("DatabaseFailure", "RaiseException: SQLSTATE P0001")]


def test_the_viewers_of_a_failed_page_keep_the_rows_they_had(site: Site, clean: Rows, viewer: int) -> None:
    assert site.run().status == "SUCCEEDED"
    site.query(REFUSING_TRIGGER.format(viewer))
    site.query("""UPDATE "Profile" SET "isVisible" = false WHERE "userId" % 5 = 0""")
    assert site.run().status == "FAILED"
    site.assert_whole()
    assert viewers(site.rows()) == viewers(clean)
    assert site.rows_of(viewer) == only(clean, {viewer})


def test_once_its_cause_is_mended_the_next_run_leaves_what_a_clean_one_leaves(
    site: Site, clean: Rows, viewer: int
) -> None:
    site.query(REFUSING_TRIGGER.format(viewer))
    assert site.run().status == "FAILED"
    site.query('DROP TRIGGER refuse ON "MatchList"')
    assert site.run().status == "SUCCEEDED"
    assert site.rows() == clean


def test_a_snapshot_that_vanishes_during_the_run_fails_it_by_its_name(site: Site, clean: Rows) -> None:
    bucket = site.machine.template.buckets["WorkBucket"].name

    def vanish() -> None:
        site.machine.client("s3").delete_object(Bucket=bucket, Key=snapshot_key(site))

    site.after_plan(vanish)
    ended = site.run()
    assert (ended.status, ended.error) == ("FAILED", "PagesFailed")
    assert f"work file {snapshot_key(site)} is not there" in (ended.cause or "")
    assert {error for _, error, _ in site.failed_pages()} == {"DataUnavailable"}
    assert site.rows() == {}
    site.listener = None
    assert site.run().status == "SUCCEEDED"
    assert site.rows() == clean


@pytest.mark.parametrize("damage", [b"", b"not a snapshot", "half"])
def test_a_snapshot_that_is_damaged_fails_the_run_and_writes_nothing(site: Site, damage: Any) -> None:
    bucket = site.machine.template.buckets["WorkBucket"].name
    s3 = site.machine.client("s3")

    def overwrite() -> None:
        key = snapshot_key(site)
        whole = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        s3.put_object(Bucket=bucket, Key=key, Body=whole[: len(whole) // 2] if damage == "half" else damage)

    site.after_plan(overwrite)
    ended = site.run()
    assert (ended.status, ended.error) == ("FAILED", "PagesFailed")
    assert f"work file {snapshot_key(site)}" in (ended.cause or "")
    assert {error for _, error, _ in site.failed_pages()} == {"DataUnavailable"}
    assert site.rows() == {}


def test_a_table_that_is_missing_fails_the_run_that_was_opened_with_the_command_that_helps(
    site: Site, clean: Rows
) -> None:
    site.query('ALTER TABLE "UserTrait" RENAME TO "Elsewhere"')
    ended = site.run()
    assert (ended.status, ended.error) == ("FAILED", "InvalidInput")
    assert ended.cause is not None
    assert '"UserTrait" does not exist' in ended.cause
    assert "`sitejobs check` lists what the database lacks" in ended.cause
    assert "stackTrace" not in ended.cause
    assert site.run_rows() == [("all", "FAILED", f"InvalidInput: {ended.cause}")]
    site.query('ALTER TABLE "Elsewhere" RENAME TO "UserTrait"')
    assert site.run().status == "SUCCEEDED"
    assert site.rows() == clean


@pytest.mark.parametrize(
    ("given", "named"),
    [({"batchSize": 0}, "batchSize must be a whole number from 1 to 10000, not 0"), ({"colour": 1}, "colour")],
)
def test_wrong_options_fail_the_execution_by_their_names_before_there_is_a_run(
    site: Site, given: dict[str, Any], named: str
) -> None:
    ended = site.run(**given)
    assert (ended.status, ended.error) == ("FAILED", "InvalidInput")
    assert named in (ended.cause or "")
    assert site.run_rows() == []


@pytest.mark.parametrize("user_id", [2**63 - 1, "999999"])
def test_a_user_who_does_not_exist_is_no_failure_but_is_said(site: Site, user_id: Any) -> None:
    ended = site.run(userId=user_id)
    assert (ended.status, ended.output["pages"], ended.output["written"]) == ("SUCCEEDED", 0, 0)
    assert ended.output["message"] == f"user {user_id} does not exist"
    assert site.errors(PLAN) == []
    assert site.query('SELECT count(*) FROM "MatchScoreViewer"') == [(0,)]
