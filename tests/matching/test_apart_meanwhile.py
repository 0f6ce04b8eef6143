"""Who is kept apart while an incremental run is under way, and before and after it: the rows are a full run's."""

from pathlib import Path
from random import Random
from typing import LiteralString

import pytest
from psycopg import Connection, sql

from tests.matching.changes import block, hide, match, move, part, say, take_a_word_back, talk, unblock
from tests.matching.comparing import stored_rows
from tests.matching.random_sites import NOW, SiteRows, draw, someone
from tests.matching.running import Site
from tests.matching.site_loading import load
from tests.matching.test_incremental import SECOND, TOP_K, assert_as_a_full_run, run
from tests.matching.test_list_changes import beside

VIEWER, CANDIDATE = 1, 2
BETWEEN_THEM: dict[str, tuple[LiteralString, LiteralString]] = {
    "blocked": ("""INSERT INTO "UserBlock" VALUES (1, 2)""", """DELETE FROM "UserBlock" """),
    "blocked by": ("""INSERT INTO "UserBlock" VALUES (2, 1)""", """DELETE FROM "UserBlock" """),
    "liked": ("""INSERT INTO "Like" VALUES (1, 2, 'LIKE')""", """DELETE FROM "Like" """),
    "disliked by": ("""INSERT INTO "Like" VALUES (2, 1, 'DISLIKE')""", """DELETE FROM "Like" """),
    "matched": ("""INSERT INTO "Match" VALUES (1, 2, 'ACTIVE')""", """DELETE FROM "Match" """),
    "in conversation": ("""INSERT INTO "Conversation" VALUES (2, 1)""", """DELETE FROM "Conversation" """),
}
MOVE = """UPDATE "Profile" SET "lat" = "lat" + 0.01 WHERE "userId" = 2"""
TABLES = ("UserBlock", "Like", "Match", "Conversation")


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Site:
    return Site(site_url, tmp_path)


@pytest.mark.parametrize(("apart", "together"), BETWEEN_THEM.values(), ids=BETWEEN_THEM)
@pytest.mark.parametrize("meanwhile_apart", [False, True], ids=["together meanwhile", "apart meanwhile"])
def test_what_is_otherwise_only_while_pages_look_is_made_up_for(
    site: Connection, machine: Site, apart: LiteralString, together: LiteralString, meanwhile_apart: bool
) -> None:
    """The candidate changed, so that pages look whether it is apart from the viewer; both snapshots look alike."""
    at_snapshots, meanwhile = (together, apart) if meanwhile_apart else (apart, together)
    load(site, SiteRows([someone(user_id, lat=52.5, lng=13.4) for user_id in range(1, 9)], set()))
    site.execute(at_snapshots)
    run(machine, NOW, incremental=False, top_k=200)
    site.execute(MOVE)
    machine.run(NOW + SECOND, {"incremental": True}, meanwhile=lambda: site.execute(meanwhile))
    assert beside(site) > 0
    assert (CANDIDATE in _matches(site, VIEWER)) is not meanwhile_apart
    site.execute(at_snapshots)
    machine.run(NOW + 2 * SECOND, {"incremental": True})
    assert (CANDIDATE in _matches(site, VIEWER)) is meanwhile_apart
    assert_as_a_full_run(site, NOW + 2 * SECOND, 200)


@pytest.mark.parametrize("flavour", ["mixed", "one city", "enemies"])
def test_whatever_comes_and_goes_between_people_leaves_no_trace(site: Connection, machine: Site, flavour: str) -> None:
    load(site, draw(61, 50, flavour))
    run(machine, NOW, incremental=False)
    random = Random(f"coming and going, {flavour}")

    def busy() -> None:
        for change in random.choices((block, unblock, say, take_a_word_back, match, part, talk), k=25):
            change(site, random)

    for step in range(1, 7, 2):
        for change in random.choices((move, hide), (4, 1), k=3):
            change(site, random)
        before = {name: site.execute(_all(name)).fetchall() for name in TABLES}
        machine.run(NOW + step * SECOND, {"topK": TOP_K, "batchSize": 40, "incremental": True}, meanwhile=busy)
        for name, rows in before.items():
            site.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
            for row in rows:
                values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
                site.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(name), values), row)
        run(machine, NOW + (step + 1) * SECOND)
        assert_as_a_full_run(site, NOW + (step + 1) * SECOND)


@pytest.mark.parametrize("blocked", [False, True], ids=["unblocked", "blocked meanwhile"])
def test_a_spare_who_is_blocked_meanwhile_takes_nobodys_place(site: Connection, machine: Site, blocked: bool) -> None:
    load(site, draw(62, 60, "one city"))
    run(machine, NOW, incremental=False)
    viewer, first, spare = site.execute(
        """SELECT "userId", "candidateUserId"[1], "spareUserId"[1] FROM "MatchList"
           WHERE "spareUserId" IS NOT NULL ORDER BY 1 LIMIT 1"""
    ).fetchone() or (0, 0, 0)
    site.execute("""UPDATE "Profile" SET "isVisible" = false WHERE "userId" = %s""", [first])

    def meanwhile() -> None:
        if blocked:
            site.execute("""INSERT INTO "UserBlock" VALUES (%s, %s)""", [spare, viewer])

    machine.run(NOW + SECOND, {"topK": TOP_K, "batchSize": 40, "incremental": True}, meanwhile=meanwhile)
    assert first not in _matches(site, viewer)
    assert (spare in _matches(site, viewer)) is not blocked


def _matches(site: Connection, viewer: int) -> list[int]:
    return [item.row.candidate_id for item in stored_rows(site).get(viewer, [])]


def _all(table: str) -> sql.Composed:
    return sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))
