"""The site changes between Plan and the pages: the result is that of a run that began after the change."""

import pytest

from tests.failure.site import Rows, Site

CHANGES = {
    "deleted": 'UPDATE "User" SET "deletedAt" = now() WHERE "id" = {0}',
    "without a profile": 'UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = {0}',
    "hidden": 'UPDATE "Profile" SET "isVisible" = false WHERE "userId" = {0}',
    "blocked": 'INSERT INTO "UserBlock" SELECT "id", {0} FROM "User" WHERE "id" % 3 = 0 AND "id" <> {0}',
    "blocking": 'INSERT INTO "UserBlock" SELECT {0}, "id" FROM "User" WHERE "id" % 3 = 0 AND "id" <> {0}',
}
STAY_VIEWERS = {"hidden", "blocked", "blocking"}
STAY_CANDIDATES = {"blocked", "blocking"}


@pytest.fixture
def popular(clean: Rows) -> int:
    """The user who has matches and is in the most people's matches."""
    candidates = [candidate for _, candidate in clean]
    viewers = {viewer for viewer, _ in clean}
    return max(viewers, key=candidates.count)


@pytest.mark.parametrize("change", CHANGES)
def test_a_user_who_changes_during_the_run_ends_as_if_it_had_begun_after(
    site: Site, clean: Rows, popular: int, change: str
) -> None:
    site.query('DELETE FROM "UserBlock" WHERE %s IN ("blockerId", "blockedId")', popular)
    site.after_plan(lambda: site.query(CHANGES[change].format(popular)))
    ended = site.run()
    assert (ended.status, ended.output["failedPages"]) == ("SUCCEEDED", 0)
    rows = site.rows()
    site.assert_whole()
    site.listener = None
    assert site.run().status == "SUCCEEDED"
    assert rows == site.rows()
    assert rows != clean
    assert (popular in {viewer for viewer, _ in rows}) == (change in STAY_VIEWERS)
    assert (popular in {candidate for _, candidate in rows}) == (change in STAY_CANDIDATES)


def test_the_rows_that_a_deleted_user_had_from_an_earlier_run_go(site: Site, clean: Rows, popular: int) -> None:
    assert site.run().status == "SUCCEEDED"
    assert site.rows_of(popular)
    site.after_plan(lambda: site.query(CHANGES["deleted"].format(popular)))
    ended = site.run()
    assert ended.output["reasons"]["deleted"] == 1
    assert site.rows_of(popular) == {}
    assert popular not in {candidate for _, candidate in site.rows()}


def test_a_user_whose_every_row_is_erased_during_the_run_is_left_out(site: Site, clean: Rows, popular: int) -> None:
    site.after_plan(lambda: site.query('DELETE FROM "User" WHERE "id" = %s', popular))
    ended = site.run()
    assert (ended.status, ended.output["reasons"]["deleted"]) == ("SUCCEEDED", 1)
    assert not any(popular in key for key in site.rows())
    site.assert_whole()
