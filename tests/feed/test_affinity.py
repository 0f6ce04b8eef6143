"""affinity against a plain implementation: shares of creators, topics and kinds of posts, and what becomes of them."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.feed import content_features
from sitejobs.feed.affinity import JOB
from tests.feed import oracle
from tests.feed.running import Finished, rows, run, versions
from tests.feed.sites import NOW, Media, Post, Site, changed, random_site

LATER = NOW + timedelta(hours=3)
EMPTY = {
    "creators": {},
    "topics": {},
    "types": {"photos": 0, "videos": 0, "text": 0},
    "velocity": 0,
    "exploration": 0.5,
}


def stored(connection: Connection) -> dict[int, dict[str, Any]]:
    found = rows(
        connection,
        """SELECT "userId", "topCreators", "topCreatorShares", "topTopics", "topTopicShares", "contentTypePrefs",
                  "engagementVelocity", "explorationFactor" FROM "UserAffinityProfile" """,
    )
    return {
        user: {
            "creators": shares(creators, creator_shares),
            "topics": shares(topics, topic_shares),
            "types": {kind: round(share, 6) for kind, share in types.items()},
            "velocity": round(velocity, 6),
            "exploration": round(exploration, 6),
        }
        for user, creators, creator_shares, topics, topic_shares, types, velocity, exploration in found
    }


def shares(names: list[Any], values: list[float]) -> dict[Any, float]:
    return {name: round(value, 6) for name, value in zip(names, values, strict=True)}


def assert_same(found: dict[int, dict[str, Any]], expected: dict[int, dict[str, Any]]) -> None:
    """Whether profiles are equal, including the order of creators and topics."""
    assert found == expected
    for user in expected:
        for part in ("creators", "topics"):
            assert list(found[user][part]) == list(expected[user][part])


def compute(url: str, connection: Connection, site: Site, at: Any = NOW, **options: Any) -> Finished:
    site.store(connection)
    run(url, content_features.JOB, at, maxLookbackDays=0, incremental=True)
    return run(url, JOB, at, **options)


def expected(site: Site, at: Any = NOW, days: int = 90) -> dict[int, dict[str, Any]]:
    return oracle.affinity(site, oracle.features(site, at, 0), at, days)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("days", [90, 1])
def test_every_profile_is_that_of_a_plain_loop(site_url: str, connection: Connection, seed: int, days: int) -> None:
    site = random_site(seed, users=40, posts=120, likes=900)
    done = compute(site_url, connection, site, batchSize=9, lookbackDays=days)
    profiles = expected(site, days=days)
    assert_same(stored(connection), profiles)
    assert done.counts["written"] == len(profiles) > 20
    assert done.counts["processed"] == 40 == done.counts["written"] + done.counts["skipped"]
    assert done.reasons["deleted"] == sum(not here for here in site.users.values())


@pytest.mark.parametrize("seed", range(6))
def test_an_incremental_run_leaves_what_a_full_run_leaves_and_touches_nothing_else(
    site_url: str, connection: Connection, seed: int
) -> None:
    site = random_site(seed, users=40, posts=120, likes=900)
    compute(site_url, connection, site)
    for step in range(3):
        known, before = stored(connection), versions(connection, "UserAffinityProfile")
        site = changed(site, step)
        done = compute(site_url, connection, site, LATER, incremental=True, batchSize=5)
        profiles = expected(site, LATER)
        emptied = {user: EMPTY for user in known if site.users[user] and user not in profiles}
        assert_same(stored(connection), profiles | emptied)
        after = versions(connection, "UserAffinityProfile")
        assert sum(before.get(user) != version for user, version in after.items()) == done.counts["written"]
        again = run(site_url, JOB, LATER, incremental=True)
        assert (again.refreshed, again.counts["written"]) == (0, 0)


def test_a_second_full_run_rewrites_nothing(site_url: str, connection: Connection) -> None:
    compute(site_url, connection, random_site(3))
    before = versions(connection, "UserAffinityProfile")
    again = run(site_url, JOB, NOW)
    assert versions(connection, "UserAffinityProfile") == before != {}
    assert (again.counts["written"], again.reasons["unchanged"]) == (0, len(before))


def world(likes: dict[int, timedelta]) -> Site:
    """User 1 has liked these posts of 2 and 3 (10: text, 11: photo, 12: video and photo), or the own one, 13."""

    def media(*types: str) -> tuple[Media, ...]:
        return tuple(Media(90 + at + 10 * len(types), type_, "READY", False) for at, type_ in enumerate(types))

    def post(number: int, user: int, text: str, *types: str) -> Post:
        return Post(number, user, True, text, NOW - timedelta(days=1), False, media(*types))

    posts = [
        post(10, 2, "jazz"),
        post(11, 2, "jazz piano", "IMAGE"),
        post(12, 3, "", "IMAGE", "VIDEO"),
        post(13, 1, "me"),
    ]
    return Site(
        {1: True, 2: True, 3: True},
        {it.id: it for it in posts},
        {(1, number): NOW - ago for number, ago in likes.items()},
    )


HOUR = timedelta(hours=1)


def test_a_profile_holds_shares_of_creators_topics_and_kinds(site_url: str, connection: Connection) -> None:
    compute(site_url, connection, world({10: HOUR, 11: HOUR, 12: HOUR}))
    assert stored(connection) == {
        1: {
            "creators": {2: 0.666667, 3: 0.333333},
            "topics": {"jazz": 0.666667, "piano": 0.333333},
            "types": {"photos": 0.333333, "videos": 0.333333, "text": 0.333333},
            "velocity": 0.033333,
            "exploration": 0.066667,
        }
    }


def test_likes_of_ones_own_posts_count_for_nothing(site_url: str, connection: Connection) -> None:
    done = compute(site_url, connection, world({13: HOUR}))
    assert (stored(connection), done.reasons) == ({}, {"no-likes": 3})


def test_exploration_is_half_where_no_topic_is_known(site_url: str, connection: Connection) -> None:
    compute(site_url, connection, world({12: HOUR}))
    assert stored(connection)[1]["exploration"] == 0.5


@pytest.mark.parametrize("incremental", [False, True])
def test_a_profile_is_emptied_once_its_likes_have_gone(
    site_url: str, connection: Connection, incremental: bool
) -> None:
    compute(site_url, connection, world({10: HOUR}))
    assert stored(connection)[1] != EMPTY
    assert compute(site_url, connection, world({}), LATER, incremental=incremental).counts["written"] == 1
    assert stored(connection) == {1: EMPTY}
    assert compute(site_url, connection, world({}), LATER, incremental=incremental).counts["written"] == 0


@pytest.mark.parametrize("incremental", [False, True])
def test_likes_leave_a_profile_as_they_grow_old(site_url: str, connection: Connection, incremental: bool) -> None:
    site = world({10: 89 * 24 * HOUR, 11: HOUR})
    compute(site_url, connection, site)
    assert list(stored(connection)[1]["topics"]) == ["jazz", "piano"]
    assert stored(connection)[1]["topics"]["jazz"] > 0.6
    run(site_url, JOB, NOW + timedelta(days=2), incremental=incremental)
    assert stored(connection)[1]["topics"] == {"jazz": 0.5, "piano": 0.5}
    run(site_url, JOB, NOW + timedelta(days=91), incremental=incremental)
    assert stored(connection) == {1: EMPTY}


@pytest.mark.parametrize("incremental", [False, True])
def test_a_user_who_leaves_has_no_profile(site_url: str, connection: Connection, incremental: bool) -> None:
    site = world({10: HOUR})
    compute(site_url, connection, site)
    site.users[1] = False
    done = compute(site_url, connection, site, LATER, incremental=incremental)
    assert (stored(connection), done.reasons["deleted"]) == ({}, 1)


def test_a_user_asked_for_is_computed_alone(site_url: str, connection: Connection) -> None:
    site = random_site(1)
    compute(site_url, connection, site, userId=str(max(expected(site))))
    assert set(stored(connection)) == {max(expected(site))}


def test_only_the_best_creators_and_topics_are_kept_with_their_share_of_all(
    site_url: str, connection: Connection
) -> None:
    authors = range(2, 52)
    posts = {number: Post(number, number, True, f"topic{number:02}", NOW, False) for number in authors}
    site = Site(dict.fromkeys((1, *authors), True), posts, {(1, number): NOW - HOUR for number in authors})
    compute(site_url, connection, site)
    profile = stored(connection)[1]
    assert profile["creators"] == dict.fromkeys(range(2, 22), 0.02)
    assert profile["topics"] == {f"topic{number:02}": 0.02 for number in range(2, 32)}
    assert profile["exploration"] == 1
