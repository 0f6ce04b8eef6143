"""compatibility: the stored rows are those of a plain implementation, and what else a run writes."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import psycopg
import pytest
from psycopg import Connection

from sitejobs.matching.compatibility.scoring import WEIGHTS
from tests.limits import PATIENCE_S
from tests.matching.compatibility_oracle import expected
from tests.matching.compatibility_runs import assert_stored, planned, relate, run, stored, suggest, whole_page, writers
from tests.matching.random_sites import FLAVOURS, NOW, SiteRows, draw, someone
from tests.matching.site_loading import load

WAYS: tuple[dict[str, int], ...] = (
    {"batchSize": 7, "targetBatchSize": 3},
    {"batchSize": 1, "targetBatchSize": 500, "maxSuggestionTargets": 2},
    {"batchSize": 10_000, "targetBatchSize": 1, "maxSuggestionTargets": 0},
    {},
)


@pytest.mark.parametrize(
    ("flavour", "users", "seed"),
    [*[("mixed", users, users) for users in (1, 2, 5, 17, 120)], *[(name, 40, at) for at, name in enumerate(FLAVOURS)]],
)
def test_every_row_of_a_random_site_is_the_plain_implementations(
    site: Connection, site_url: str, flavour: str, users: int, seed: int
) -> None:
    load(site, draw(seed, users, flavour))
    relate(site, Random(seed))
    for options in WAYS:
        wanted = expected(site, options.get("maxSuggestionTargets", 100))
        finished = run(site_url, NOW, options)
        assert_stored(site, wanted)
        assert finished.counts["processed"] == len(wanted)
        assert finished.reasons["no-targets"] == sum(not pairs for pairs in wanted.values())


def profile_of(connection: Connection, user_id: int) -> int:
    row = connection.execute("""SELECT "id" FROM "Profile" WHERE "userId" = %s""", [user_id]).fetchone()
    assert row is not None
    return int(row[0])


# Who is compared --------------------------------------------------------------------------------------------


def test_a_target_that_is_related_in_every_way_has_one_row(site: Connection, site_url: str) -> None:
    load(site, SiteRows([someone(1), someone(2)], set()))
    suggest(site, 1, [2])
    for table in ("Match", "Conversation"):
        for pair in ((1, 2), (2, 1)):
            site.execute(f'INSERT INTO "{table}" ("userAId", "userBId") VALUES (%s, %s)'.encode(), pair)
    for pair in ((1, 2), (2, 1)):
        site.execute("""INSERT INTO "ProfileAccess" VALUES (%s, %s, 'GRANTED')""", pair)
    run(site_url, NOW)
    assert {viewer: list(rows) for viewer, rows in stored(site).items()} == {1: [2], 2: [1]}


@pytest.mark.parametrize(
    "change",
    [
        """INSERT INTO "UserBlock" VALUES (1, 2)""",
        """INSERT INTO "UserBlock" VALUES (2, 1)""",
        """UPDATE "User" SET "deletedAt" = now() WHERE "id" = 2""",
        """UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = 2""",
        """DELETE FROM "User" WHERE "id" = 2""",
    ],
)
def test_whoever_blocks_or_leaves_while_a_run_is_under_way_is_in_no_new_row(
    site: Connection, site_url: str, change: str
) -> None:
    load(site, SiteRows([someone(1), someone(2), someone(3)], set()))
    suggest(site, 1, [2, 3])
    run(site_url, NOW)
    run(site_url, NOW, meanwhile=lambda: site.execute(change.encode()))
    assert list(stored(site)[1]) == [3]


def test_somebody_who_comes_while_a_run_is_under_way_is_compared_at_once(site: Connection, site_url: str) -> None:
    load(site, draw(3, 20))

    ids = [row[0] for row in site.execute("""SELECT "id" FROM "User" ORDER BY 1""")]
    newcomer = min(set(range(ids[0], ids[-1])) - set(ids))

    def come() -> None:
        site.execute("""INSERT INTO "User" ("id") VALUES (%s)""", [newcomer])
        site.execute(
            """INSERT INTO "UserInterest" SELECT %s, "subjectId", "interestId" FROM "UserInterest"
               WHERE "userId" = (SELECT max("userId") FROM "UserInterest")""",
            [newcomer],
        )
        for other in (newcomer, *ids[:9]):
            site.execute("""INSERT INTO "Conversation" ("userAId", "userBId") VALUES (%s, %s)""", [newcomer, other])

    run(site_url, NOW, meanwhile=come)
    assert len(expected(site)[newcomer]) > 4
    assert_stored(site, expected(site))
    finished = run(site_url, NOW, {"incremental": True})
    assert finished.counts["written"] == 0  # their inputs are known only now, and say the same


def test_a_user_without_targets_is_skipped_and_says_why(site: Connection, site_url: str) -> None:
    load(site, SiteRows([someone(1), someone(2), someone(3)], {(2, 1)}))
    suggest(site, 1, [2])
    finished = run(site_url, NOW)
    assert finished.reasons == {"no-targets": 3}
    assert finished.summary["message"] == "nothing written: 3 processed (no-targets 3)"
    skipped = site.execute(
        """SELECT "userId", "rows", "skipped" FROM "UserCompatibilityViewer" ORDER BY 1"""
    ).fetchall()
    assert skipped == [(1, 0, "no-targets"), (2, 0, "no-targets"), (3, 0, "no-targets")]


def test_rows_of_a_user_who_has_gone_go_with_the_next_run(site: Connection, site_url: str) -> None:
    load(site, SiteRows([someone(1), someone(2), someone(3)], set()))
    for viewer in (1, 2, 3):
        suggest(site, viewer, [other for other in (1, 2, 3) if other != viewer])
    run(site_url, NOW)
    site.execute("""UPDATE "User" SET "deletedAt" = now() WHERE "id" = 1""")
    site.execute("""DELETE FROM "User" WHERE "id" = 2""")
    finished = run(site_url, NOW)
    assert stored(site) == {}
    assert finished.reasons == {"deleted": 2, "no-targets": 1}
    for table in ("UserCompatibilityViewer", "UserCompatibilityInput"):
        assert site.execute(f'SELECT "userId" FROM "{table}"'.encode()).fetchall() == [(3,)]


def test_a_site_without_users_has_nothing_to_do_and_says_so(site: Connection, site_url: str) -> None:
    summary = run(site_url, NOW).summary
    assert (summary["status"], summary["message"]) == ("SUCCEEDED", "nothing written: there was nothing to do")


# The score --------------------------------------------------------------------------------------------------


def test_a_score_is_never_negative(site: Connection, site_url: str) -> None:
    """Opposite vectors and opposite tastes."""
    drafts = [someone(1), someone(2), someone(3)]
    drafts[0].quizzes = {1: ("{}", "[1, 0.5, -1]", NOW)}
    drafts[1].quizzes = {1: ("{}", "[-1, -0.5, 1]", NOW)}
    drafts[2].received = {0: (5, 5, 1, 1)}
    drafts[1].received = {0: (1, 1, 5, 5), 2: (5, 5, 1, 1)}
    load(site, SiteRows(drafts, set()))
    suggest(site, 1, [2, 3])
    suggest(site, 3, [2])
    run(site_url, NOW)
    assert_stored(site, expected(site))
    assert all(pair.score is not None and pair.score >= 0 for rows in stored(site).values() for pair in rows.values())
    assert stored(site)[1][2].quiz == 0


@pytest.mark.parametrize(
    ("viewer", "target", "status"),
    [
        ((), ("quiz 1", "interests", "received"), "INSUFFICIENT_DATA"),
        (("received",), ("quiz 1", "interests", "received"), "INSUFFICIENT_DATA"),
        (("quiz 1", "interests"), (), "INSUFFICIENT_DATA"),
        (("quiz 1",), ("quiz 2",), "INSUFFICIENT_DATA"),
        (("interests",), ("quiz 1",), "INSUFFICIENT_DATA"),
        (("quiz 1",), ("quiz 1",), "READY"),
        (("quiz 1",), ("received",), "READY"),
        (("interests",), ("received",), "READY"),
        (("given",), ("interests",), "READY"),
    ],
)
def test_without_any_signal_of_either_side_there_is_no_score(
    site: Connection, site_url: str, viewer: tuple[str, ...], target: tuple[str, ...], status: str
) -> None:
    drafts = [someone(1), someone(2), someone(3)]
    for draft, signals in ((drafts[0], viewer), (drafts[1], target)):
        draft.quizzes = {int(name[5:]): ("{}", "[1, 2]", NOW) for name in signals if name.startswith("quiz")}
        draft.interests = {(1, 1)} if "interests" in signals else set()
        draft.received = {2: (1, 2, 3, 4)} if "received" in signals else {}
    drafts[2].received = {0: (5, 4, 3, 2)} if "given" in viewer else {}
    load(site, SiteRows(drafts, set()))
    suggest(site, 1, [2])
    run(site_url, NOW)
    row = stored(site)[1][2]
    assert row.status == status
    assert (row.score is None) == (status == "INSUFFICIENT_DATA")
    assert_stored(site, expected(site))


def test_one_rating_counts_for_quality(site: Connection, site_url: str) -> None:
    drafts = [someone(1), someone(2)]
    drafts[1].received = {0: (5, 5, 5, 5)}
    load(site, SiteRows(drafts, set()))
    suggest(site, 1, [2])
    run(site_url, NOW)
    assert stored(site)[1][2].score == pytest.approx(0.1)


def test_the_reasons_as_json_tell_the_whole_score(site: Connection, site_url: str) -> None:
    load(site, draw(9, 60, "one city"))
    relate(site, Random(9))
    run(site_url, NOW)
    rows = site.execute("""SELECT "viewerUserId", "targetUserId", "status", "score", "reasons"
                           FROM "UserCompatibilityExplained" """).fetchall()
    pairs = stored(site)
    assert len(rows) == sum(map(len, pairs.values())) > 100
    names = {"quiz": "quiz", "interests": "interests", "ratingQuality": "rating_quality", "ratingFit": "rating_fit"}
    for viewer, target, status, score, reasons in rows:
        pair = pairs[viewer][target]
        assert (status, score) == (pair.status, pair.score)
        assert {names[name]: weight for name, weight in reasons["weights"].items()} == vars(WEIGHTS)
        assert set(reasons["components"]) == set(names)
        if score is not None:
            total = sum(reasons["weights"][name] * value for name, value in reasons["components"].items())
            assert total == pytest.approx(score, abs=1e-5)
        assert [name.split(":i")[1] for name in reasons["sharedInterests"]] == [
            str(interest) for interest in pair.shared_interest_ids
        ]
        assert reasons["sharedInterestCount"] == pair.shared_interest_count
        assert reasons["ratings"]["count"] == pair.rating_count


# What is written --------------------------------------------------------------------------------------------


def test_rows_that_are_as_they_should_be_are_not_written_again(site: Connection, site_url: str) -> None:
    load(site, draw(4, 60))
    relate(site, Random(4))
    run(site_url, NOW)
    before = writers(site)
    finished = run(site_url, NOW + timedelta(hours=1), twice=True)
    assert writers(site) == before
    assert finished.counts["written"] == 0
    spoilt = sorted(before)[:3]
    site.cursor().executemany(
        """UPDATE "UserCompatibility" SET "scoreQuiz" = 0.123 WHERE "viewerUserId" = %s AND "targetUserId" = %s""",
        spoilt,
    )
    spoilt_by = writers(site)
    assert run(site_url, NOW, {"batchSize": 7}).counts["written"] == 3
    assert {pair for pair, writer in writers(site).items() if spoilt_by[pair] != writer} == set(spoilt)
    assert_stored(site, expected(site))


def test_each_page_may_come_twice(site: Connection, site_url: str) -> None:
    load(site, draw(5, 40))
    relate(site, Random(5))
    run(site_url, NOW, {"batchSize": 7}, twice=True)
    assert_stored(site, expected(site))


def test_a_new_version_replaces_a_viewers_rows_at_once(site: Connection, site_url: str) -> None:
    load(site, draw(6, 40))
    relate(site, Random(6))
    run(site_url, NOW)
    for options in ({}, {"incremental": True}):
        version = f"v2 {options}"
        run(site_url, NOW, {**options, "batchSize": 9}, version=version)
        found = site.execute("""SELECT "viewerUserId", "algorithmVersion", xmin::text FROM "UserCompatibility" """)
        rows = found.fetchall()
        assert {row[1] for row in rows} == {version}
        assert len({row[::2] for row in rows}) == len({row[0] for row in rows})  # one transaction a viewer
        assert_stored(site, expected(site))


def test_every_row_says_when_its_run_began(site: Connection, site_url: str) -> None:
    load(site, draw(7, 20))
    relate(site, Random(7))
    odd = NOW.replace(microsecond=123457)
    run(site_url, odd)
    assert site.execute("""SELECT DISTINCT "computedAt" FROM "UserCompatibility" """).fetchall() == [(odd,)]


def test_more_users_than_a_chapter_holds_are_all_planned_once(site: Connection, site_url: str) -> None:
    load(site, draw(8, 530))
    ids = {row[0] for row in site.execute("""SELECT "id" FROM "User" WHERE "deletedAt" IS NULL""")}
    first, *chapters = planned(site_url, NOW, {"batchSize": 1})
    assert all("inputs" in page for page in first)
    assert len(chapters) == 2
    pages = [page for chapter in chapters for page in chapter]
    assert [page["page"] for page in first + pages] == list(range(1, len(first + pages) + 1))
    found = [{one for one in ids if int(page["first"]) <= one <= int(page["last"])} for page in pages]
    assert sorted(one for page in found for one in page) == sorted(ids)


def test_a_run_for_one_user_sees_its_targets_as_they_are_and_touches_nobody_else(
    site: Connection, site_url: str
) -> None:
    load(site, draw(10, 40))
    relate(site, Random(10))
    run(site_url, NOW)
    before = stored(site)
    viewer = max(before, key=lambda one: len(before[one]))
    site.execute("""UPDATE "ProfileRating" SET "funny" = 6 - "funny" """)
    site.execute("""DELETE FROM "UserInterest" WHERE "interestId" %% 2 = 0""", [])
    run(site_url, NOW, {"userId": viewer, "maxSuggestionTargets": 3})
    after = stored(site)
    assert after.pop(viewer).keys() == expected(site, 3)[viewer].keys()
    before.pop(viewer)
    assert after == before
    wanted = {viewer: expected(site, 3)[viewer]}
    site.execute("""DELETE FROM "UserCompatibility" WHERE "viewerUserId" <> %s""", [viewer])
    assert_stored(site, wanted)


def test_a_run_for_nobody_says_so_and_writes_nothing(site: Connection, site_url: str) -> None:
    load(site, draw(11, 10))
    finished = run(site_url, NOW, {"userId": 999_999})
    assert finished.pages == []
    assert "999999" in finished.summary["message"]
    assert stored(site) == {}


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def wait_for_waiters(connection: Connection, number: int) -> None:
    """Wait until this many sessions wait for a lock."""
    deadline = time.monotonic() + PATIENCE_S
    while connection.execute(WAITING).fetchone() != (number,):
        assert time.monotonic() < deadline
        time.sleep(0.01)


TERMINATE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""


def one_page(url: str) -> str:
    """Compute a page of all users as a Lambda environment of its own; returns how it ended."""
    try:
        whole_page(url, NOW)
    except psycopg.errors.SerializationFailure as error:
        return type(error).__name__
    return "written"


@pytest.mark.parametrize("known", [True, False], ids=["known viewers", "new viewers"])
def test_of_two_pages_over_one_viewer_one_writes_and_the_other_may_try_again(
    site: Connection, site_url: str, known: bool
) -> None:
    load(site, draw(12, 30))
    relate(site, Random(12))
    run(site_url, NOW)
    if not known:
        site.execute("""DELETE FROM "UserCompatibility"; DELETE FROM "UserCompatibilityViewer" """)
    first = min(expected(site))
    site.execute("""DELETE FROM "UserInterest" WHERE "interestId" %% 2 = 0""", [])
    with psycopg.connect(site_url) as holder, ThreadPoolExecutor(2) as pool:
        inserted = """INSERT INTO "UserCompatibilityViewer" VALUES (%s, 0, 0, NULL, 'v0', now())"""
        locked = """SELECT FROM "UserCompatibilityViewer" WHERE "userId" = %s FOR UPDATE"""
        holder.execute(locked if known else inserted, [first])
        site.execute("""UPDATE "UserCompatibility" SET "algorithmVersion" = 'spoilt' """)
        pages = [pool.submit(one_page, site_url) for _ in range(2)]
        wait_for_waiters(site, 2)
        holder.rollback()
        assert sorted(page.result() for page in pages) == ["SerializationFailure", "written"]
    assert one_page(site_url) == "written"
    run(site_url, NOW, {"incremental": True})
    assert_stored(site, expected(site))


def test_a_connection_that_is_lost_while_a_page_writes_leaves_the_old_rows(site: Connection, site_url: str) -> None:
    load(site, draw(13, 30))
    relate(site, Random(13))
    run(site_url, NOW)
    before = writers(site)
    site.execute("""DELETE FROM "UserInterest" WHERE "interestId" %% 2 = 0""", [])
    with psycopg.connect(site_url) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("""SELECT FROM "UserCompatibility" FOR UPDATE""")
        site.execute("""DELETE FROM "UserCompatibilityInput" """)  # so that the page reads what changed
        page = pool.submit(one_page, site_url)
        wait_for_waiters(site, 1)
        site.execute(TERMINATE)
        with pytest.raises(psycopg.OperationalError):
            page.result()
        holder.rollback()
    assert writers(site) == before
    run(site_url, NOW, {"incremental": True})
    assert_stored(site, expected(site))
