"""Another run replaces a list while an incremental page, which has read it, is at work: on two real connections."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from psycopg import Connection, sql

from sitejobs.postgres.connection import connect
from tests.limits import PATIENCE_S
from tests.matching.comparing import stored_rows
from tests.matching.random_sites import NOW, draw
from tests.matching.running import Site
from tests.matching.site_loading import load
from tests.matching.test_incremental import SECOND, assert_as_a_full_run

TOP_K = 25
# The page of that run has the viewer's row, and waits before it stores the list.
GATE = """
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW."userId" = {viewer} AND NEW."scoredAt" = {at} THEN PERFORM pg_advisory_xact_lock_shared(1); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE INSERT ON "MatchList" FOR EACH ROW EXECUTE FUNCTION gate()
"""
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE "datname" = current_database() AND "wait_event_type" = 'Lock'
"""
LISTS = """
SELECT l."scoredAt", c."listScoredAt", c."scoredAt" FROM "MatchList" l JOIN "MatchListChange" c USING ("userId")
WHERE l."userId" = %s
"""


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Site:
    return Site(site_url, tmp_path)


@contextmanager
def gate(url: str, viewer: int, at: datetime) -> Iterator[Connection]:
    """While it is open nobody stores the viewer's list of that time."""
    with connect(url) as holder:
        holder.execute("SELECT pg_advisory_lock(1)")
        holder.execute(sql.SQL(GATE).format(viewer=sql.Literal(viewer), at=sql.Literal(at)))
        yield holder
        holder.execute("SELECT pg_advisory_unlock(1)")


def wait(connection: Connection, sessions: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while connection.execute(WAITING).fetchall() != [(sessions,)]:
        assert time.monotonic() < deadline, f"no {sessions} sessions wait"
        time.sleep(0.005)


def test_what_was_found_for_the_list_before_says_nothing_of_the_one_that_came_meanwhile(
    site: Connection, site_url: str, machine: Site
) -> None:
    load(site, draw(85, 60, "one city"))
    options = {"topK": TOP_K, "batchSize": 40, "candidateBatchSize": 7}
    machine.run(NOW, options)
    viewer, rows = next(iter(sorted(stored_rows(site).items())))
    best = rows[0].row.candidate_id
    site.execute("""UPDATE "Profile" SET "lat" = -"lat" WHERE "userId" = %s""", [best])
    one, everybody = NOW + SECOND, NOW + 2 * SECOND
    with ThreadPoolExecutor() as threads:
        with gate(site_url, viewer, one) as holder:
            first = threads.submit(machine.run, one, {"topK": TOP_K, "userId": viewer, "rewriteEpsilon": 0})
            wait(holder, 1)
            second = threads.submit(machine.run, everybody, options | {"incremental": True})
            wait(holder, 2)
        assert first.result().counts["written"] == TOP_K
        second.result()
    # The list is that of the run for the viewer alone, with the old place of the best; what changed is of another list.
    assert site.execute(LISTS, [viewer]).fetchall() == [(one, NOW, everybody)]
    assert {item.scored_at for item in stored_rows(site)[viewer]} == {one}
    machine.run(NOW + 3 * SECOND, options | {"incremental": True})
    assert_as_a_full_run(site, NOW + 3 * SECOND, TOP_K)
