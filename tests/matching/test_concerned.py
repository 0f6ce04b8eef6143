"""An incremental run in which few changed reads few lists, and finds all that it has to."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from psycopg import Connection

from tests.matching.changes import CHANGES, block, hide, move
from tests.matching.comparing import stored_rows
from tests.matching.random_sites import NOW, SiteRows, draw, someone
from tests.matching.running import Site
from tests.matching.site_loading import load
from tests.matching.test_incremental import HIDE, SECOND, TOP_K, assert_as_a_full_run, run

BASIS = """SELECT "context" ? 'basis' FROM "JobRun" ORDER BY "id" DESC LIMIT 1"""


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Site:
    return Site(site_url, tmp_path)


def looked_for(site: Connection) -> bool:
    """Whether the last run looked for the lists that are concerned."""
    row = site.execute(BASIS).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.mark.parametrize("flavour", ["mixed", "twins"])
def test_run_after_run_all_lists_are_a_full_runs(site: Connection, machine: Site, flavour: str) -> None:
    load(site, draw(90, 75, flavour))
    run(machine, NOW, incremental=False)
    random, found = Random(f"concerned, {flavour}"), 0
    for step in range(1, 4):
        for change in random.choices(CHANGES, k=2):
            change(site, random)
        run(machine, NOW + step * SECOND)
        found += looked_for(site)
        assert_as_a_full_run(site, NOW + step * SECOND)
    assert found


def test_what_happens_after_the_snapshot_is_made_up_for(site: Connection, machine: Site) -> None:
    """No list that is written has somebody in it who was blocked or hid meanwhile."""
    load(site, draw(91, 75, "one city"))
    run(machine, NOW, incremental=False)
    options = {"topK": TOP_K, "batchSize": 13, "candidateBatchSize": 7, "incremental": True}
    for step in (1, 3):
        random = Random(step)
        move(site, random)

        def meanwhile(random: Random = random) -> None:
            for change in (block, block, block, hide):
                change(site, random)

        at = NOW + step * SECOND
        machine.run(at, options, meanwhile=meanwhile)
        assert looked_for(site)
        blocked = set(site.execute("""SELECT "blockerId", "blockedId" FROM "UserBlock" """).fetchall())
        for viewer, rows in stored_rows(site).items():
            them = {item.row.candidate_id for item in rows if any(one.scored_at == at for one in rows)}
            assert not blocked & {pair for other in them for pair in ((viewer, other), (other, viewer))}
        run(machine, at + SECOND)
        assert_as_a_full_run(site, at + SECOND)


def test_without_the_earlier_snapshot_pages_read_whole_lists(site: Connection, machine: Site) -> None:
    load(site, draw(92, 75, "one city"))
    run(machine, NOW, incremental=False)
    [earlier] = machine.work.folder.rglob("*.snap")
    move(site, Random(92))
    options = {"topK": TOP_K, "batchSize": 13, "candidateBatchSize": 7, "incremental": True}
    machine.run(NOW + SECOND, options, meanwhile=earlier.unlink)
    assert looked_for(site)
    assert_as_a_full_run(site, NOW + SECOND)


def test_lists_left_as_they_were_are_found_by_the_scores_that_they_hold(site: Connection, machine: Site) -> None:
    """Everybody's newness has fallen since, and a run for everybody has left the lists as they were all the same."""
    people = [someone(number, lat=52.5, lng=13.4 + number / 1000) for number in range(1, 121)]
    load(site, SiteRows(people, set()))
    run(machine, NOW, incremental=False)
    site.execute("""UPDATE "Profile" SET "updatedAt" = %s""", [NOW - timedelta(days=20)])
    assert run(machine, NOW + SECOND, incremental=False, rewriteEpsilon=0.2).counts["written"] == 0
    gone = stored_rows(site)[60][-1].row.candidate_id
    site.execute(HIDE, [gone])
    run(machine, NOW + 2 * SECOND)
    assert looked_for(site)
    assert all(item.row.candidate_id != gone for rows in stored_rows(site).values() for item in rows)
