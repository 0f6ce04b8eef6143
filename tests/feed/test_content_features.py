"""content-features against a plain implementation: every post that is there, changes of every kind, nothing twice."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.feed.content_features import JOB, quality_of
from tests.feed import oracle
from tests.feed.running import rows, run, versions
from tests.feed.sites import NOW, Media, Post, Site, changed, random_site

LATER = NOW + timedelta(minutes=10)


def stored(connection: Connection) -> dict[int, tuple[list[str], Any]]:
    found = rows(connection, 'SELECT "postId", "topics", "quality" FROM "PostFeatures"')
    return {post: (topics, pytest.approx(quality, abs=1e-9)) for post, topics, quality in found}


def site_of(*posts: Post) -> Site:
    return Site(users={1: True}, posts={post.id: post for post in posts})


def post(number: int, text: str = "jazz", days: float = 1, media: tuple[Media, ...] = ()) -> Post:
    return Post(number, 1, True, text, NOW - timedelta(days=days), deleted=False, media=media)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("days", [0, 7])
def test_every_post_has_the_features_of_a_plain_loop(
    site_url: str, connection: Connection, seed: int, days: int
) -> None:
    site = random_site(seed)
    site.store(connection)
    done = run(site_url, JOB, NOW, batchSize=7, maxLookbackDays=days, maxTopics=3)
    expected = oracle.features(site, NOW, days, limit=3)
    assert stored(connection) == expected
    assert done.counts["written"] == done.counts["processed"] == done.planned == len(expected) > 20
    assert len(done.pages) == -(-len(expected) // 7)


@pytest.mark.parametrize("seed", range(6))
def test_an_incremental_run_leaves_what_a_full_run_leaves_and_touches_nothing_else(
    site_url: str, connection: Connection, seed: int
) -> None:
    site = random_site(seed)
    site.store(connection)
    run(site_url, JOB, NOW, maxLookbackDays=0)
    before = versions(connection, "PostFeatures")
    site = changed(site, seed)
    site.store(connection)
    done = run(site_url, JOB, LATER, incremental=True, maxLookbackDays=0, batchSize=3)
    assert stored(connection) == oracle.features(site, LATER, 0)
    after = versions(connection, "PostFeatures")
    assert sum(before.get(number) != version for number, version in after.items()) == done.counts["written"]
    assert 0 < done.refreshed < 15
    again = run(site_url, JOB, LATER, incremental=True, maxLookbackDays=0)
    assert (again.refreshed, again.counts["written"]) == (0, 0)


def test_a_second_full_run_rewrites_nothing(site_url: str, connection: Connection) -> None:
    random_site(1).store(connection)
    first = run(site_url, JOB, NOW)
    before = versions(connection, "PostFeatures")
    second = run(site_url, JOB, LATER)
    assert versions(connection, "PostFeatures") == before
    assert second.counts["written"] == 0
    assert second.reasons["unchanged"] == second.counts["skipped"] > 20
    assert first.counts["written"] >= second.counts["processed"], "ten minutes later some posts are too old"


def test_features_of_posts_older_than_the_lookback_stay_and_those_of_posts_that_are_gone_go(
    site_url: str, connection: Connection
) -> None:
    site_of(post(1, days=30), post(2), post(3), post(4, days=30)).store(connection)
    run(site_url, JOB, NOW, maxLookbackDays=0)
    site_of(replace(post(1, days=30), text="tango"), post(2), replace(post(4, days=30), deleted=True)).store(connection)
    done = run(site_url, JOB, LATER)
    assert {number: topics for number, (topics, _) in stored(connection).items()} == {1: ["jazz"], 2: ["jazz"]}
    assert done.reasons == {"unchanged": 1, "deleted": 2}


def test_a_post_asked_for_is_computed_whatever_its_age_and_alone(site_url: str, connection: Connection) -> None:
    site_of(post(1, days=2000), post(2)).store(connection)
    assert run(site_url, JOB, NOW, postId="1").counts["written"] == 1
    assert set(stored(connection)) == {1}
    nobody = run(site_url, JOB, NOW, postId=77)
    assert (nobody.pages, nobody.message) == ([], "post 77 does not exist")


def test_another_number_of_topics_makes_stored_ones_stale(site_url: str, connection: Connection) -> None:
    site_of(post(1, "jazz tango samba")).store(connection)
    run(site_url, JOB, NOW)
    assert run(site_url, JOB, LATER, incremental=True, maxTopics=2).counts["written"] == 1
    assert stored(connection)[1][0] == ["tango", "samba"]


def test_only_media_that_somebody_sees_count(site_url: str, connection: Connection) -> None:
    def medium(number: int, status: str, deleted: bool = False) -> Media:
        return Media(number, "IMAGE", status, deleted)

    seen = (medium(1, "READY"), medium(2, "UPLOADED"))
    unseen = (medium(3, "REJECTED"), medium(4, "PENDING"), medium(5, "FAILED_PROCESSING"), medium(6, "READY", True))
    others = ("NEW", "UPLOADING", "FAILED_UPLOAD", "DELETED", "ARCHIVED", "ready", "")
    connection.execute("""ALTER TABLE "Media" ALTER "status" DROP DEFAULT, ALTER "status" TYPE text""")
    strange = tuple(medium(number, status) for number, status in enumerate(others, start=7))
    site_of(post(1, " " * 300, media=seen + unseen + strange)).store(connection)
    run(site_url, JOB, NOW)
    assert stored(connection)[1] == ([], 0.2)


@pytest.mark.parametrize(
    ("text", "media", "quality"),
    [("", 0, 0.0), ("x" * 280, 4, 1.0), ("x" * 999, 99, 1.0), ("x" * 140, 0, 0.3), (" \n" + "山" * 140, 2, 0.5)],
)
def test_quality_grows_with_text_and_media_up_to_one(text: str, media: int, quality: float) -> None:
    assert quality_of(text, media) == pytest.approx(quality)


def test_plan_goes_on_where_a_chapter_ended(site_url: str, connection: Connection) -> None:
    site_of(*(post(number, f"jazz {number}") for number in range(1, 512))).store(connection)
    done = run(site_url, JOB, NOW, batchSize=1)
    assert (done.chapters, len(done.pages), done.counts["written"], done.planned) == (2, 511, 511, 511)
    connection.execute("""UPDATE "Post" SET "text" = 'tango'""")
    done = run(site_url, JOB, LATER, batchSize=1, incremental=True)
    assert (done.chapters, done.counts["written"]) == (1, 511), "one page looks at many posts"
