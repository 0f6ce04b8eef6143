"""feed-presort against a plain implementation: every segment, after full runs, changes, and incremental runs."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import Connection

from sitejobs.errors import InvalidInput
from sitejobs.feed.feed_presort import JOB
from sitejobs.feed.filling import Placed, fill
from sitejobs.feed.rules import Rules
from sitejobs.postgres.connection import connect
from tests.feed import feed_oracle as oracle
from tests.feed.feed_changes import CHANGES, changed_feed_site
from tests.feed.feed_sites import FeedSite, Person, random_feed_site
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
    """The feeds, with floats that equal others within 2e-6: the two implementations add in different orders."""

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


@pytest.mark.parametrize("seed", range(4))
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
        assert_nothing_unwanted(site, stored(connection))
        after = versions(connection, "FeedPresortedUser")
        assert sum(before.get(user) != version for user, version in after.items()) <= done.counts["processed"]
        again = run(site_url, JOB, NOW, incremental=True)
        assert (again.refreshed, again.counts["written"]) == (0, 0)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 4))
def test_rows_after_incremental_runs_are_those_of_a_full_run(kept_url: str, seed: int, steps: int) -> None:
    site = random_feed_site(seed, users=12, posts=25)
    with connect(kept_url) as connection:
        site.store(connection)
        clear(connection)
        run(kept_url, JOB, NOW, batchSize=5)
        for step in range(steps):
            site = changed_feed_site(site, seed + step)
            site.store(connection)
            run(kept_url, JOB, NOW, incremental=True, batchSize=5)
        made = everything(connection)
        clear(connection)
        run(kept_url, JOB, NOW)
        assert everything(connection) == made


def everything(connection: Connection) -> list[Any]:
    """All that readers see, phase1Json included, and what feeds rest on."""
    return [
        rows(connection, f'SELECT {columns} FROM "{name}" ORDER BY "userId", 2')
        for name, columns in (("FeedPresorted", "*"), ("FeedPresortedUser", _OF_USERS))
    ]


_OF_USERS = """
"userId", "algorithmVersion", "computedAt", "expiresAt", "segments", "skipped", "shared", "fingerprint", "posts"
"""
"""Without what tells of its time: a feed is kept while later posts and people who hide change nothing about it."""


def clear(connection: Connection) -> None:
    for table in ("FeedSegment", "FeedPresortedUser", "FeedCard", "FeedPublicPosts"):
        connection.execute(f'DELETE FROM "{table}"'.encode())


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_an_incremental_run_sees_each_kind_of_change_by_itself(
    site_url: str, connection: Connection, change: Callable[[Random, FeedSite], None]
) -> None:
    random, site = Random(1), random_feed_site(8, users=16, posts=40)
    site.people = {user: replace(person, visible=user % 5 > 0) for user, person in site.people.items()}
    site.store(connection)
    run(site_url, JOB, NOW)
    feeds, seen = expected(site), 0
    for _ in range(10):
        change(random, site)
        before, feeds = feeds, expected(site)
        seen += before != feeds
        site.store(connection)
        run(site_url, JOB, NOW, incremental=True)
        assert stored(connection) == rounded(feeds)
        if seen == 3:
            break
    assert seen, "no change made a difference"


def assert_nothing_unwanted(site: FeedSite, feeds: dict[int, Any], now: datetime = NOW) -> None:
    """Check for each item alone that it may be in the feed."""
    for user, segments in feeds.items():
        assert not site.people[user].deleted
        items = [item for segment in segments for item in segment]
        assert len({(item["kind"], item["id"]) for item in items}) == len(items), "an item stands there twice"
        kinds: dict[int, set[str]] = {}
        for segment in segments:
            assert all(count <= 3 for count in oracle.shown_authors([segment]).values())
        for item in items:
            if item["kind"] == "question":
                continue
            author = int(item["author"]["id"])
            kinds.setdefault(author, set()).add(item["kind"])
            if author != user:
                assert (user, author) not in site.blocks
                assert (author, user) not in site.blocks
                assert site.people[author].shown
            if item["kind"] == "suggestion":
                assert author == int(item["id"]) != user
                continue
            post = site.posts[int(item["id"])]
            assert post.user == author
            assert not post.deleted
            assert now - timedelta(days=7) < post.created <= now
            assert post.public or author == user or site.access[author, user] == "GRANTED"
        assert all(len(each) == 1 for each in kinds.values()), "an author as post and as suggestion"


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**32), steps=st.integers(0, 3), size=st.integers(1, 25))
def test_nothing_unwanted_is_ever_in_a_feed(kept_url: str, seed: int, steps: int, size: int) -> None:
    site = random_feed_site(seed, users=9, posts=25)
    with connect(kept_url) as connection:
        connection.execute('DELETE FROM "FeedSegment"')
        connection.execute('DELETE FROM "FeedPresortedUser"')
        site.store(connection)
        run(kept_url, JOB, NOW, segmentSize=size)
        assert_nothing_unwanted(site, stored(connection))
        for step in range(steps):
            site = changed_feed_site(site, seed + step)
            site.store(connection)
            run(kept_url, JOB, NOW + step * MINUTE, incremental=True, segmentSize=size)
            assert_nothing_unwanted(site, stored(connection))


# Particular people -------------------------------------------------------------------------------------------


def crowd(posts: int = 100, users: int = 60) -> FeedSite:
    """Visible users without connections, and public posts of the last days by each in turn."""
    return FeedSite(
        people={user: Person(name=f"User {user}") for user in range(1, users + 1)},
        posts={
            1000 + at: Post(1000 + at, 1 + at % users, True, f"post {at}", NOW - timedelta(hours=at), deleted=False)
            for at in range(posts)
        },
    )


def feed_of(url: str, connection: Connection, site: FeedSite, user: int = 1, **options: Any) -> list[Any]:
    site.store(connection)
    run(url, JOB, options.pop("at", NOW), userId=user, **options)
    return stored(connection).get(user, [])


def test_a_user_without_matches_follows_or_scores_has_a_full_feed(site_url: str, connection: Connection) -> None:
    site = crowd(posts=150)
    feed = feed_of(site_url, connection, site)
    assert [len(segment) for segment in feed] == [20, 20, 20]
    hidden = crowd(posts=300, users=120)
    hidden.people = {user: Person(visible=user % 2 > 0) for user in hidden.people}
    assert [len(segment) for segment in feed_of(site_url, connection, hidden)] == [20, 20, 20]


def test_a_user_for_whom_there_is_nothing_has_no_rows_and_is_counted(site_url: str, connection: Connection) -> None:
    FeedSite(people={1: Person(), 2: Person(visible=False)}).store(connection)
    done = run(site_url, JOB, NOW, userId=1)
    assert (stored(connection), done.reasons) == ({}, {"nothing-to-show": 1})
    assert rows(connection, 'SELECT "segments", "skipped" FROM "FeedPresortedUser"') == [(0, "nothing-to-show")]


@pytest.mark.parametrize("incremental", [False, True])
def test_segments_beyond_the_new_ones_go_in_the_same_run(
    site_url: str, connection: Connection, incremental: bool
) -> None:
    site = crowd()
    assert len(feed_of(site_url, connection, site)) == 3
    site.posts = {}
    site.people = {1: Person(), 2: Person()}
    assert [len(it) for it in feed_of(site_url, connection, site, at=NOW + MINUTE, incremental=incremental)] == [1]
    del site.people[2]
    assert feed_of(site_url, connection, site, at=NOW + 2 * MINUTE, incremental=incremental) == []


@pytest.mark.parametrize("incremental", [False, True])
def test_the_feed_of_a_user_who_leaves_goes(site_url: str, connection: Connection, incremental: bool) -> None:
    site = crowd()
    assert feed_of(site_url, connection, site)
    site.people[1] = Person(deleted=True)
    site.store(connection)
    done = run(site_url, JOB, NOW + MINUTE, incremental=incremental)
    assert 1 not in stored(connection)
    assert done.reasons["deleted"] == 1
    assert rows(connection, 'SELECT count(*) FROM "FeedPresortedUser" WHERE "userId" = 1') == [(0,)]


def test_the_pattern_repeats_across_segments(site_url: str, connection: Connection) -> None:
    feed = feed_of(site_url, connection, crowd())
    site_pattern = [item["presentation"] for segment in feed for item in segment]
    without_questions = [slot for slot in oracle.PATTERN if slot != "question"]
    assert site_pattern == (without_questions * 6)[:60]


def test_one_author_has_three_items_a_segment_and_the_rest_in_the_next_ones(
    site_url: str, connection: Connection
) -> None:
    site = crowd(posts=0, users=2)
    site.people[2] = Person()
    site.posts = {at: Post(at, 2, True, "x", NOW - at * MINUTE, deleted=False) for at in range(1, 20)}
    assert [[item["id"] for item in segment] for segment in feed_of(site_url, connection, site)] == [
        ["1", "2", "3"],
        ["4", "5", "6"],
        ["7", "8", "9"],
    ]


def test_suggestions_go_on_behind_many_hidden_ones(site_url: str, connection: Connection) -> None:
    site = crowd(posts=0, users=190)
    for user in range(2, 150):
        site.people[user] = Person(visible=False)
    site.scores[1] = [(other, 1 - other / 1000) for other in range(2, 191)]
    assert [int(item["id"]) for item in feed_of(site_url, connection, site)[0]] == list(range(150, 170))
    site.people[100] = Person()
    site.store(connection)
    run(site_url, JOB, NOW + MINUTE, incremental=True)
    assert [int(item["id"]) for item in stored(connection)[1][0]] == [100, *range(150, 169)]


def kinds(feed: list[Any], kind: str) -> set[int]:
    return {int(item["id"]) for segment in feed for item in segment if item["kind"] == kind}


def test_only_so_many_candidates_are_taken(site_url: str, connection: Connection) -> None:
    site = crowd(posts=0, users=520)
    site.posts = {at: Post(at, 1 + at % 519, True, "x", NOW - at * MINUTE, deleted=False) for at in range(1, 511)}
    site.features = {at: ([], 1000 * (at > 500)) for at in site.posts}
    assert max(kinds(feed_of(site_url, connection, site, user=520), "post")) <= 500
    site.posts = {at: Post(at, 1, at % 2 > 0, "x", NOW - at * MINUTE, deleted=False) for at in range(1, 31)}
    mine = feed_of(site_url, connection, site, user=1, maxSegments=20)
    assert kinds(mine, "post") == set(range(1, 11)), "the newest ten of one's own"
    site.scores[2] = [(other, 0.5) for other in range(3, 520)]
    assert len(kinds(feed_of(site_url, connection, site, user=2, maxSegments=20), "suggestion")) == 200


# When feeds are made anew ------------------------------------------------------------------------------------


def test_an_incremental_run_skips_what_is_fresh_and_renews_what_is_half_expired(
    site_url: str, connection: Connection
) -> None:
    crowd().store(connection)
    run(site_url, JOB, NOW)
    assert run(site_url, JOB, NOW + 14 * MINUTE, incremental=True).refreshed == 0
    renewed = run(site_url, JOB, NOW + 15 * MINUTE, incremental=True)
    assert renewed.counts["processed"] == 60
    times = {(NOW + 15 * MINUTE, NOW + 45 * MINUTE)}
    for table in ("FeedSegment", "FeedPresortedUser"):
        assert set(rows(connection, f'SELECT "computedAt", "expiresAt" FROM "{table}"')) == times


@pytest.mark.parametrize(
    ("environment", "options"),
    [({"FEED_ALGO_VERSION": "v2"}, {}), ({"FEED_TTL_MINUTES": "60"}, {}), ({}, {"segmentSize": 7})],
)
def test_another_version_time_to_live_or_size_makes_every_feed_anew(
    site_url: str, connection: Connection, environment: dict[str, str], options: dict[str, Any]
) -> None:
    crowd().store(connection)
    run(site_url, JOB, NOW)
    again = run(site_url, JOB, NOW + MINUTE, incremental=True, environment=environment, **options)
    assert again.counts["processed"] == 60
    version = environment.get("FEED_ALGO_VERSION", "v1")
    assert set(rows(connection, 'SELECT "algorithmVersion" FROM "FeedPresorted"')) == {(version,)}
    assert run(site_url, JOB, NOW + MINUTE, incremental=True, environment=environment, **options).refreshed == 0


@pytest.mark.parametrize("value", ["0", "soon", "1.5", "nan", "-3", "1e9"])
def test_a_time_to_live_that_is_none_is_refused_by_name(site_url: str, connection: Connection, value: str) -> None:
    with pytest.raises(InvalidInput, match=rf"FEED_TTL_MINUTES must be .* not '{value}'"):
        run(site_url, JOB, NOW, environment={"FEED_TTL_MINUTES": value})


def test_another_pattern_makes_every_feed_anew() -> None:
    rules = Rules()
    other = replace(rules, pattern=(("post", 1),))
    assert rules.to_parameters()["settings"] != other.to_parameters()["settings"]
    assert Rules.from_parameters(json.loads(json.dumps(other.to_parameters()))) == other
    assert fill([5, 6], [7], 1, other) == ([[Placed("post", "post", 0), Placed("post", "post", 1)]], 2)


def test_the_same_run_twice_rewrites_nothing(site_url: str, connection: Connection) -> None:
    random_feed_site(3).store(connection)
    run(site_url, JOB, NOW)
    before = [versions(connection, table) for table in ("FeedSegment", "FeedPresortedUser")]
    again = run(site_url, JOB, NOW)
    assert [versions(connection, table) for table in ("FeedSegment", "FeedPresortedUser")] == before
    assert (again.counts["written"], again.reasons["unchanged"]) == (0, len(before[1]))


def test_an_older_run_that_comes_late_leaves_the_newer_feeds(site_url: str, connection: Connection) -> None:
    random_feed_site(3).store(connection)
    run(site_url, JOB, NOW + MINUTE)
    before = versions(connection, "FeedSegment")
    late = run(site_url, JOB, NOW)
    assert versions(connection, "FeedSegment") == before != {}
    assert late.reasons["newer-result"] > 0
    assert run(site_url, JOB, NOW, incremental=True).refreshed == 0


def test_the_first_cards_are_there_for_embedding(site_url: str, connection: Connection) -> None:
    site = random_feed_site(1)
    site.store(connection)
    run(site_url, JOB, NOW)
    seen = 0
    for index, items, text in rows(connection, 'SELECT "segmentIndex", "items", "phase1Json" FROM "FeedPresorted"'):
        if index:
            assert text is None
            continue
        seen += 1
        assert not set("<>&\u2028\u2029") & set(text)
        assert len(text.encode()) < 8192
        cards = json.loads(text)
        names = {"kind", "id", "author", "preview", "mediaType", "presentation"}
        assert cards == [{name: item[name] for name in names} for item in items[:2]]
    assert seen > 10
