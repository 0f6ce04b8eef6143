"""Cards that are stored once for all who see them, put together with each user's segments by the view."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.errors import DatabaseFailure
from sitejobs.feed import feed_presort, feed_presort_cleanup
from sitejobs.feed.shared_cards import Card, write_cards
from sitejobs.jobs.keyed import one_moment
from sitejobs.postgres.connection import connect
from sitejobs_local.database import migrations
from tests.feed.feed_sites import FeedSite, Person, random_feed_site
from tests.feed.running import back_to_rows, rows, run
from tests.feed.sites import NOW, Post
from tests.feed.test_feed_presort import expected, rounded, stored

MINUTE = timedelta(minutes=1)
SHOWN = 'SELECT * FROM "FeedPresorted" ORDER BY "userId", "segmentIndex"'


def two_users() -> FeedSite:
    post = Post(10, 3, True, "before", NOW - timedelta(hours=1), deleted=False)
    return FeedSite(people={user: Person(name=f"User {user}") for user in (1, 2, 3)}, posts={10: post})


def previews(connection: Connection, user: int) -> list[str]:
    return [item["preview"] for item in stored(connection)[user][0] if item["kind"] == "post"]


def test_an_edit_that_one_users_run_has_seen_shows_in_every_feed(site_url: str, connection: Connection) -> None:
    site = two_users()
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW)
    site.posts[10] = replace(site.posts[10], text="after")
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW + MINUTE, userId=1)
    assert previews(connection, 1) == previews(connection, 2) == ["after"]


def test_each_card_is_stored_once_and_the_cleanup_removes_what_nobody_can_see(
    site_url: str, connection: Connection
) -> None:
    site = two_users()
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW, batchSize=1)
    cards = 'SELECT "kind", "id", "card"->>\'preview\' FROM "FeedCard" ORDER BY "kind", "id", "madeAt"'
    posts = [row for row in rows(connection, cards) if row[0] == "post"]
    assert posts == [("post", 10, "before")]
    assert len(rows(connection, cards)) == len(set(rows(connection, cards)))
    site.posts[10] = replace(site.posts[10], text="after")
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW + MINUTE)
    assert [row[2] for row in rows(connection, cards) if row[0] == "post"] == ["before", "after"]
    run(site_url, feed_presort_cleanup.JOB, NOW + MINUTE)
    assert [row[2] for row in rows(connection, cards) if row[0] == "post"] == ["after"]
    site.posts = {}
    site.store(connection)
    run(site_url, feed_presort_cleanup.JOB, NOW + MINUTE, userId=2)  # no such run asks whether posts can be read at all
    assert [row[2] for row in rows(connection, cards) if row[0] == "post"] == ["after"]
    run(site_url, feed_presort_cleanup.JOB, NOW + MINUTE)
    assert [row for row in rows(connection, cards) if row[0] == "post"] == []


def test_a_suggested_users_card_is_written_when_the_user_changes_and_only_then(
    site_url: str, connection: Connection
) -> None:
    cards = """
        SELECT "card"->'author'->>'name' FROM "FeedCard" WHERE "kind" = 'suggestion' AND "id" = 3 ORDER BY "madeAt"
    """
    site = FeedSite(people={user: Person(name=f"User {user}") for user in (1, 2, 3)})
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW, batchSize=1)
    run(site_url, feed_presort.JOB, NOW + MINUTE)
    assert rows(connection, cards) == [("User 3",)]
    site.people[3] = Person(name="Renamed")
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW + 2 * MINUTE, incremental=True, batchSize=1)
    assert rows(connection, cards) == [("User 3",), ("Renamed",)]
    assert {item["author"]["name"] for user in (1, 2) for item in stored(connection)[user][0]} >= {"Renamed"}


def test_pages_that_add_the_same_card_at_once_both_succeed(site_url: str, connection: Connection) -> None:
    card = Card("post", 10, 1, '{"kind":"post"}')
    both_have_read = Barrier(2)

    def add() -> None:
        with connect(site_url) as other, one_moment(other):
            other.execute('SELECT FROM "FeedCard"')
            both_have_read.wait(30)
            write_cards(other, [card])

    with ThreadPoolExecutor(2) as pool:
        for added in [pool.submit(add), pool.submit(add)]:
            added.result()
    assert rows(connection, 'SELECT "kind", "id" FROM "FeedCard"') == [("post", 10)] * 2


# From rows to segments ---------------------------------------------------------------------------------------


def as_before(connection: Connection) -> list[tuple[Any, ...]]:
    """Make the database what it was before cards were stored apart; returns the stored feeds."""
    back_to_rows(connection)
    connection.execute('DROP VIEW "FeedPresorted"; DROP TABLE "FeedSegment", "FeedCard"')
    connection.execute('ALTER TABLE "FeedPresortedRow" RENAME TO "FeedPresorted"')
    return rows(connection, SHOWN)


def test_stored_feeds_are_readable_until_a_run_has_replaced_them(site_url: str, connection: Connection) -> None:
    site = random_feed_site(3)
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW)
    before = as_before(connection)
    connection.execute('CREATE VIEW "MyFeed" AS SELECT "userId", "items" FROM "FeedPresorted"')
    for _ in range(2):
        migrations.apply(connection, again=True)
        assert rows(connection, SHOWN) == before
        assert rows(connection, 'SELECT count(*) FROM "MyFeed"') == [(len(before),)]
    run(site_url, feed_presort.JOB, NOW + MINUTE, userId=min(row[0] for row in before))
    moved = {row[0] for row in rows(connection, 'SELECT "userId" FROM "FeedSegment"')}
    assert len(moved) == 1
    assert [row for row in rows(connection, SHOWN) if row[0] not in moved] == [r for r in before if r[0] not in moved]
    run(site_url, feed_presort.JOB, NOW + 2 * MINUTE)
    assert rows(connection, 'SELECT count(*) FROM "FeedPresortedRow"') == [(0,)]
    assert stored(connection) == rounded(expected(site, NOW + 2 * MINUTE))
    assert len(rows(connection, 'SELECT * FROM "MyFeed"')) == len(rows(connection, SHOWN))
    migrations.apply(connection, again=True)
    assert stored(connection) == rounded(expected(site, NOW + 2 * MINUTE))


def test_the_cleanup_removes_feeds_that_no_run_has_replaced(site_url: str, connection: Connection) -> None:
    site = two_users()
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW)
    as_before(connection)
    migrations.apply(connection, again=True)
    site.posts = {}
    site.store(connection)
    done = run(site_url, feed_presort_cleanup.JOB, NOW + MINUTE)
    assert done.reasons["post-gone"] == done.counts["written"] > 1
    assert stored(connection) == {}


def test_who_could_read_the_table_reads_the_view(site_url: str, connection: Connection) -> None:
    random_feed_site(3).store(connection)
    run(site_url, feed_presort.JOB, NOW)
    before = as_before(connection)
    connection.execute('CREATE ROLE "feed_reader" LOGIN')
    try:
        connection.execute('GRANT SELECT ON "FeedPresorted" TO "feed_reader"')
        migrations.apply(connection, again=True)
        run(site_url, feed_presort.JOB, NOW)
        with connect(make_conninfo(site_url, user="feed_reader")) as reader:
            assert rows(reader, SHOWN) == rows(connection, SHOWN)
            assert [row[:2] for row in rows(reader, SHOWN)] == [row[:2] for row in before]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute('SELECT FROM "FeedCard"')
    finally:
        connection.execute('DROP OWNED BY "feed_reader"; DROP ROLE "feed_reader"')


def test_row_level_security_of_the_old_table_is_not_lost_unnoticed(site_url: str, connection: Connection) -> None:
    as_before(connection)
    connection.execute('ALTER TABLE "FeedPresorted" ENABLE ROW LEVEL SECURITY')
    with pytest.raises(DatabaseFailure, match="row level security"):
        migrations.apply(connection, again=True)
    assert rows(connection, """SELECT to_regclass('"FeedPresortedRow"')""") == [(None,)]
