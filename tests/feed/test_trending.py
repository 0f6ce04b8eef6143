"""trending against a plain implementation: what counts, how scores fall, when they go."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.feed.trending import JOB, popularity_of, velocity_of
from tests.feed import oracle
from tests.feed.running import rows, run, versions
from tests.feed.sites import NOW, Post, Site, changed, random_site

HOUR = timedelta(hours=1)
AUTHOR, LIKERS = 1, range(2, 12)


def stored(connection: Connection) -> dict[int, tuple[Any, Any]]:
    found = rows(connection, 'SELECT "postId", "popularity", "velocity" FROM "TrendingScore"')
    return {post: (pytest.approx(popularity), pytest.approx(velocity)) for post, popularity, velocity in found}


def liked(likes: int = 5, age: timedelta = 2 * HOUR, liked_ago: timedelta = HOUR) -> Site:
    """A site of one post with this many likes."""
    users = dict.fromkeys((AUTHOR, *LIKERS), True)
    post = Post(10, AUTHOR, True, "jazz", NOW - age, deleted=False)
    return Site(users, {10: post}, {(user, 10): NOW - liked_ago for user in LIKERS[:likes]})


def trends(url: str, connection: Connection, site: Site, at: datetime = NOW, **options: Any) -> bool:
    site.store(connection)
    run(url, JOB, at, **options)
    return 10 in stored(connection)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("hours", "least"), [(48, 5), (5, 1), (200, 3)])
def test_every_score_is_that_of_a_plain_loop(
    site_url: str, connection: Connection, seed: int, hours: int, least: int
) -> None:
    site = random_site(seed)
    site.store(connection)
    done = run(site_url, JOB, NOW, batchSize=7, windowHours=hours, minEngagements=least)
    expected = oracle.trending(site, NOW, hours, least)
    assert stored(connection) == expected
    assert done.counts["written"] == len(expected) > 0
    assert done.counts["processed"] == done.counts["written"] + done.counts["skipped"]
    assert {"few-likes", "deleted", "private"} & set(done.reasons)


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_scores_follow_what_happens_on_the_site(
    site_url: str, connection: Connection, seed: int, incremental: bool
) -> None:
    site = random_site(seed)
    for step in range(4):
        at = NOW + step * 9 * HOUR
        site.store(connection)
        run(site_url, JOB, at, incremental=incremental, batchSize=11)
        assert stored(connection) == oracle.trending(site, at)
        site = changed(site, step)


def test_likes_that_are_old_count_for_nothing(site_url: str, connection: Connection) -> None:
    young = liked(age=47 * HOUR)
    assert trends(site_url, connection, young)
    assert not trends(site_url, connection, liked(age=49 * HOUR)), "an old post with new likes"
    assert not trends(site_url, connection, young, windowHours=46)
    assert not trends(site_url, connection, liked(age=20 * HOUR, liked_ago=50 * HOUR)), "likes of before the post"


def test_likes_of_deleted_users_count_for_nothing(site_url: str, connection: Connection) -> None:
    site = liked(likes=5)
    assert trends(site_url, connection, site)
    site.users[LIKERS[0]] = False
    assert not trends(site_url, connection, site)


def test_the_authors_own_like_counts_for_nothing(site_url: str, connection: Connection) -> None:
    site = liked(likes=4)
    site.likes[AUTHOR, 10] = NOW - HOUR
    assert not trends(site_url, connection, site)
    assert trends(site_url, connection, site, minEngagements=4)


@pytest.mark.parametrize("change", [{"public": False}, {"deleted": True}, {"created": NOW + HOUR}])
def test_a_post_that_may_not_trend_loses_its_score_in_the_same_run(
    site_url: str, connection: Connection, change: dict[str, Any]
) -> None:
    site = liked()
    assert trends(site_url, connection, site)
    site.posts[10] = replace(site.posts[10], **change)
    assert not trends(site_url, connection, site)


def test_posts_of_deleted_authors_and_posts_that_have_gone_do_not_trend(site_url: str, connection: Connection) -> None:
    site = liked()
    site.users[AUTHOR] = False
    assert not trends(site_url, connection, site)
    site.users[AUTHOR] = True
    assert trends(site_url, connection, site)
    assert not trends(site_url, connection, Site(site.users))


def test_scores_fall_with_age_and_go_once_the_window_has_passed(site_url: str, connection: Connection) -> None:
    site = liked(likes=10)
    seen = []
    for hours in (0, 1, 5, 20, 40):
        assert trends(site_url, connection, site, NOW + hours * HOUR)
        seen.append(rows(connection, 'SELECT "popularity", "velocity" FROM "TrendingScore"')[0])
    assert seen == sorted(seen, reverse=True)
    assert [velocity for _, velocity in seen] == sorted((velocity for _, velocity in seen), reverse=True)
    assert not trends(site_url, connection, site, NOW + 48 * HOUR)


def test_the_peak_is_when_the_stored_velocity_was_highest(site_url: str, connection: Connection) -> None:
    def peak(at: datetime, likes: int) -> tuple[Any, ...]:
        assert trends(site_url, connection, liked(likes), at)
        return rows(connection, 'SELECT "peakTime", "peakVelocity" FROM "TrendingScore"')[0]

    assert peak(NOW, 5) == (NOW, 2.5)
    assert peak(NOW + HOUR, 5) == (NOW, 2.5)
    assert peak(NOW + 2 * HOUR, 10) == (NOW, 2.5), "ten likes in four hours are no more than five in two"
    later = NOW + timedelta(minutes=30)
    connection.execute('DELETE FROM "TrendingScore"')
    assert peak(NOW, 5) == (NOW, 2.5)
    assert peak(later, 10) == (later, 4)
    assert peak(later, 10) == (later, 4), "a page may run twice"


def test_a_score_says_when_it_expires_and_an_expired_one_starts_anew(site_url: str, connection: Connection) -> None:
    site = liked(likes=10)
    assert trends(site_url, connection, site, expiryHours=3)
    times = 'SELECT "computedAt", "expiresAt", "peakTime" FROM "TrendingScore"'
    assert rows(connection, times) == [(NOW, NOW + 3 * HOUR, NOW)]
    later = NOW + 4 * HOUR
    assert trends(site_url, connection, site, later, expiryHours=3)
    assert rows(connection, times) == [(later, later + 3 * HOUR, later)], "its peak was that of an expired score"


def test_the_same_run_twice_rewrites_nothing(site_url: str, connection: Connection) -> None:
    random_site(2).store(connection)
    run(site_url, JOB, NOW)
    before = versions(connection, "TrendingScore")
    again = run(site_url, JOB, NOW)
    assert versions(connection, "TrendingScore") == before != {}
    assert (again.counts["written"], again.reasons["unchanged"]) == (0, len(before))


def test_an_older_run_that_comes_late_leaves_the_newer_scores(site_url: str, connection: Connection) -> None:
    site = liked(likes=10)
    assert trends(site_url, connection, site, NOW + HOUR)
    before = versions(connection, "TrendingScore")
    assert trends(site_url, connection, site, NOW)
    assert trends(site_url, connection, site, NOW, minEngagements=11)
    assert versions(connection, "TrendingScore") == before


def test_a_like_never_weighs_more_than_itself_and_a_new_post_is_a_minute_old() -> None:
    assert popularity_of(10, 0) == 10
    assert popularity_of(10, 5.389056098930650) == pytest.approx(5)
    assert velocity_of(10, 0) == 600
    assert velocity_of(10, 5) == 2
