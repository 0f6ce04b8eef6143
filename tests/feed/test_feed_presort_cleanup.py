"""feed-presort-cleanup: what goes and why, what stays, and that it runs beside a presort."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from sitejobs.feed import feed_presort
from sitejobs.feed.feed_presort_cleanup import FIND, JOB
from sitejobs.postgres.connection import connect, is_transient
from tests.feed.feed_changes import changed_feed_site
from tests.feed.feed_sites import FeedSite, Person, Quiz, random_feed_site
from tests.feed.running import back_to_rows, rows, run, versions
from tests.feed.sites import NOW, Post
from tests.feed.test_failures import page_of_all
from tests.feed.test_feed_presort import assert_nothing_unwanted, stored
from tests.limits import PATIENCE_S

MINUTE = timedelta(minutes=1)


def small_site() -> FeedSite:
    """User 1 sees posts of 2, 3 (private, followed) and 1, 4 as suggestion, and a question."""
    posts = [
        Post(20, 2, True, "public", NOW - timedelta(hours=1), deleted=False),
        Post(30, 3, False, "private", NOW - timedelta(hours=2), deleted=False),
        Post(10, 1, True, "mine", NOW - timedelta(hours=3), deleted=False),
    ]
    return FeedSite(
        people={user: Person() for user in (1, 2, 3, 4)},
        posts={post.id: post for post in posts},
        access={(3, 1): "GRANTED"},
        scores={1: [(4, 0.5)]},
        quizzes=[Quiz(1, True, NOW, ((100, 1, "Tea?"),))],
    )


def presorted(url: str, connection: Connection, site: FeedSite) -> None:
    site.store(connection)
    run(url, feed_presort.JOB, NOW, userId=1)
    [items] = stored(connection)[1]
    assert {(item["kind"], item["id"]) for item in items} == {
        *(("post", "20"), ("post", "30"), ("post", "10"), ("suggestion", "4"), ("question", "100")),
    }


def change_quiz(site: FeedSite, **changes: Any) -> None:
    site.quizzes = [replace(quiz, **changes) for quiz in site.quizzes]


CHANGES: dict[str, tuple[str, Callable[[FeedSite], object]]] = {
    "post deleted": ("post-gone", lambda site: site.posts.update({20: replace(site.posts[20], deleted=True)})),
    "post removed": ("post-gone", lambda site: site.posts.pop(20)),
    "post private": ("post-private", lambda site: site.posts.update({20: replace(site.posts[20], public=False)})),
    "access revoked": ("post-private", lambda site: site.access.update({(3, 1): "REVOKED"})),
    "author hidden": ("author-hidden", lambda site: site.people.update({2: Person(visible=False)})),
    "author deleted": ("author-hidden", lambda site: site.people.update({3: Person(deleted=True)})),
    "suggested hidden": ("author-hidden", lambda site: site.people.update({4: Person(visible=False)})),
    "no profile": ("author-hidden", lambda site: site.people.update({4: Person(profile=False)})),
    "blocked": ("author-blocked", lambda site: site.blocks.add((1, 2))),
    "blocks": ("author-blocked", lambda site: site.blocks.add((4, 1))),
    "quiz closed": ("question-gone", lambda site: change_quiz(site, active=False)),
    "question removed": (
        "question-gone",
        lambda site: site.quizzes.insert(0, replace(site.quizzes.pop(), questions=())),
    ),
    "viewer deleted": ("user-deleted", lambda site: site.people.update({1: Person(deleted=True)})),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_segment_that_should_not_be_shown_goes_and_the_next_presort_makes_the_feed_anew(
    site_url: str, connection: Connection, change: str
) -> None:
    site = small_site()
    presorted(site_url, connection, site)
    reason, apply = CHANGES[change]
    apply(site)
    site.store(connection)
    done = run(site_url, JOB, NOW + MINUTE)
    assert stored(connection) == {}
    assert (done.counts["written"], done.reasons[reason]) == (1, 1)
    left = change == "viewer deleted"
    assert rows(connection, 'SELECT "fingerprint" IS NULL FROM "FeedPresortedUser"') == ([] if left else [(True,)])
    run(site_url, feed_presort.JOB, NOW + 2 * MINUTE, incremental=True)
    assert (1 in stored(connection)) == (not left)


def test_what_may_be_shown_stays_untouched(site_url: str, connection: Connection) -> None:
    site = small_site()
    presorted(site_url, connection, site)
    site.people[1] = Person(visible=False)
    site.store(connection)
    before = [versions(connection, table) for table in ("FeedSegment", "FeedPresortedUser")]
    done = run(site_url, JOB, NOW + 29 * MINUTE)
    assert [versions(connection, table) for table in ("FeedSegment", "FeedPresortedUser")] == before
    assert (done.counts["written"], done.reasons) == (0, {"nothing-to-remove": 1})


def test_expired_segments_other_versions_and_those_beyond_the_limit_go(site_url: str, connection: Connection) -> None:
    random_feed_site(2).store(connection)

    def removed(minutes: int = 1, **options: Any) -> tuple[int, dict[str, int]]:
        connection.execute('DELETE FROM "FeedPresortedUser"')
        run(site_url, feed_presort.JOB, NOW)
        total = rows(connection, 'SELECT count(*) FROM "FeedPresorted"')[0][0]
        done = run(site_url, JOB, NOW + minutes * MINUTE, batchSize=5, **options)
        assert rows(connection, 'SELECT count(*) FROM "FeedPresorted"') == [(total - done.counts["written"],)]
        return done.counts["written"], {name: n for name, n in done.reasons.items() if name != "nothing-to-remove"}

    assert removed() == (0, {})
    [(segments, beyond)] = rows(
        connection, 'SELECT count(*), count(*) FILTER (WHERE "segmentIndex" >= 1) FROM "FeedPresorted"'
    )
    assert removed(maxSegments=1) == (beyond, {"beyond-max-segments": beyond})
    assert removed(minutes=30) == (segments, {"expired": segments})
    assert removed(environment={"FEED_ALGO_VERSION": "v2"}) == (segments, {"other-version": segments})


def test_damaged_segments_go_and_stop_nothing(site_url: str, connection: Connection) -> None:
    random_feed_site(2).store(connection)
    run(site_url, feed_presort.JOB, NOW)
    back_to_rows(connection)
    users = [user for (user,) in rows(connection, 'SELECT DISTINCT "userId" FROM "FeedPresorted" ORDER BY 1')]
    damaged = ("{}", "3", "[7]", '[{"kind": "post"}]', '[{"kind": "post", "id": "x"}]', '[{"id": 1}]', "[null]", "null")
    for user, items in zip(users, damaged, strict=False):
        connection.execute(
            'UPDATE "FeedPresortedRow" SET "items" = %s WHERE "userId" = %s AND "segmentIndex" = 0', [items, user]
        )
    done = run(site_url, JOB, NOW + MINUTE)
    assert done.counts["written"] == len(damaged)


def test_segments_that_no_run_has_listed_are_looked_at_too(site_url: str, connection: Connection) -> None:
    site = small_site()
    presorted(site_url, connection, site)
    connection.execute('DELETE FROM "FeedPresortedUser"')
    assert run(site_url, JOB, NOW + MINUTE).counts["written"] == 0
    assert run(site_url, JOB, NOW + 31 * MINUTE, incremental=True).counts["written"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_after_any_changes_nothing_unwanted_is_left(site_url: str, connection: Connection, seed: int) -> None:
    site = random_feed_site(seed)
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW)
    for step in range(8):
        site = changed_feed_site(site, 100 * seed + step)
    site.store(connection)
    before = stored_segments(connection)
    done = run(site_url, JOB, NOW + MINUTE, batchSize=6)
    after = stored_segments(connection)
    assert_nothing_unwanted(site, after)
    assert 0 < done.counts["written"] < sum(map(len, before.values()))
    assert sum(map(len, before.values())) - sum(map(len, after.values())) == done.counts["written"]


def stored_segments(connection: Connection) -> dict[int, list[Any]]:
    """User -> segments, of which some may be missing."""
    found: dict[int, list[Any]] = {}
    for user, items in rows(connection, 'SELECT "userId", "items" FROM "FeedPresorted" ORDER BY "userId"'):
        found.setdefault(user, []).append(items)
    return found


# Beside a presort --------------------------------------------------------------------------------------------


def test_feeds_that_a_presort_is_writing_are_left_to_it(site_url: str, connection: Connection) -> None:
    site = small_site()
    presorted(site_url, connection, site)
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW)
    with connect(site_url) as other, other.transaction():
        other.execute('UPDATE "FeedPresortedUser" SET "segments" = "segments" WHERE "userId" = 1')
        done = run(site_url, JOB, NOW + 40 * MINUTE)
        assert done.reasons["being-presorted"] == 1
        assert 1 in stored(connection)
    assert run(site_url, JOB, NOW + 40 * MINUTE).reasons["expired"] > 0
    assert stored(connection) == {}


def test_cleanup_and_presort_run_side_by_side_again_and_again(site_url: str, connection: Connection) -> None:
    site = random_feed_site(5)
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW)
    end = time.monotonic() + 3
    counts = {"presort": 0, "cleanup": 0}
    collisions = []

    def again(name: str, job: Any) -> None:
        minute = 0
        while time.monotonic() < end or min(counts.values()) <= 2:
            assert time.monotonic() < end + PATIENCE_S
            minute += 31 if name == "presort" else 30
            try:
                page_of_all(site_url, job, NOW + minute * MINUTE)
                counts[name] += 1
            except psycopg.Error as error:
                collisions.append(error)

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(again, "presort", feed_presort.JOB), pool.submit(again, "cleanup", JOB)]:
            each.result()
    assert all(is_transient(error) for error in collisions), collisions
    page_of_all(site_url, feed_presort.JOB, NOW + timedelta(days=5))
    last = stored(connection)
    connection.execute('DELETE FROM "FeedSegment"')
    connection.execute('DELETE FROM "FeedPresortedUser"')
    page_of_all(site_url, feed_presort.JOB, NOW + timedelta(days=5))
    assert stored(connection) == last


def test_cleanup_keeps_a_presort_waiting_for_no_more_than_its_last_step(site_url: str, connection: Connection) -> None:
    """It locks no row while it looks for segments to remove, which takes nearly all its time."""
    site = small_site()
    presorted(site_url, connection, site)
    with connect(site_url) as cleaning, cleaning.transaction():
        cleaning.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cleaning.execute(FIND, {"keys": [1], "now": NOW, "version": "v1", "maxSegments": 3})
        held = rows(
            connection,
            """SELECT count(*) FROM pg_locks WHERE "mode" NOT IN ('AccessShareLock', 'ExclusiveLock')
               AND "pid" <> pg_backend_pid()""",
        )
        assert held == [(0,)]
        run(site_url, feed_presort.JOB, NOW + MINUTE, userId=1)
