"""What incremental runs store beside lists: a reader sees the matches that a full run would have stored."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from psycopg import Connection

from tests.matching.changes import (
    CHANGES,
    hide,
    lose_a_trait,
    lose_an_interest,
    lose_the_place,
    move,
    take_a_rating_back,
    touch,
)
from tests.matching.comparing import stored_rows
from tests.matching.oracle import score_everyone
from tests.matching.oracle_site import read_site
from tests.matching.random_sites import NOW, draw
from tests.matching.running import Finished, Site
from tests.matching.site_loading import load
from tests.matching.test_incremental import MIDNIGHT, SECOND, assert_as_a_full_run

TOP_K = 25
BESIDE = """SELECT count(*) FROM "MatchListChange" """
VIEWS = """
SELECT "userId" FROM "MatchCandidates" c FULL JOIN (
    SELECT "userId", array_agg("candidateUserId" ORDER BY "rank") AS "ids",
           array_agg("score" ORDER BY "rank") AS "scores", count(*) FILTER (WHERE "tier" = 'A') AS "tierA"
    FROM "MatchScore" GROUP BY 1
) s USING ("userId")
WHERE (c."candidateUserId", c."score", c."tierA") IS DISTINCT FROM (s."ids", s."scores", s."tierA"::smallint)
"""


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Site:
    return Site(site_url, tmp_path)


def run(machine: Site, at: int, **more: object) -> Finished:
    options = {"topK": TOP_K, "batchSize": 40, "candidateBatchSize": 7, "incremental": at > 0, **more}
    return machine.run(NOW + at * SECOND, options)


def beside(site: Connection) -> int:
    [(count,)] = site.execute(BESIDE).fetchall()
    return int(count)


@pytest.mark.parametrize("flavour", ["mixed", "one city", "twins", "nowhere", "no traits", "enemies"])
def test_readers_see_a_full_runs_matches_run_after_run(site: Connection, machine: Site, flavour: str) -> None:
    load(site, draw(80, 60, flavour))
    run(machine, 0)
    random, stored = Random(f"run after run, {flavour}"), 0
    for step in range(1, 9):
        for change in random.choices(CHANGES, k=random.choice((1, 2, 3))):
            change(site, random)
        run(machine, step)
        assert_as_a_full_run(site, NOW + step * SECOND, TOP_K)
        assert site.execute(VIEWS).fetchall() == []
        stored += beside(site)
    # Of twins the stored scores do not tell who is better: their lists are computed anew.
    assert stored > (0 if flavour == "twins" else 40)


def test_a_full_run_takes_up_what_stands_beside_the_lists(site: Connection, machine: Site) -> None:
    load(site, draw(81, 60, "one city"))
    run(machine, 0)
    move(site, Random(81))
    run(machine, 1)
    before, changed = stored_rows(site), beside(site)
    assert changed > 0
    written = run(machine, 2, incremental=False)
    assert beside(site) == 0
    rewritten = [rows for rows in stored_rows(site).values() if rows[0].scored_at == NOW + 2 * SECOND]
    assert written.counts["written"] == sum(map(len, rewritten)) >= TOP_K * changed
    assert {viewer: [item.row.candidate_id for item in rows] for viewer, rows in stored_rows(site).items()} == {
        viewer: [item.row.candidate_id for item in rows] for viewer, rows in before.items()
    }


def test_what_stands_beside_another_list_says_nothing(site: Connection, machine: Site) -> None:
    load(site, draw(82, 60, "one city"))
    run(machine, 0)
    move(site, Random(82))
    run(machine, 1)
    site.execute("""UPDATE "MatchListChange" SET "listScoredAt" = "listScoredAt" - interval '1 second' """)
    site.execute("""UPDATE "MatchScoreViewer" SET "provisional" = true""")
    run(machine, 2)
    assert_as_a_full_run(site, NOW + 2 * SECOND, TOP_K)


def test_a_list_whose_scores_have_aged_is_computed_anew(site: Connection, machine: Site) -> None:
    load(site, draw(83, 90, "one city"))
    run(machine, 0)
    move(site, Random(83))
    later = NOW + timedelta(days=1)
    machine.run(later, {"topK": TOP_K, "incremental": True})
    assert beside(site) == 0
    assert {rows[0].scored_at for rows in stored_rows(site).values()} == {NOW, later}


def test_lists_that_change_all_the_time_stay_short(site: Connection, machine: Site) -> None:
    load(site, draw(84, 60, "one city"))
    run(machine, 0)
    random = Random(84)
    for step in range(1, 5):
        for _ in range(25):
            touch(site, random)
        run(machine, step)
        [(most,)] = site.execute("""SELECT max(cardinality("candidateUserId")) FROM "MatchListChange" """).fetchall()
        assert most is None or most <= 32
        assert_as_a_full_run(site, NOW + step * SECOND, TOP_K)


WITHOUT_SPARES = """UPDATE "MatchList" SET "spareUserId" = NULL, "spareScore" = NULL, "spareTierA" = NULL"""
TAKEN = """
SELECT count(*), count(DISTINCT c."userId") FROM "MatchListChange" c JOIN "MatchList" l USING ("userId"),
    unnest(c."candidateUserId", c."rank"[cardinality(l."candidateUserId") + 1 :]) AS beside ("id", "rank")
WHERE beside."id" = ANY (l."spareUserId") AND beside."rank" > 0
"""
"""Counts the spares that have become matches, and the viewers who have such."""


@pytest.mark.parametrize("flavour", ["mixed", "one city", "blank"])
def test_lists_that_lose_matches_take_spares_until_there_are_none(
    site: Connection, machine: Site, flavour: str
) -> None:
    load(site, draw(85, 80, flavour))
    run(machine, 0)
    random, most, anew = Random(85), 0, set[int]()
    for step in range(1, 9):
        hide(site, random)
        for worsen in random.choices((lose_an_interest, lose_a_trait, lose_the_place, take_a_rating_back, hide), k=3):
            worsen(site, random)
        run(machine, step)
        if step in (2, 5, 8):
            assert_as_a_full_run(site, NOW + step * SECOND, TOP_K)
            assert site.execute(VIEWS).fetchall() == []
        [(taken, viewers)] = site.execute(TAKEN).fetchall()
        most = max(most, taken)
        anew |= {viewer for viewer, rows in stored_rows(site).items() if rows[0].scored_at > NOW and viewers}
    # Whoever has lost more than there were spares is computed anew.
    assert most > 40
    assert anew


@pytest.mark.parametrize("spares", [True, False])
def test_the_bound_below_a_list_holds_after_hours_of_newness(site: Connection, machine: Site, spares: bool) -> None:
    """Whether a changed candidate belongs to a list is told by its key then, not by the lower one of now."""
    then = MIDNIGHT + timedelta(days=1)
    load(site, draw(86, 90, "one city"))
    site.execute("""UPDATE "Profile" SET "updatedAt" = %s""", [then])
    machine.run(then, {"topK": TOP_K})
    if not spares:
        site.execute(WITHOUT_SPARES)
    random = Random(86)
    for _ in range(40):
        move(site, random)
    machine.run(then + timedelta(hours=20), {"topK": TOP_K, "incremental": True})
    expected, kept = score_everyone(read_site(site), then), 0
    for viewer, rows in stored_rows(site).items():
        if rows[0].scored_at == then:
            kept += 1
            best = [row.candidate_id for row in expected[viewer][:TOP_K]]
            assert [item.row.candidate_id for item in rows] == best, f"viewer {viewer}"
    assert kept > 20


def test_a_list_without_spares_as_older_versions_left_it_is_kept_up(site: Connection, machine: Site) -> None:
    load(site, draw(87, 60, "one city"))
    run(machine, 0)
    site.execute(WITHOUT_SPARES)
    random = Random(87)
    for step in range(1, 4):
        for change in random.choices(CHANGES, k=2):
            change(site, random)
        run(machine, step)
        assert_as_a_full_run(site, NOW + step * SECOND, TOP_K)
