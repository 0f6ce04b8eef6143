"""After an incremental run the rows are a full run's, except that unchanged pairs keep their newness."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import LiteralString

import pytest
from psycopg import Connection

from tests.matching.changes import CHANGES, Change, block, hide, move, register, unblock
from tests.matching.comparing import TOLERANCE, assert_pair_equal, stored_rows, stored_viewers
from tests.matching.oracle import STANDARD, Row, newness_part, score_everyone, why_none
from tests.matching.oracle_site import Site as Population
from tests.matching.oracle_site import read_site
from tests.matching.random_sites import NOW, SiteRows, draw, someone
from tests.matching.running import Finished, Site, shuffled
from tests.matching.site_loading import load

TOP_K = 6
SECOND = timedelta(seconds=1)
A_DAYS_AGEING = 0.1 * (1 - 0.5 ** (1 / 30))
MIDNIGHT = datetime(NOW.year, NOW.month, NOW.day, tzinfo=NOW.tzinfo)


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Site:
    return Site(site_url, tmp_path)


def run(machine: Site, at: datetime, *, incremental: bool = True, top_k: int = TOP_K, **more: object) -> Finished:
    options = {"topK": top_k, "batchSize": 13, "candidateBatchSize": 7, "incremental": incremental, **more}
    return machine.run(at, options, shuffled(1))


def assert_as_a_full_run(connection: Connection, at: datetime, top_k: int = TOP_K, ageing: float = 0.0) -> None:
    """The stored rows are a full run's at that time; scores may differ by `ageing` where a pair kept its newness."""
    people = read_site(connection)
    expected = score_everyone(people, at)
    stored = stored_rows(connection)
    assert set(stored) == {viewer for viewer, rows in expected.items() if rows}
    viewers = stored_viewers(connection)
    for viewer, rows in expected.items():
        count = min(top_k, len(rows))
        assert len(stored.get(viewer, [])) == count, f"viewer {viewer}"
        assert viewers[viewer][:2] == (count, why_none(people, viewer, at))
        by_id = {row.candidate_id: row for row in rows}
        assert [item.rank for item in stored.get(viewer, [])] == list(range(1, count + 1)), f"viewer {viewer}"
        for item, best in zip(stored.get(viewer, []), rows, strict=False):
            where = f"viewer {viewer}, rank {item.rank}, candidate {item.row.candidate_id}, scored {item.scored_at}"
            own = by_id.get(item.row.candidate_id)
            assert own is not None, f"{where}: no candidate"
            assert_pair_equal(where, item.row, own, newness=False)
            assert_aged(where, people, item.row, own, item.scored_at)
            assert item.row.tier == best.tier, f"{where}: tier {item.row.tier} where {best.tier} belongs"
            assert abs(own.score - best.score) <= TOLERANCE + ageing, f"{where}: has {own.score}, here belongs {best}"


def assert_aged(where: str, people: Population, got: Row, want: Row, scored_at: datetime) -> None:
    """The newness, and the score with it, are those of the time at which the pair was scored."""
    then = newness_part(people.people[got.candidate_id].updated_at, scored_at, STANDARD)
    assert abs(got.newness - then) <= TOLERANCE, f"{where}: newness {got.newness}, was {then}"
    score = want.score + STANDARD.newness * (then - want.newness)
    assert abs(got.score - score) <= TOLERANCE, f"{where}: score {got.score}, was {score}"


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_one_change_is_seen_by_everyone_whom_it_concerns(site: Connection, machine: Site, change: Change) -> None:
    load(site, draw(50, 36, "one city"))
    run(machine, NOW, incremental=False)
    random = Random(change.__name__)
    for step in range(1, 3):
        change(site, random)
        run(machine, NOW + step * SECOND)
        assert_as_a_full_run(site, NOW + step * SECOND)


@pytest.mark.parametrize("flavour", ["mixed", "one city", "twins", "nowhere", "no traits", "enemies"])
def test_many_changes_at_once_are_all_seen(site: Connection, machine: Site, flavour: str) -> None:
    load(site, draw(51, 60, flavour))
    run(machine, NOW, incremental=False)
    random = Random(f"many changes, {flavour}")
    for step in range(1, 6):
        for change in random.choices(CHANGES, k=random.choice((2, 5, 20))):
            change(site, random)
        run(machine, NOW + step * SECOND)
        assert_as_a_full_run(site, NOW + step * SECOND)


def test_birthdays_are_seen_although_nothing_was_written(site: Connection, machine: Site) -> None:
    load(site, draw(52, 60, "mixed"))
    before, after = MIDNIGHT - SECOND, MIDNIGHT + SECOND
    for day in range(3):
        run(machine, before + timedelta(days=day), incremental=False)
        run(machine, after + timedelta(days=day))
        assert_as_a_full_run(site, after + timedelta(days=day))


def test_a_day_later_only_the_age_of_scores_differs(site: Connection, machine: Site) -> None:
    load(site, draw(53, 60, "one city"))
    run(machine, NOW, incremental=False)
    random = Random(53)
    for day in range(1, 4):
        for change in random.choices(CHANGES, k=4):
            change(site, random)
        run(machine, NOW + timedelta(days=day))
        assert_as_a_full_run(site, NOW + timedelta(days=day), ageing=2 * day * A_DAYS_AGEING)


def test_nothing_changed_and_nothing_is_written(site: Connection, machine: Site) -> None:
    load(site, SiteRows([someone(user_id, lat=52.5, lng=13.4) for user_id in range(1, 40)], set()))
    run(machine, NOW, incremental=False)
    before = stored_rows(site)
    finished = run(machine, NOW + SECOND)
    assert stored_rows(site) == before
    assert finished.counts["written"] == 0
    assert finished.summary["status"] == "SUCCEEDED"


def test_a_change_of_one_user_rewrites_only_lists_that_it_concerns(site: Connection, machine: Site) -> None:
    """Users on two continents all want someone nearby: a change on one leaves the lists of the other.

    Nobody of Berlin is young enough for 5 any more, so 5 leaves the lists there.
    """
    wishes = {"preferredDistanceKm": 50}
    berlin = [someone(user_id, preference=wishes, lat=52.5, lng=13.4 + user_id / 1000) for user_id in range(1, 30)]
    lima = [someone(100 + user_id, preference=wishes, lat=-12.0, lng=-77.0) for user_id in range(1, 30)]
    load(site, SiteRows(berlin + lima, set()))
    run(machine, NOW, incremental=False)
    before = stored_rows(site)
    shown = {viewer for viewer, rows in before.items() if 5 in [item.row.candidate_id for item in rows]}
    site.execute("""INSERT INTO "UserPreference" VALUES (5, 18, 30, 50) ON CONFLICT ("userId")
                    DO UPDATE SET "preferredAgeMax" = 30""")
    run(machine, NOW + SECOND)
    assert {viewer for viewer, rows in stored_rows(site).items() if rows != before[viewer]} == shown | {5}
    assert_as_a_full_run(site, NOW + SECOND)


def start_anew(machine: Site) -> None:
    for file in machine.work.folder.rglob("*.snap"):
        file.unlink()


def other_version(machine: Site) -> None:
    machine.environment = {"MATCH_ALGO_VERSION": "v2"}


@pytest.mark.parametrize("happening", [start_anew, other_version])
def test_where_the_last_run_is_no_basis_everything_is_scored_again(
    site: Connection, machine: Site, happening: Callable[[Site], None]
) -> None:
    load(site, draw(54, 40, "mixed"))
    run(machine, NOW, incremental=False)
    happening(machine)
    run(machine, NOW + SECOND, rewriteEpsilon=0)
    rows = [item for ranked in stored_rows(site).values() for item in ranked]
    assert {item.version for item in rows} == {machine.environment.get("MATCH_ALGO_VERSION", "v1")}
    assert {item.scored_at for item in rows} == {NOW + SECOND}
    assert_as_a_full_run(site, NOW + SECOND)


def test_the_first_run_of_all_may_be_incremental(site: Connection, machine: Site) -> None:
    load(site, draw(55, 40, "mixed"))
    run(machine, NOW)
    assert_as_a_full_run(site, NOW)


@pytest.mark.parametrize(("before", "after"), [(3, 9), (9, 3), (200, 2)])
def test_another_number_of_rows_is_seen(site: Connection, machine: Site, before: int, after: int) -> None:
    load(site, draw(56, 40, "one city"))
    run(machine, NOW, incremental=False, top_k=before)
    move(site, Random(56))
    run(machine, NOW + SECOND, top_k=after)
    assert_as_a_full_run(site, NOW + SECOND, after)


def test_pages_that_an_earlier_run_never_wrote_are_made_up_for(site: Connection, machine: Site) -> None:
    load(site, draw(57, 60, "one city"))
    run(machine, NOW, incremental=False)
    random = Random(57)
    for step in range(1, 4):
        for change in random.choices(CHANGES, k=6):
            change(site, random)
        options = {"topK": TOP_K, "batchSize": 13, "candidateBatchSize": 7, "incremental": step > 1}
        machine.run(NOW + step * SECOND, options, lambda pages: pages[1::2], failed=True)
    run(machine, NOW + 4 * SECOND)
    assert_as_a_full_run(site, NOW + 4 * SECOND)


def test_runs_for_single_users_in_between_do_not_confuse_it(site: Connection, machine: Site) -> None:
    load(site, draw(58, 50, "one city"))
    run(machine, NOW, incremental=False)
    random = Random(58)
    for step in range(1, 5):
        for change in random.choices(CHANGES, k=3):
            change(site, random)
        viewer = random.choice(list(stored_rows(site)))
        machine.run(NOW + step * SECOND, {"topK": TOP_K, "userId": viewer})
        for change in random.choices(CHANGES, k=3):
            change(site, random)
        run(machine, NOW + step * SECOND + SECOND / 2)
        assert_as_a_full_run(site, NOW + step * SECOND + SECOND / 2)


def test_a_block_set_and_lifted_again_brings_the_pair_back(site: Connection, machine: Site) -> None:
    load(site, draw(59, 30, "one city"))
    run(machine, NOW, incremental=False)
    for step, change in enumerate([block, unblock, hide, register, unblock, unblock], 1):
        for seed in range(8):
            change(site, Random(seed))
        run(machine, NOW + step * SECOND)
        assert_as_a_full_run(site, NOW + step * SECOND)


def test_what_changes_while_an_incremental_run_is_under_way_is_seen_by_the_next_one(
    site: Connection, machine: Site
) -> None:
    load(site, draw(60, 50, "one city"))
    run(machine, NOW, incremental=False)
    random = Random(60)
    options = {"topK": TOP_K, "batchSize": 13, "candidateBatchSize": 7, "incremental": True}

    def busy() -> None:
        for change in random.choices(CHANGES, k=10):
            change(site, random)

    for step in range(1, 6, 2):
        busy()
        machine.run(NOW + step * SECOND, options, meanwhile=busy)
        run(machine, NOW + (step + 1) * SECOND)
        assert_as_a_full_run(site, NOW + (step + 1) * SECOND)


HIDE = """UPDATE "Profile" SET "isVisible" = false WHERE "userId" = %s"""
SHOW = """UPDATE "Profile" SET "isVisible" = true WHERE "userId" = %s"""
DELETE = """UPDATE "User" SET "deletedAt" = now() WHERE "id" = %s"""
RESTORE = """UPDATE "User" SET "deletedAt" = NULL WHERE "id" = %s"""
BLOCK = """INSERT INTO "UserBlock" SELECT %s, "userId" FROM "Profile" ON CONFLICT DO NOTHING"""
UNBLOCK = """DELETE FROM "UserBlock" WHERE "blockerId" = %s"""


@pytest.mark.parametrize("first", [False, True], ids=["in a full run", "in an incremental run"])
@pytest.mark.parametrize(
    ("there", "back"), [(HIDE, SHOW), (DELETE, RESTORE), (BLOCK, UNBLOCK)], ids=["hidden", "deleted", "blocked"]
)
def test_what_was_so_only_while_a_run_was_under_way_is_made_up_for(
    site: Connection, machine: Site, there: LiteralString, back: LiteralString, first: bool
) -> None:
    """Both snapshots look alike, but the rows written in between do not."""
    load(site, SiteRows([someone(user_id, lat=52.5, lng=13.4) for user_id in range(1, 9)], set()))
    options = {"batchSize": 3, "incremental": True}
    if first:
        run(machine, NOW - SECOND, incremental=False, top_k=200)
        move(site, Random(1))
    machine.run(NOW, options, meanwhile=lambda: site.execute(there, [1]))
    site.execute(back, [1])
    machine.run(NOW + SECOND, options)
    assert_as_a_full_run(site, NOW + SECOND, 200)
