"""Which feeds an incremental run makes anew after public posts have changed, and that all are a full run's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import Connection

from sitejobs.feed.feed_presort import JOB
from sitejobs.feed.feed_presort_cleanup import JOB as CLEANUP
from sitejobs.postgres.connection import connect, is_transient
from tests.feed import feed_oracle as oracle
from tests.feed.feed_changes import changed_feed_site
from tests.feed.feed_sites import Affinity, FeedSite, Person, random_feed_site
from tests.feed.running import Finished, rows, run, versions
from tests.feed.sites import NOW, Media, Post
from tests.feed.test_feed_presort import MINUTE, clear, everything, expected, rounded, stored

HOUR = timedelta(hours=1)
SMALL: dict[str, Any] = {"segmentSize": 6, "maxSegments": 2}
"""Feeds that look at few of the posts."""


# Random sites ------------------------------------------------------------------------------------------------


def tied_site(random: Random, users: int = 14, posts: int = 70) -> FeedSite:
    """A site of many public posts of few times, figures, topics and authors, so that many scores are equal."""
    site = random_feed_site(random.randrange(2**32), users=users, posts=0)
    for number in range(1, posts + 1):
        put_post(random, site, number)
    return site


def put_post(random: Random, site: FeedSite, number: int) -> None:
    media = tuple(
        Media(number * 10 + at, random.choice(("IMAGE", "VIDEO")), "READY", False) for at in range(random.randrange(2))
    )
    created = NOW - random.choice((HOUR, 5 * HOUR, 5 * HOUR, 30 * HOUR))
    text, public = random.choice(("jazz", "tea")), random.random() > 0.1
    site.posts[number] = Post(number, random.choice(list(site.people)), public, text, created, False, media)
    site.features[number] = (random.sample(["jazz", "tea", "chess"], random.randrange(3)), random.choice((0, 0.5, 1)))


def change_posts(random: Random, site: FeedSite) -> FeedSite:
    """The site after one or two changes of posts."""
    site = deepcopy(site)
    for _ in range(random.randrange(1, 3)):
        change, number = random.randrange(6), random.choice(list(site.posts))
        post = site.posts[number]
        if change == 0:
            put_post(random, site, max(site.posts) + 1)
        elif change == 1:
            site.posts[number] = replace(post, text=f"edited {random.random()}")
        elif change == 2:
            site.posts[number] = replace(post, public=not post.public)
        elif change == 3:
            site.posts[number] = replace(post, deleted=True)
        elif change == 4:
            site.features[number] = (["jazz"], random.choice((0, 0.5, 1)))
        else:
            site.people[post.user] = replace(site.people[post.user], visible=random.random() > 0.5)
    return site


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 4), repeat=st.sampled_from((None, "2")))
def test_after_changed_posts_all_rows_are_those_of_a_full_run(
    kept_url: str, seed: int, steps: int, repeat: str | None
) -> None:
    random = Random(seed)
    site = tied_site(random)
    environment = {"MATCH_REPEAT_DAYS": repeat} if repeat else {}
    with connect(kept_url) as connection:

        def store() -> None:
            site.store(connection)
            connection.execute("""UPDATE "Like" SET "createdAt" = %s - "fromUserId" %% 4 * interval '1 day'""", [NOW])

        clear(connection)
        store()
        run(kept_url, JOB, NOW, environment=environment, batchSize=5, **SMALL)
        for step in range(steps):
            site = change_posts(random, site) if random.random() < 0.7 else changed_feed_site(site, seed + step)
            store()
            run(kept_url, JOB, NOW, environment=environment, incremental=True, batchSize=5, **SMALL)
        made = everything(connection)
        if repeat is None:
            assert stored(connection) == rounded(expected(site, size=6, most=2))
        clear(connection)
        run(kept_url, JOB, NOW, environment=environment, **SMALL)
        assert everything(connection) == made


@pytest.mark.parametrize("seed", range(3))
def test_kept_feeds_are_those_of_their_time_and_new_ones_those_of_now(
    site_url: str, connection: Connection, seed: int
) -> None:
    random = Random(seed)
    site = tied_site(random)
    site.store(connection)
    run(site_url, JOB, NOW, **SMALL)
    kept = 0
    for step in range(1, 7):
        site = change_posts(random, site)
        site.store(connection)
        run(site_url, JOB, NOW + step * MINUTE, incremental=True, **SMALL)
        times = dict(rows(connection, 'SELECT "userId", "computedAt" FROM "FeedPresortedUser"'))
        kept += sum(at < NOW + step * MINUTE for at in times.values())
        assert stored(connection) == rounded(of_their_times(site, times))
    assert kept > 0


def of_their_times(site: FeedSite, times: dict[int, datetime]) -> dict[int, Any]:
    feeds = {user: oracle.feed(site, user, at, size=6, most=2) for user, at in times.items()}
    return {user: feed for user, feed in feeds.items() if feed}


def test_two_incremental_runs_at_once_leave_a_full_runs_feeds(kept_url: str) -> None:
    random = Random(5)
    site = tied_site(random)
    with connect(kept_url) as connection:
        clear(connection)
        site.store(connection)
        run(kept_url, JOB, NOW, **SMALL)
        for _ in range(3):
            site = change_posts(random, change_posts(random, site))
            site.store(connection)
            with ThreadPoolExecutor(2) as pool:
                both = [pool.submit(run, kept_url, JOB, NOW, incremental=True, batchSize=4, **SMALL) for _ in range(2)]
            errors = [error for each in both if (error := each.exception()) is not None]
            assert all(isinstance(error, psycopg.Error) and is_transient(error) for error in errors)
            run(kept_url, JOB, NOW, incremental=True, **SMALL)  # as Step Functions tries again
            assert stored(connection) == rounded(expected(site, size=6, most=2))


# Particular posts --------------------------------------------------------------------------------------------


def town(users: int = 40) -> FeedSite:
    """Visible users; some have posts, the newest ones best. User 1 likes jazz, those from 30 on block user 3."""
    site = FeedSite(people={user: Person(name=f"User {user}") for user in range(1, users + 1)})
    for number in range(1, 101):
        author = 2 + number % 20
        site.posts[number] = Post(number, author, True, f"post {number}", NOW - number * HOUR, deleted=False)
        site.features[number] = ([], 0.5)
    site.blocks = {(user, 3) for user in range(30, users + 1)}
    site.affinities[1] = Affinity({}, {"jazz": 1.0}, {"photos": 0.0, "videos": 0.0, "text": 0.0})
    return site


class Town:
    """A town whose feeds are stored; `after` changes it and returns who was made anew."""

    def __init__(self, url: str, connection: Connection) -> None:
        self.url, self.connection, self.site = url, connection, town()
        self.site.store(connection)
        run(url, JOB, NOW, **SMALL)
        self.done = Finished()

    def after(self, change: Callable[[FeedSite], object]) -> set[int]:
        change(self.site)
        self.site.store(self.connection)
        before = versions(self.connection, "FeedPresortedUser")
        self.done = run(self.url, JOB, NOW, incremental=True, **SMALL)
        after = versions(self.connection, "FeedPresortedUser")
        assert stored(self.connection) == rounded(expected(self.site, size=6, most=2))
        return {user for user, version in after.items() if before[user] != version}

    def looked_at(self, post: int) -> set[int]:
        found = 'SELECT "userId" FROM "FeedPresortedUser" WHERE %s = ANY("posts")'
        return {user for (user,) in self.connection.execute(found, [post])}


@pytest.fixture
def stored_town(site_url: str, connection: Connection) -> Town:
    return Town(site_url, connection)


def put(number: int, author: int, age: timedelta, topics: tuple[str, ...] = ()) -> Callable[[FeedSite], None]:
    def change(site: FeedSite) -> None:
        site.posts[number] = Post(number, author, True, "new", NOW - age, deleted=False)
        site.features[number] = (list(topics), 0.5)

    return change


def test_a_post_that_ranks_behind_what_feeds_looked_at_makes_none_anew(stored_town: Town) -> None:
    assert stored_town.after(put(500, 30, 10 * HOUR)) == {30}, "but its author's, of whom it is an own post"
    assert stored_town.done.refreshed == 1


def test_a_post_makes_anew_the_feeds_of_those_who_like_what_it_is_about(stored_town: Town) -> None:
    assert stored_town.after(put(500, 30, 10 * HOUR, ("jazz",))) == {1, 30}
    assert stored_town.done.refreshed == 2


def test_the_best_post_makes_all_feeds_anew(stored_town: Town) -> None:
    assert stored_town.after(put(500, 30, MINUTE)) == set(stored_town.site.people)


def test_a_post_that_goes_makes_anew_the_feeds_that_looked_at_it(stored_town: Town) -> None:
    looked = stored_town.looked_at(1)
    assert stored_town.site.posts[1].user == 3
    assert looked == set(range(1, 30))
    assert stored_town.after(lambda site: site.posts.pop(1)) == looked
    assert stored_town.looked_at(60) == set()
    author = stored_town.site.posts[60].user
    assert stored_town.after(lambda site: site.posts.pop(60)) == {author}, "of whom it was an own post"


def test_an_edited_text_shows_at_once_and_makes_anew_the_feeds_that_embed_it(stored_town: Town) -> None:
    def edit(number: int) -> Callable[[FeedSite], None]:
        return lambda site: site.posts.update({number: replace(site.posts[number], text="edited")})

    feeds = feeds_of(stored_town.connection)
    embedding = {user for user, items in feeds.items() if items[0]["id"] == "2"}
    assert embedding == set(range(30, 41))
    assert stored_town.after(edit(2)) == embedding | {4}, "and its author's, of whom it is an own post"
    assert stored_town.after(edit(1)) == set(range(1, 30))
    items = [item for feed in feeds_of(stored_town.connection).values() for item in feed]
    assert {item["preview"] for item in items if item["id"] in ("1", "2") and item["kind"] == "post"} == {"edited"}


def feeds_of(connection: Connection) -> dict[int, list[dict[str, Any]]]:
    return {user: [item for segment in feed for item in segment] for user, feed in stored(connection).items()}


def test_a_dry_run_writes_no_card_of_an_edited_post(stored_town: Town) -> None:
    site, connection = stored_town.site, stored_town.connection
    site.posts[2] = replace(site.posts[2], text="edited")
    site.store(connection)
    before = rows(connection, 'SELECT * FROM "FeedCard" ORDER BY 1, 2, 3')
    run(stored_town.url, JOB, NOW, incremental=True, dryRun=True, **SMALL)
    assert rows(connection, 'SELECT * FROM "FeedCard" ORDER BY 1, 2, 3') == before


def test_feeds_are_made_anew_if_what_they_were_made_of_is_not_known(stored_town: Town) -> None:
    connection = stored_town.connection
    connection.execute('UPDATE "FeedPresortedUser" SET "posts" = NULL WHERE "userId" = 5')
    assert stored_town.after(lambda site: None) == {5}
    connection.execute('DELETE FROM "FeedPublicPosts"')
    assert stored_town.after(put(500, 30, 10 * HOUR)) == set(stored_town.site.people)


def test_the_cleanup_removes_sets_of_posts_that_no_feed_was_made_of(stored_town: Town) -> None:
    kept = 'SELECT "hash" FROM "FeedPublicPosts" ORDER BY "madeAt"'
    stored_town.after(put(500, 30, 10 * HOUR))
    sets = rows(stored_town.connection, kept)
    assert len(sets) == 2
    run(stored_town.url, CLEANUP, NOW)
    assert rows(stored_town.connection, kept) == sets
    run(stored_town.url, JOB, NOW + MINUTE, **SMALL)
    run(stored_town.url, CLEANUP, NOW + MINUTE)
    assert rows(stored_town.connection, kept) == sets[1:]
