"""Runs of match-scores: removed rows, changes during a run, versions, order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg import Connection

from tests.matching.comparing import assert_rows_equal, assert_viewer_equal, stored_rows, stored_viewers
from tests.matching.oracle import Rules, score_everyone, score_viewer
from tests.matching.oracle_site import read_site
from tests.matching.random_sites import NOW, Draft, SiteRows, draw, someone
from tests.matching.running import Site, as_planned, shuffled
from tests.matching.site_loading import load

HIDE = """UPDATE "Profile" SET "isVisible" = false WHERE "userId" = %s"""
SHOW = """UPDATE "Profile" SET "isVisible" = true WHERE "userId" = %s"""
DELETE_USER = """UPDATE "User" SET "deletedAt" = now() WHERE "id" = %s"""
DELETE_PROFILE = """UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = %s"""
DROP_USER = """DELETE FROM "User" WHERE "id" = %s"""
BLOCK = """INSERT INTO "UserBlock" VALUES (%s, %s) ON CONFLICT DO NOTHING"""


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Site:
    return Site(site_url, tmp_path)


def busiest(connection: Connection, count: int) -> list[int]:
    """The users who are candidates in the most lists."""
    query = """SELECT "candidateUserId" FROM "MatchScore" GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %s"""
    return [row[0] for row in connection.execute(query, [count])]


def assert_as_scored_now(connection: Connection, top_k: int = 200) -> None:
    assert_rows_equal(stored_rows(connection), score_everyone(read_site(connection), NOW), top_k)


@pytest.mark.parametrize("change", [HIDE, DELETE_USER, DELETE_PROFILE])
def test_whoever_vanishes_while_a_run_is_under_way_is_in_nobodys_list(
    site: Connection, machine: Site, change: str
) -> None:
    load(site, draw(1, 40, "one city"))
    machine.run(NOW)
    gone = busiest(site, 6)
    options = {"topK": 5, "batchSize": 7, "candidateBatchSize": 7}
    machine.run(NOW, options, meanwhile=lambda: site.cursor().executemany(change, [(user_id,) for user_id in gone]))
    assert_as_scored_now(site, 5)


def test_a_user_removed_for_good_while_a_run_is_under_way_leaves_nothing(site: Connection, machine: Site) -> None:
    load(site, draw(1, 40, "one city"))
    machine.run(NOW)
    gone = busiest(site, 6)
    drop = [(user_id,) for user_id in gone]
    machine.run(NOW, {"batchSize": 7}, meanwhile=lambda: site.cursor().executemany(DROP_USER, drop))
    lists = {viewer: [item.row.candidate_id for item in rows] for viewer, rows in stored_rows(site).items()}
    wanted = {viewer: rows for viewer, rows in score_everyone(read_site(site), NOW).items() if rows}
    assert {viewer: sorted(ids) for viewer, ids in lists.items()} == {
        viewer: sorted(row.candidate_id for row in rows) for viewer, rows in wanted.items()
    }


def test_a_block_made_while_a_run_is_under_way_holds_for_both_sides(site: Connection, machine: Site) -> None:
    load(site, draw(2, 40, "one city"))
    machine.run(NOW)
    first, *others = busiest(site, 12)
    blocks = [(first, other) for other in others[:5]] + [(other, first) for other in others[5:]]
    machine.run(NOW, {"topK": 5}, meanwhile=lambda: site.cursor().executemany(BLOCK, blocks))
    assert_as_scored_now(site, 5)


def test_a_user_deleted_during_the_run_loses_its_rows_and_the_reason_is_kept(site: Connection, machine: Site) -> None:
    load(site, SiteRows([someone(1), someone(2), someone(3), someone(4)], set()))
    machine.run(NOW)

    def leave() -> None:
        site.execute(DELETE_USER, [1])
        site.execute(DELETE_PROFILE, [2])

    finished = machine.run(NOW, meanwhile=leave)
    skipped = {user_id: row[1] for user_id, row in stored_viewers(site).items()}
    assert skipped == {1: "deleted", 2: "no-profile", 3: None, 4: None}
    assert {user_id: len(rows) for user_id, rows in stored_rows(site).items()} == {3: 1, 4: 1}
    assert finished.reasons == {"deleted": 1, "no-profile": 1}


@pytest.mark.parametrize("change", [DELETE_USER, DELETE_PROFILE, DROP_USER])
def test_rows_of_users_who_are_gone_go_with_the_next_run(site: Connection, machine: Site, change: str) -> None:
    load(site, draw(3, 30, "one city"))
    machine.run(NOW, {"batchSize": 4})
    gone = busiest(site, 5)
    site.cursor().executemany(change, [(user_id,) for user_id in gone])
    machine.run(NOW, {"batchSize": 4}, shuffled(4))
    assert_as_scored_now(site)
    assert not set(gone) & {viewer for viewer, row in stored_viewers(site).items() if row[0]}


def test_a_viewer_left_with_no_candidate_keeps_no_old_rows(site: Connection, machine: Site) -> None:
    load(site, SiteRows([someone(1), someone(2), someone(3)], set()))
    machine.run(NOW)
    site.cursor().executemany(BLOCK, [(1, 2), (3, 1)])
    machine.run(NOW)
    assert set(stored_rows(site)) == {2, 3}
    assert stored_viewers(site)[1] == (0, "no-candidates", NOW, "v1")


def test_fewer_rows_are_wanted_and_fewer_are_left(site: Connection, machine: Site) -> None:
    load(site, draw(4, 30, "mixed"))
    for top_k in (200, 3, 9):
        machine.run(NOW, {"topK": top_k})
        assert_as_scored_now(site, top_k)


def test_a_new_version_replaces_the_old_ones_rows(site: Connection, site_url: str, tmp_path: Path) -> None:
    load(site, draw(5, 30, "mixed"))
    Site(site_url, tmp_path).run(NOW)
    Site(site_url, tmp_path, {"MATCH_ALGO_VERSION": "v2"}).run(NOW + timedelta(minutes=1))
    rows = [item for ranked in stored_rows(site).values() for item in ranked]
    assert {(item.version, item.scored_at) for item in rows} == {("v2", NOW + timedelta(minutes=1))}


def test_a_run_that_began_earlier_replaces_nothing(site: Connection, machine: Site) -> None:
    load(site, draw(6, 30, "mixed"))
    machine.run(NOW)
    before = stored_rows(site)
    finished = machine.run(NOW - timedelta(minutes=1), {"topK": 3})
    assert stored_rows(site) == before
    assert finished.counts["written"] == 0
    assert finished.reasons["superseded"] == finished.counts["processed"]


@pytest.mark.parametrize("only", [{}, {"userId": 7}], ids=["everyone", "one user"])
def test_rows_of_a_time_when_the_clock_was_wrong_are_replaced(
    site: Connection, machine: Site, only: dict[str, int]
) -> None:
    load(site, SiteRows([someone(user_id) for user_id in (6, 7, 8)], set()))
    machine.run(datetime.now(UTC) + timedelta(days=365))
    site.execute(HIDE, [8])
    finished = machine.run(NOW, only)
    assert finished.reasons == {}
    assert finished.counts["written"] == (1 if only else 4)
    assert [(item.row.candidate_id, item.scored_at) for item in stored_rows(site)[7]] == [(6, NOW)]


def test_after_a_run_of_a_wrong_clock_an_incremental_one_sees_what_single_runs_wrote(
    site: Connection, machine: Site
) -> None:
    load(site, draw(13, 12, "one city"))
    machine.run(datetime.now(UTC) + timedelta(days=365))
    viewer = next(iter(stored_rows(site)))
    machine.run(NOW, {"userId": viewer, "topK": 1})
    finished = machine.run(NOW + timedelta(seconds=1), {"incremental": True})
    assert finished.message == "no earlier run to compare with: everyone was computed"
    rows = [item for ranked in stored_rows(site).values() for item in ranked]
    assert {item.scored_at for item in rows} == {NOW + timedelta(seconds=1)}


def test_every_row_says_when_its_run_began(site: Connection, machine: Site) -> None:
    load(site, draw(7, 20, "mixed"))
    odd = NOW.replace(microsecond=123457)
    machine.run(odd)
    rows = [item for ranked in stored_rows(site).values() for item in ranked]
    assert {item.scored_at for item in rows} == {odd}


def test_each_page_may_come_twice(site: Connection, machine: Site) -> None:
    load(site, draw(8, 40, "mixed"))
    machine.run(NOW, {"batchSize": 7}, lambda pages: [*pages, *pages[::-1]])
    assert_as_scored_now(site)


def test_more_pages_than_a_chapter_holds_are_all_planned_once(site: Connection, machine: Site) -> None:
    load(site, SiteRows([Draft(user_id=2 * i) for i in range(1, 541)] + [someone(1), someone(3)], set()))
    finished = machine.run(NOW, {"batchSize": 1}, as_planned)
    assert finished.chapters == 2
    assert [page["page"] for page in finished.pages] == list(range(1, 543))
    assert finished.counts["processed"] == 542
    assert {viewer: len(rows) for viewer, rows in stored_rows(site).items()} == {1: 1, 3: 1}


# One user ---------------------------------------------------------------------------------------------------


def change_everything(connection: Connection, user_id: int) -> None:
    """New data of every kind for the viewer, with keys, interests and quizzes that no user had before."""
    for statement in (
        """UPDATE "Profile" SET "lat" = 48.8, "lng" = 2.3, "locationText" = 'Atlantis' WHERE "userId" = %(id)s""",
        """INSERT INTO "UserPreference" VALUES (%(id)s, 20, 60, 300, '["MALE", "OTHER"]')
           ON CONFLICT ("userId") DO UPDATE SET "preferredAgeMin" = 20, "preferredAgeMax" = 60,
               "preferredDistanceKm" = 300, "preferredGenders" = '["MALE", "OTHER"]'""",
        """INSERT INTO "UserTrait" VALUES (%(id)s, 'quite new', 3, 5), (%(id)s, 'trait-3', 4, 5)
           ON CONFLICT ("userId", "traitKey") DO UPDATE SET "value" = 4""",
        """DELETE FROM "UserTrait" WHERE "userId" = %(id)s AND "traitKey" < 'trait-2'""",
        """INSERT INTO "Interest" VALUES (5000, 1, 'new', 'new') ON CONFLICT DO NOTHING""",
        """INSERT INTO "UserInterest" VALUES (%(id)s, 1, 5000), (%(id)s, 2, 1), (%(id)s, 3, 2)
           ON CONFLICT DO NOTHING""",
        """INSERT INTO "Quiz" VALUES (50, 'new') ON CONFLICT DO NOTHING""",
        """INSERT INTO "QuizResult" VALUES (%(id)s, 50, '{"1": "a"}', '[1, 2]') ON CONFLICT DO NOTHING""",
        """INSERT INTO "ProfileRating" SELECT mine."id", other."id", 1, 5, 2, 4 FROM "Profile" mine, "Profile" other
           WHERE mine."userId" = %(id)s AND other."userId" < 40 ON CONFLICT DO NOTHING""",
    ):
        connection.execute(statement, {"id": user_id})


def test_a_run_for_one_user_sees_that_users_latest_data_on_a_recent_snapshot(site: Connection, machine: Site) -> None:
    load(site, draw(9, 40, "mixed"))
    machine.run(NOW, {"candidateBatchSize": 7})
    snapshots = list(machine.work.folder.rglob("*.snap"))
    then = read_site(site)
    at = NOW + timedelta(minutes=30)
    for viewer in list(stored_rows(site))[:4]:
        change_everything(site, viewer)
        machine.run(at, {"userId": viewer, "topK": 9})
        others_as_they_were = then.people | {viewer: read_site(site).people[viewer]}
        expected = score_viewer(replace(then, people=others_as_they_were), viewer, at)
        assert_viewer_equal(viewer, stored_rows(site)[viewer], expected, 9)
    assert list(machine.work.folder.rglob("*.snap")) == snapshots


def test_a_run_for_one_user_touches_nobody_else(site: Connection, machine: Site) -> None:
    load(site, draw(10, 30, "mixed"))
    machine.run(NOW)
    before = stored_rows(site)
    viewer = next(iter(before))
    machine.run(NOW + timedelta(minutes=1), {"userId": viewer, "topK": 2})
    after = stored_rows(site)
    assert {other: rows for other, rows in after.items() if other != viewer} == {
        other: rows for other, rows in before.items() if other != viewer
    }
    assert len(after[viewer]) == 2


def test_a_run_for_one_user_takes_a_snapshot_where_none_is_young_enough(site: Connection, machine: Site) -> None:
    load(site, draw(11, 30, "one city"))
    machine.run(NOW - timedelta(hours=2))
    site.execute(HIDE, busiest(site, 1))
    site.execute("""UPDATE "Profile" SET "updatedAt" = %s""", [NOW - timedelta(days=40)])
    viewer = next(iter(stored_rows(site)))
    machine.run(NOW, {"userId": viewer})
    assert_viewer_equal(viewer, stored_rows(site)[viewer], score_everyone(read_site(site), NOW)[viewer], 200)


def test_a_run_for_one_user_takes_a_snapshot_where_the_recent_one_was_made_with_other_weights(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    """The upper bounds of blocks depend on the weights: those of a snapshot with other weights need not hold."""
    load(site, draw(14, 60, "one city"))
    Site(site_url, tmp_path).run(NOW, {"candidateBatchSize": 3})
    viewer = next(iter(stored_rows(site)))
    weights = "traits=0,interests=0,rating_quality=0,rating_fit=0,newness=1,proximity=0"
    machine = Site(site_url, tmp_path, {"MATCH_WEIGHTS": weights})
    machine.run(NOW, {"userId": viewer, "topK": 5, "candidateBatchSize": 3})
    expected = score_viewer(read_site(site), viewer, NOW, Rules(0, 0, 0, 0, 1, 0))
    assert_viewer_equal(viewer, stored_rows(site)[viewer], expected, 5)
    assert len(list(machine.work.folder.rglob("*.snap"))) == 2


def test_a_run_for_nobody_says_so_and_writes_nothing(site: Connection, machine: Site) -> None:
    load(site, draw(12, 10, "mixed"))
    finished = machine.run(NOW, {"userId": 999_999})
    assert finished.pages == []
    assert finished.summary["status"] == "SUCCEEDED"
    assert "999999" in str(finished.summary["message"])
    assert stored_rows(site) == {}
    assert stored_viewers(site) == {}


def test_a_run_for_a_deleted_user_removes_its_rows(site: Connection, machine: Site) -> None:
    load(site, SiteRows([someone(1), someone(2), someone(3)], set()))
    machine.run(NOW)
    site.execute(DELETE_USER, [1])
    machine.run(NOW + timedelta(minutes=1), {"userId": 1})
    assert 1 not in stored_rows(site)
    assert stored_viewers(site)[1][:2] == (0, "deleted")


def test_the_reasons_as_json_name_the_shared_interests(site: Connection, machine: Site) -> None:
    drafts = [someone(1), someone(2)]
    drafts[0].interests = {(i % 9 + 1, i) for i in range(1, 10)}
    drafts[1].interests = {(i % 9 + 1, i) for i in range(3, 30)}
    load(site, SiteRows(drafts, set()))
    machine.run(NOW)
    row = site.execute("""SELECT "reasons" FROM "MatchScoreExplained" WHERE "userId" = 1""").fetchone()
    assert row is not None
    shared = sorted((i % 9 + 1, i) for i in range(3, 10))
    assert row[0]["sharedInterests"] == [f"s{subject}:i{interest}" for subject, interest in shared[:5]]
    assert row[0]["sharedInterestCount"] == 7
