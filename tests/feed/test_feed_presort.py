"""feed-presort against a plain implementation: every segment, after full runs, changes, and incremental runs."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.feed.feed_presort import JOB
from tests.feed import feed_oracle as oracle
from tests.feed.feed_sites import FeedSite, Person, changed_feed_site, random_feed_site
from tests.feed.running import rows, run, versions
from tests.feed.sites import NOW, Post

MINUTE = timedelta(minutes=1)


def stored(connection: Connection) -> dict[int, list[list[dict[str, Any]]]]:
    """User -> segments."""
    found: dict[int, list[list[dict[str, Any]]]] = {}
    for user, index, items in rows(
        connection, 'SELECT "userId", "segmentIndex", "items" FROM "FeedPresorted" ORDER BY 1, 2'
    ):
        found.setdefault(user, []).append(items)
        assert index == len(found[user]) - 1
    return found


def expected(site: FeedSite, now: datetime = NOW, **limits: int) -> dict[int, list[list[dict[str, Any]]]]:
    feeds = {user: oracle.feed(site, user, now, **limits) for user in site.people}
    return {user: feed for user, feed in feeds.items() if feed}


def rounded(feeds: dict[int, Any]) -> dict[int, Any]:
    """Equal to the last of six decimals but one: the two add in different orders."""

    def each(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: each(part) for name, part in value.items()}
        if isinstance(value, list):
            return [each(part) for part in value]
        return pytest.approx(value, abs=2e-6) if isinstance(value, float) else value

    return {user: each(feed) for user, feed in feeds.items()}


@pytest.mark.parametrize("seed", range(6))
def test_every_feed_is_that_of_a_plain_loop(site_url: str, connection: Connection, seed: int) -> None:
    site = random_feed_site(seed)
    site.store(connection)
    done = run(site_url, JOB, NOW, batchSize=7)
    feeds = expected(site)
    assert stored(connection) == rounded(feeds)
    assert done.counts["written"] == sum(map(len, feeds.values())) > 40
    assert done.counts["processed"] == len(site.people)
    assert done.counts["skipped"] == len(site.people) - len(feeds)
    assert done.reasons["deleted"] == sum(person.deleted for person in site.people.values())


@pytest.mark.parametrize(("size", "most"), [(1, 1), (4, 3), (11, 2), (100, 20)])
def test_segments_have_the_size_and_number_asked_for(
    site_url: str, connection: Connection, size: int, most: int
) -> None:
    site = random_feed_site(7, users=25, posts=60)
    site.store(connection)
    run(site_url, JOB, NOW, segmentSize=size, maxSegments=most)
    assert stored(connection) == rounded(expected(site, size=size, most=most))


@pytest.mark.parametrize("seed", range(10))
def test_an_incremental_run_leaves_what_a_full_run_leaves(site_url: str, connection: Connection, seed: int) -> None:
    site = random_feed_site(seed, users=20, posts=40)
    site.store(connection)
    run(site_url, JOB, NOW)
    for step in range(4):
        site = changed_feed_site(site, 100 * seed + step)
        site.store(connection)
        before = versions(connection, "FeedPresortedUser")
        done = run(site_url, JOB, NOW, incremental=True, batchSize=3)
        assert stored(connection) == rounded(expected(site))
        after = versions(connection, "FeedPresortedUser")
        assert sum(before.get(user) != version for user, version in after.items()) <= done.counts["processed"]
        again = run(site_url, JOB, NOW, incremental=True)
        assert (again.pages, again.message) == ([], "nothing has changed since the last run")
