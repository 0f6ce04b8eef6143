"""Unusual rows: the largest and smallest ids, no keys, duplicates, infinite times, times of a wrong clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from sitejobs.feed import affinity, content_features, feed_presort, feed_presort_cleanup, trending
from tests.feed.feed_sites import FeedSite, Person, Quiz, random_feed_site
from tests.feed.running import back_to_rows, rows, run
from tests.feed.sites import NOW, Post, Site, random_site
from tests.feed.test_feed_presort import expected, rounded, stored
from tests.feed.test_trending import liked, trends

LARGEST, SMALLEST = 2**63 - 1, -(2**63)
ENDLESS = ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01", "200000-01-01")
MINUTE = timedelta(minutes=1)


def of_ids(*ids: int) -> FeedSite:
    """Users, posts and questions with the same ids; all users are suggested to each other."""
    return FeedSite(
        people={id_: Person() for id_ in ids},
        posts={id_: Post(id_, id_, True, "jazz", NOW - at * MINUTE, deleted=False) for at, id_ in enumerate(ids)},
        scores={id_: [(other, 0.5) for other in ids if other != id_] for id_ in ids},
        quizzes=[Quiz(LARGEST, True, NOW, tuple((id_, 1, "Tea?") for id_ in ids[:5]))],
    )


IDS = (LARGEST, LARGEST - 1, SMALLEST, SMALLEST + 1, -1, 0, 1, 2**53 + 1, 13 * 10**17, 2**44 + 1, 10**18)


def test_any_bigint_is_an_id_of_users_posts_and_questions(site_url: str, connection: Connection) -> None:
    site = of_ids(*IDS)
    site.store(connection)
    done = run(site_url, feed_presort.JOB, NOW, batchSize=3)
    assert done.counts["processed"] == len(IDS)
    feeds = stored(connection)
    assert feeds == rounded(expected(site))
    assert {item["id"] for item in feeds[1][0] if item["kind"] == "post"} <= set(map(str, IDS))
    kept = run(site_url, feed_presort_cleanup.JOB, NOW + MINUTE, batchSize=3)
    assert kept.counts["written"] == 0
    # The form in which ids were stored before they were texts
    back_to_rows(connection)
    connection.execute("""
        UPDATE "FeedPresortedRow" SET "items" = (
            SELECT jsonb_agg(item || jsonb_build_object('id', (item->>'id')::numeric) || CASE
                WHEN item->'author' = 'null' THEN '{}' ELSE jsonb_build_object('author',
                    item->'author' || jsonb_build_object('id', (item->'author'->>'id')::numeric)) END ORDER BY place)
            FROM jsonb_array_elements("items") WITH ORDINALITY AS each (item, place))
    """)
    assert run(site_url, feed_presort_cleanup.JOB, NOW + MINUTE).counts["written"] == 0
    connection.execute('DELETE FROM "Post" WHERE "id" = %s', [SMALLEST])
    shown = sum(any(item["kind"] == "post" and item["id"] == SMALLEST for item in feed[0]) for feed in feeds.values())
    assert run(site_url, feed_presort_cleanup.JOB, NOW + MINUTE).reasons["post-gone"] >= max(shown, 1)


@pytest.mark.parametrize("id_", ["9223372036854775808", "-9223372036854775809", "99999999999999999999", "1.5", "x"])
def test_what_is_no_bigint_is_no_card(site_url: str, connection: Connection, id_: str) -> None:
    of_ids(1, 2).store(connection)
    run(site_url, feed_presort.JOB, NOW)
    damaged = Jsonb([{"kind": "post", "id": id_, "author": {"id": "2"}}])
    back_to_rows(connection)
    connection.execute('UPDATE "FeedPresortedRow" SET "items" = %s WHERE "userId" = 1', [damaged])
    assert run(site_url, feed_presort_cleanup.JOB, NOW + MINUTE).counts["written"] == 1


def test_users_whose_ids_lie_far_apart_keep_their_suggestions(site_url: str, connection: Connection) -> None:
    site = of_ids(5, 5 + 2**44, 6, 6 + 2**44)
    site.posts, site.quizzes = {}, []
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW)
    assert stored(connection) == rounded(expected(site))
    assert {len(feed[0]) for feed in stored(connection).values()} == {3}


def loosened(connection: Connection) -> None:
    """Drop the constraints, as on a site that allows NULLs and duplicate keys."""
    for table, columns in {
        "Post": ("userId", "visibility", "text", "createdAt"),
        "Quiz": ("updatedAt", "isActive"),
        "QuizQuestion": ("quizId", "prompt", "order"),
        "QuizOption": ("questionId", "label", "value", "order"),
        "QuizResult": ("quizId", "userId", "answers"),
        "Match": ("userAId", "userBId", "state", "updatedAt"),
        "Like": ("fromUserId", "toUserId", "action"),
        "UserBlock": ("blockerId", "blockedId"),
        "ProfileAccess": ("ownerUserId", "viewerUserId", "status"),
        "LikedPost": ("userId", "postId", "createdAt"),
        "PostMedia": ("postId", "mediaId", "order"),
        "Media": ("type", "status"),
        "Profile": ("isVisible",),
    }.items():
        for (name,) in rows(
            connection,
            f"""SELECT quote_ident(conname) FROM pg_constraint
                WHERE conrelid = '"{table}"'::regclass AND contype IN ('p', 'u', 'c')
                ORDER BY contype DESC""",
        ):
            connection.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT {name} CASCADE'.encode())
        for (name,) in rows(
            connection,
            f"""SELECT indexrelid::regclass::text FROM pg_index
                WHERE indrelid = '"{table}"'::regclass AND indisunique""",
        ):
            connection.execute(f"DROP INDEX {name}".encode())
        for column in columns:
            connection.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" DROP NOT NULL'.encode())


NULLS = (
    """INSERT INTO "Post" ("id", "userId", "visibility", "text", "createdAt") SELECT 9000 + g,
           CASE WHEN g <> 1 THEN (SELECT min("userId") FROM "Post") END,
           CASE WHEN g <> 2 THEN 'PUBLIC'::"PostVisibility" END, CASE WHEN g <> 3 THEN 'x' END,
           CASE WHEN g <> 4 THEN '2026-11-20'::timestamptz END FROM unnest('{1,4}'::int[]) g""",
    """INSERT INTO "Quiz" ("id", "title", "isActive", "updatedAt") VALUES (90, 'x', true, NULL)""",
    """INSERT INTO "QuizQuestion" ("id", "quizId", "order", "prompt") VALUES (9001, NULL, 1, 'x')""",
    """INSERT INTO "QuizQuestion" ("id", "quizId", "order", "prompt")
       SELECT 9100 + "id", "id", NULL, NULL FROM "Quiz" """,
    """INSERT INTO "QuizOption" ("questionId", "label", "value", "order")
       SELECT "id", NULL, 'x', 1 FROM "QuizQuestion" UNION ALL SELECT "id", 'x', NULL, 1 FROM "QuizQuestion" """,
    """INSERT INTO "QuizResult" ("userId", "quizId", "answers")
       SELECT "id", NULL, NULL::jsonb FROM "User" UNION ALL SELECT NULL, "id", '{}' FROM "Quiz" """,
    """INSERT INTO "Match" ("userAId", "userBId", "state", "updatedAt")
       SELECT "id", NULL, 'ACTIVE', NULL FROM "User" """,
    """INSERT INTO "Match" ("userBId", "userAId", "state", "updatedAt")
       SELECT "id", NULL, 'ACTIVE', NULL FROM "User" """,
    """INSERT INTO "Like" ("fromUserId", "toUserId", "action") SELECT "id", NULL, 'DISLIKE' FROM "User" """,
    """INSERT INTO "UserBlock" ("blockerId", "blockedId")
       SELECT "id", NULL FROM "User" UNION ALL SELECT NULL, "id" FROM "User" """,
    """INSERT INTO "ProfileAccess" ("ownerUserId", "viewerUserId", "status")
       SELECT NULL, "id", 'GRANTED' FROM "User" """,
    """INSERT INTO "ProfileAccess" ("ownerUserId", "viewerUserId", "status")
       SELECT "id", NULL, 'GRANTED' FROM "User" """,
    """INSERT INTO "PostMedia" ("postId", "mediaId", "order")
       SELECT "id", NULL, NULL::int FROM "Post" UNION ALL SELECT NULL, "id", 1 FROM "Media" """,
)


@pytest.mark.parametrize("statement", NULLS, ids=lambda it: it.split('"')[1])
def test_a_row_without_its_keys_changes_nobodys_feed(site_url: str, connection: Connection, statement: str) -> None:
    site = random_feed_site(3)
    site.store(connection)
    loosened(connection)
    connection.execute(statement.encode())
    run(site_url, feed_presort.JOB, NOW)
    assert stored(connection) == rounded(expected(site))
    assert run(site_url, feed_presort.JOB, NOW, incremental=True).refreshed == 0
    run(site_url, feed_presort_cleanup.JOB, NOW)
    assert stored(connection) == rounded(expected(site))


def test_rows_that_stand_there_twice_count_once(site_url: str, connection: Connection) -> None:
    site = random_feed_site(4)
    site.store(connection)
    loosened(connection)
    for table in ("Match", "Like", "UserBlock", "ProfileAccess", "PostMedia"):
        connection.execute(f'INSERT INTO "{table}" SELECT * FROM "{table}"'.encode())
    run(site_url, feed_presort.JOB, NOW)
    assert stored(connection) == rounded(expected(site))


def test_likes_and_media_that_stand_there_twice_count_once(site_url: str, connection: Connection) -> None:
    tables = {"PostFeatures": content_features, "TrendingScore": trending, "UserAffinityProfile": affinity}
    random_site(4).store(connection)

    def results() -> list[Any]:
        for table, job in tables.items():
            connection.execute(f'DELETE FROM "{table}"'.encode())
            run(site_url, job.JOB, NOW)
        return [rows(connection, f'SELECT * FROM "{table}" ORDER BY 1') for table in tables]

    once = results()
    loosened(connection)
    for table in ("LikedPost", "PostMedia"):
        connection.execute(f'INSERT INTO "{table}" SELECT * FROM "{table}"'.encode())
    connection.execute('INSERT INTO "LikedPost" SELECT NULL, "id" FROM "Post" UNION ALL SELECT "id", NULL FROM "User"')
    assert results() == once
    assert all(once)


@pytest.mark.parametrize("time", ENDLESS)
def test_a_time_that_nobody_can_show_is_none(site_url: str, connection: Connection, time: str) -> None:
    site = random_feed_site(5)
    newest = max(site.quizzes, key=lambda quiz: (quiz.active, quiz.updated, quiz.id))
    site.store(connection)
    active = [quiz for quiz in site.quizzes if quiz.active and quiz is not newest]
    for quiz in active:
        connection.execute('UPDATE "Quiz" SET "updatedAt" = %s WHERE "id" = %s', [time, quiz.id])
    connection.execute(
        """INSERT INTO "Post" ("id", "userId", "text", "createdAt")
                          SELECT 9000, min("id"), 'x', %s FROM "User" """,
        [time],
    )
    connection.execute('INSERT INTO "LikedPost" SELECT "id", 9000, %s FROM "User"', [time])
    connection.execute('UPDATE "ProfileAccess" SET "updatedAt" = %s', [time])
    run(site_url, feed_presort.JOB, NOW)
    assert stored(connection) == rounded(expected(site))
    connection.execute(
        """INSERT INTO "TrendingScore" VALUES (9000, 1, 1, 1, %(now)s, %(now)s, %(now)s)""", {"now": NOW}
    )
    assert run(site_url, trending.JOB, NOW).counts["failed"] == 0
    assert rows(connection, 'SELECT FROM "TrendingScore" WHERE "postId" = 9000') == []
    run(site_url, affinity.JOB, NOW)
    run(site_url, content_features.JOB, NOW)
    assert rows(connection, 'SELECT FROM "PostFeatures" WHERE "postId" = 9000') == []


@pytest.mark.parametrize("time", [*ENDLESS, None])
def test_a_quiz_and_a_match_without_a_time_come_last_and_are_shown(
    site_url: str, connection: Connection, time: str | None
) -> None:
    site = FeedSite(
        people={user: Person() for user in range(1, 7)},
        matches={(1, other): ("ACTIVE", NOW - other * MINUTE) for other in (2, 3, 4, 5)},
        quizzes=[Quiz(1, True, NOW, ((100, 1, "Tea?"),))],
    )
    site.store(connection)
    loosened(connection)
    connection.execute('UPDATE "Quiz" SET "updatedAt" = %s', [time])
    connection.execute('UPDATE "Match" SET "updatedAt" = %s WHERE "userBId" = 2', [time])
    run(site_url, feed_presort.JOB, NOW, userId=1)
    [items] = stored(connection)[1]
    assert [item["id"] for item in items if item["parts"].get("match")] == ["3", "4", "5"]
    [question] = [item for item in items if item["kind"] == "question"]
    assert (question["id"], question["createdAt"]) == ("100", None)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_score_that_is_no_number_is_passed_over_and_counted(
    site_url: str, connection: Connection, value: str
) -> None:
    site = of_ids(1, 2, 3)
    site.posts, site.quizzes = {}, []
    site.store(connection)
    for (name,) in rows(
        connection,
        """SELECT quote_ident(conname) FROM pg_constraint
                                       WHERE conrelid = '"MatchList"'::regclass AND contype = 'c'""",
    ):
        connection.execute(f'ALTER TABLE "MatchList" DROP CONSTRAINT {name}'.encode())
    spoilt = """UPDATE "MatchList" SET "score"[array_position("candidateUserId", 2)] = %s
                WHERE 2 = ANY ("candidateUserId")"""
    connection.execute(spoilt, [value])
    done = run(site_url, feed_presort.JOB, NOW)
    feeds = stored(connection)
    assert [item["id"] for item in feeds[1][0]] == ["3"]
    assert done.reasons["unreadable-score"] == 2
    assert run(site_url, feed_presort.JOB, NOW, incremental=True).refreshed == 0


@pytest.mark.parametrize(
    "statement",
    [
        """INSERT INTO "PostFeatures" VALUES (1, '{{}}', '{0}', now(), 0)""",
        """INSERT INTO "TrendingScore" VALUES (1, '{0}', 1, 1, now(), now(), now())""",
        """INSERT INTO "TrendingScore" VALUES (1, 1, 1, '{0}', now(), now(), now())""",
        """INSERT INTO "UserAffinityProfile" VALUES (1, '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{0}', 0, now(), 0)""",
        """INSERT INTO "UserAffinityProfile"
           VALUES (1, '{{2}}', ARRAY['{0}'::real], '{{}}', '{{}}', '{{}}', 0, 0, now(), 0)""",
    ],
)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_no_figure_that_is_not_finite_can_be_stored(connection: Connection, statement: str, value: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(statement.format(value).encode())
    connection.execute(statement.format("0.5").encode())


@pytest.mark.parametrize("incremental", [False, True])
def test_a_result_of_a_wrong_clock_is_no_later_runs(site_url: str, connection: Connection, incremental: bool) -> None:
    ahead = datetime.now(UTC) + timedelta(days=365)
    site = random_feed_site(3)
    site.store(connection)
    run(site_url, feed_presort.JOB, ahead)
    done = run(site_url, feed_presort.JOB, NOW, incremental=incremental)
    assert done.reasons["newer-result"] == 0
    assert stored(connection) == rounded(expected(site))
    assert trends(site_url, connection, liked(likes=10))
    connection.execute(
        'UPDATE "TrendingScore" SET "computedAt" = %(at)s, "peakTime" = %(at)s, "peakVelocity" = 99', {"at": ahead}
    )
    assert trends(site_url, connection, liked(likes=8), incremental=incremental)
    assert rows(connection, 'SELECT "computedAt", "peakTime", "peakVelocity" FROM "TrendingScore"') == [(NOW, NOW, 4)]
    run(site_url, affinity.JOB, NOW)
    profiles = 'SELECT "userId", "topCreators", "computedAt" FROM "UserAffinityProfile" ORDER BY 1'
    right = rows(connection, profiles)
    connection.execute(
        """UPDATE "UserAffinityProfile" SET "computedAt" = %s, "fingerprint" = 0, "topCreators" = '{7}'""", [ahead]
    )
    run(site_url, affinity.JOB, NOW, incremental=incremental)
    assert rows(connection, profiles) == right != []


def test_a_post_without_a_visibility_is_shown_to_its_author_alone(site_url: str, connection: Connection) -> None:
    assert trends(site_url, connection, liked())
    run(site_url, feed_presort.JOB, NOW)
    shown = who_sees_post(connection, "10")
    assert len(shown) > 5
    connection.execute('ALTER TABLE "Post" ALTER COLUMN "visibility" DROP NOT NULL')
    connection.execute('UPDATE "Post" SET "visibility" = NULL')
    cleaned = run(site_url, feed_presort_cleanup.JOB, NOW)
    assert cleaned.reasons["post-private"] == len(shown) - 1
    assert run(site_url, trending.JOB, NOW).reasons["private"] == 1
    assert rows(connection, 'SELECT FROM "TrendingScore"') == []
    run(site_url, affinity.JOB, NOW)
    assert rows(connection, 'SELECT FROM "UserAffinityProfile"') == []
    run(site_url, feed_presort.JOB, NOW)
    assert who_sees_post(connection, "10") == {1}


def who_sees_post(connection: Connection, post: str) -> set[int]:
    return {
        user
        for user, [items, *_] in stored(connection).items()
        if any((item["kind"], item["id"]) == ("post", post) for item in items)
    }


@pytest.mark.parametrize("change", ['"isVisible" = false', '"deletedAt" = now()', None])
def test_a_trending_post_goes_with_its_author(site_url: str, connection: Connection, change: str | None) -> None:
    site: Site = liked()
    assert trends(site_url, connection, site)
    connection.execute(
        f'UPDATE "Profile" SET {change} WHERE "userId" = 1'.encode()
        if change
        else b'DELETE FROM "Profile" WHERE "userId" = 1'
    )
    done = run(site_url, trending.JOB, NOW)
    assert (rows(connection, 'SELECT FROM "TrendingScore"'), done.reasons["author-hidden"]) == ([], 1)


def test_an_author_has_ten_public_posts_in_anybodys_feed(site_url: str, connection: Connection) -> None:
    site = FeedSite(people={user: Person() for user in range(1, 12)})
    site.posts = {at: Post(at, 2, True, "spam", NOW - at * timedelta(seconds=5), deleted=False) for at in range(1, 521)}
    site.posts |= {
        900 + user: Post(900 + user, user, True, "x", NOW - timedelta(days=1), False) for user in range(3, 12)
    }
    # Includes private posts of a user who gave the viewer access.
    site.access[3, 1] = "GRANTED"
    site.posts |= {
        2000 + at: Post(2000 + at, 3, False, "mine", NOW - at * timedelta(seconds=5), deleted=False)
        for at in range(1, 300)
    }
    site.actions = dict.fromkeys(((1, user) for user in range(2, 12)), "DISLIKE")  # nobody is suggested instead
    site.store(connection)
    run(site_url, feed_presort.JOB, NOW, maxSegments=20, userId=1)
    feed = stored(connection)[1]
    assert feed == rounded({1: expected(site, most=20)[1]})[1]
    authors = [item["author"]["id"] for segment in feed for item in segment if item["kind"] == "post"]
    assert set(authors) == {str(user) for user in range(2, 12)}
    assert (authors.count("2"), authors.count("3")) == (10, 11)


def test_a_user_with_a_deleted_and_a_live_profile_has_the_live_ones_name(site_url: str, connection: Connection) -> None:
    site = of_ids(1, 2, 3)
    site.people = {user: Person(name=f"User {user}") for user in site.people}
    site.store(connection)
    connection.execute('ALTER TABLE "Profile" DROP CONSTRAINT "Profile_userId_key"')
    connection.execute(
        """INSERT INTO "Profile" ("userId", "displayName", "avatarUrl", "bio", "deletedAt")
           SELECT "userId", 'Old', 'old', 'old', now() FROM "Profile" """
    )
    run(site_url, feed_presort.JOB, NOW)
    assert stored(connection) == rounded(expected(site))
    assert run(site_url, feed_presort_cleanup.JOB, NOW).counts["written"] == 0
