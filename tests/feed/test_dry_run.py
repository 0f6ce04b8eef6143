"""A dry run of feed-presort: it foretells what the run that follows changes, and writes nothing."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.feed.feed_presort import JOB
from sitejobs.feed.rules import KIND_OF
from sitejobs.jobs import comparison
from tests.dry_runs import contents, differences
from tests.feed.feed_changes import changed_feed_site
from tests.feed.feed_sites import random_feed_site
from tests.feed.running import back_to_rows, rows, run
from tests.feed.sites import NOW


def feeds_of(connection: Connection) -> dict[int, list[tuple[str, int]]]:
    found: dict[int, list[tuple[str, int]]] = {}
    for user, items in rows(connection, 'SELECT "userId", "items" FROM "FeedPresorted" ORDER BY 1, "segmentIndex"'):
        found.setdefault(user, []).extend((KIND_OF[item["presentation"]], item["id"]) for item in items)
    return found


@pytest.mark.parametrize("old", [False, True], ids=["segments", "rows of before"])
@pytest.mark.parametrize("options", [{}, {"segmentSize": 7, "maxSegments": 2}], ids=["same", "smaller"])
def test_a_dry_run_foretells_the_run_and_writes_nothing(
    site_url: str, connection: Connection, old: bool, options: dict[str, Any]
) -> None:
    site = random_feed_site(11)
    site.store(connection)
    run(site_url, JOB, NOW, batchSize=7)
    if old:
        back_to_rows(connection)
    changed = changed_feed_site(site, 11)
    changed.store(connection)
    before, stored = contents(connection), feeds_of(connection)
    later = NOW + timedelta(hours=30)
    dry = run(site_url, JOB, later, batchSize=7, dryRun=True, **options)
    assert contents(connection) == before
    assert dry.counts["written"] == 0
    done = run(site_url, JOB, later, batchSize=7, **options)
    assert dry.reasons == done.reasons
    new = feeds_of(connection)
    expected = differences(stored, new, sorted(set(stored) | set(changed.people)), done.counts["written"])
    assert comparison.described(dry.compared) == expected
    assert expected["changed"] > 10
