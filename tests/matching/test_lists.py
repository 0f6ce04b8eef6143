"""Lists that only newness has moved, and by little, are not written again; whatever else differs is."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from psycopg import Connection

from tests.matching.comparing import Stored, stored_rows
from tests.matching.oracle import score_everyone
from tests.matching.oracle_site import read_site
from tests.matching.random_sites import NOW, draw
from tests.matching.running import Site
from tests.matching.site_loading import load

HOUR = timedelta(hours=1)
EPSILON = 0.002


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Site:
    return Site(site_url, tmp_path)


def times(rows: dict[int, list[Stored]]) -> dict[int, datetime]:
    """Viewer -> when its list was computed."""
    found = {viewer: {item.scored_at for item in ranked} for viewer, ranked in rows.items()}
    assert all(len(moments) == 1 for moments in found.values())
    return {viewer: moments.pop() for viewer, moments in found.items()}


def test_a_list_that_only_newness_has_moved_by_little_stays_and_is_counted(site: Connection, machine: Site) -> None:
    load(site, draw(60, 40, "mixed"))
    machine.run(NOW)
    again = machine.run(NOW + HOUR / 3600)
    rows = stored_rows(site)
    assert again.counts["written"] == 0
    assert again.reasons["unchanged"] == len(rows) > 20
    assert set(times(rows).values()) == {NOW}


def test_a_full_run_may_be_told_to_rewrite_all(site: Connection, machine: Site) -> None:
    load(site, draw(60, 40, "mixed"))
    machine.run(NOW)
    again = machine.run(NOW + HOUR, {"rewriteEpsilon": 0})
    assert again.reasons["unchanged"] == 0
    assert set(times(stored_rows(site)).values()) == {NOW + HOUR}


@pytest.mark.parametrize("flavour", ["mixed", "twins"])
def test_however_many_runs_left_it_a_list_is_what_it_should_be_and_lags_by_less_than_epsilon(
    site: Connection, machine: Site, flavour: str
) -> None:
    load(site, draw(61, 40, flavour))
    written = []
    for step in range(16):
        now = NOW + 4 * step * HOUR
        written.append(machine.run(now, {"topK": 9, "batchSize": 13}).counts["written"])
        expected = score_everyone(read_site(site), now)
        for viewer, ranked in stored_rows(site).items():
            best = expected[viewer][:9]
            got = [(item.row.candidate_id, item.row.tier) for item in ranked]
            assert got == [(row.candidate_id, row.tier) for row in best]
            assert all(abs(item.row.score - row.score) < EPSILON for item, row in zip(ranked, best, strict=True))
    assert sum(written[1:]) > 0
    assert min(written) == 0


def test_whatever_else_differs_by_however_little_is_written(site: Connection, machine: Site) -> None:
    load(site, draw(62, 40, "one city"))
    machine.run(NOW)
    holders = """SELECT DISTINCT "userId" FROM "MatchScore" WHERE "candidateUserId" = %s AND "ratingCount" > 0"""
    who = (
        """SELECT "candidateUserId" FROM "MatchScore" WHERE "ratingCount" > 0 GROUP BY 1 ORDER BY count(*), 1 LIMIT 1"""
    )
    [(rated,)] = site.execute(who).fetchall()
    concerned = {viewer for (viewer,) in site.execute(holders, [rated])}
    rate = """UPDATE "ProfileRating" r SET "smart" = CASE "smart" WHEN 1 THEN 2 ELSE "smart" - 1 END
              FROM "Profile" p WHERE p."id" = r."targetProfileId" AND p."userId" = %s"""
    site.execute(rate, [rated])
    machine.run(NOW + HOUR)
    found = times(stored_rows(site))
    assert {viewer for viewer, at in found.items() if at == NOW + HOUR} >= concerned
    assert NOW in found.values()


def test_another_version_of_the_algorithm_or_other_weights_rewrite_all(site: Connection, machine: Site) -> None:
    load(site, draw(63, 30, "mixed"))
    machine.run(NOW)
    for number, environment in enumerate(({"MATCH_ALGO_VERSION": "v2"}, {"MATCH_WEIGHTS": "traits=0.2501"}), 1):
        machine.environment = environment
        assert machine.run(NOW + number * HOUR).reasons["unchanged"] == 0
        assert set(times(stored_rows(site)).values()) == {NOW + number * HOUR}


def test_a_list_left_as_it_is_is_the_later_runs_result_all_the_same(site: Connection, machine: Site) -> None:
    load(site, draw(64, 30, "one city"))
    machine.run(NOW)
    machine.run(NOW + 2 * HOUR)
    viewer = min(stored_rows(site))
    late = machine.run(NOW + HOUR, {"userId": viewer, "rewriteEpsilon": 0})
    assert late.reasons["superseded"] == 1
    assert times(stored_rows(site))[viewer] == NOW


def test_an_incremental_run_leaves_what_it_computed_to_no_avail(site: Connection, machine: Site) -> None:
    load(site, draw(65, 40, "one city"))
    machine.run(NOW, {"topK": 9})
    site.execute("""UPDATE "Profile" SET "updatedAt" = "updatedAt" + interval '1 second' WHERE "userId" % 3 = 0""")
    done = machine.run(NOW, {"topK": 9, "incremental": True})
    assert done.counts["written"] == 0
    assert done.reasons["unchanged"] > 0


def test_the_server_keeps_no_statistics_of_elements_but_knows_how_long_lists_are(
    site: Connection, machine: Site
) -> None:
    load(site, draw(63, 40, "mixed"))
    machine.run(NOW)
    site.execute("""ANALYZE "MatchList" """)
    known = """SELECT attname FROM pg_stats WHERE tablename = 'MatchList' AND elem_count_histogram IS NOT NULL"""
    assert [name for (name,) in site.execute(known)] == ["candidateUserId"]
