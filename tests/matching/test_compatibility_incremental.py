"""After any change an incremental run of compatibility stores a full run's rows, and writes no others."""

from collections.abc import Callable
from random import Random

import pytest
from psycopg import Connection

from tests.matching import changes
from tests.matching.compatibility_oracle import expected
from tests.matching.compatibility_runs import assert_stored, relate, run, suggest, writers
from tests.matching.random_sites import NOW, draw
from tests.matching.site_loading import load

INCREMENTAL = {"incremental": True, "batchSize": 7}


def some_user(connection: Connection, random: Random) -> int:
    return int(random.choice([row[0] for row in connection.execute("""SELECT "id" FROM "User" ORDER BY 1""")]))


def lose_a_suggestion(connection: Connection, random: Random) -> None:
    rows = connection.execute("""SELECT "userId", "candidateUserId" FROM "MatchScore" ORDER BY 1, 2""").fetchall()
    viewer, target = random.choice(rows)
    suggest(connection, viewer, [other for user, other in rows if user == viewer and other != target])


def gain_suggestions(connection: Connection, random: Random) -> None:
    ids = [row[0] for row in connection.execute("""SELECT "id" FROM "User" ORDER BY 1""")]
    viewer = random.choice(ids)
    suggest(connection, viewer, [one for one in random.sample(ids, 5) if one != viewer])


def fall_in_rank(connection: Connection, random: Random) -> None:
    """Move a match beyond the compared suggestions."""
    viewer = some_user(connection, random)
    rows = connection.execute(
        """SELECT "candidateUserId" FROM "MatchScore" WHERE "userId" = %s ORDER BY "rank" """, [viewer]
    ).fetchall()
    first, *others = [row[0] for row in rows] or [viewer]
    suggest(connection, viewer, [*others, *range(1_000_000, 1_000_100), first])


def end_matches(connection: Connection, random: Random) -> None:
    connection.execute("""UPDATE "Match" SET "state" = 'CLOSED' WHERE "userAId" %% 3 = %s""", [random.randrange(3)])


def revoke(connection: Connection, random: Random) -> None:
    connection.execute(
        """UPDATE "ProfileAccess" SET "status" = CASE "status" WHEN 'GRANTED' THEN 'REVOKED' ELSE 'GRANTED' END
           ::"ProfileAccessStatus" WHERE "ownerUserId" %% 3 = %s""",
        [random.randrange(3)],
    )


def forget_conversations(connection: Connection, random: Random) -> None:
    connection.execute("""DELETE FROM "Conversation" WHERE "userAId" %% 3 = %s""", [random.randrange(3)])


def talk(connection: Connection, random: Random) -> None:
    pair = [some_user(connection, random), some_user(connection, random)]
    connection.execute(
        """INSERT INTO "Conversation" ("userAId", "userBId") VALUES (%s, %s) ON CONFLICT DO NOTHING""", pair
    )


def by_user(connection: Connection, column: str, table: str) -> dict[int, int | None]:
    return {row[0]: row[1] for row in connection.execute(f'SELECT "userId", "{column}" FROM "{table}"'.encode())}


RELATIONS: tuple[changes.Change, ...] = (
    lose_a_suggestion,
    gain_suggestions,
    fall_in_rank,
    end_matches,
    revoke,
    forget_conversations,
    talk,
)


@pytest.mark.parametrize("seed", range(3))
def test_after_every_kind_of_change_the_rows_are_those_of_a_full_run(
    site: Connection, site_url: str, seed: int
) -> None:
    random = Random(seed)
    load(site, draw(seed, 60, ("mixed", "one city", "no traits")[seed]))
    relate(site, random)
    run(site_url, NOW)
    everything: list[Callable[[Connection, Random], None]] = [*changes.CHANGES, *RELATIONS]
    random.shuffle(everything)
    for first in range(0, len(everything), 3):
        for change in everything[first : first + 3]:
            change(site, random)
        run(site_url, NOW, INCREMENTAL)
        assert_stored(site, expected(site))


@pytest.mark.parametrize("change", RELATIONS, ids=lambda change: change.__name__)
def test_each_relation_is_seen(site: Connection, site_url: str, change: changes.Change) -> None:
    random = Random(1)
    load(site, draw(1, 60))
    relate(site, random, others=4)
    run(site_url, NOW)
    before = expected(site)
    for _ in range(3):
        change(site, random)
    assert expected(site) != before
    run(site_url, NOW, INCREMENTAL)
    assert_stored(site, expected(site))


def test_where_nothing_changed_nothing_is_computed_or_written(site: Connection, site_url: str) -> None:
    load(site, draw(2, 60))
    relate(site, Random(2))
    run(site_url, NOW)
    before = writers(site)
    states = site.execute("""SELECT *, xmin::text FROM "UserCompatibilityViewer" ORDER BY 1""").fetchall()
    inputs = site.execute("""SELECT *, xmin::text FROM "UserCompatibilityInput" ORDER BY 1""").fetchall()
    finished = run(site_url, NOW, INCREMENTAL)
    assert finished.counts["written"] == 0
    assert finished.summary["message"]
    assert writers(site) == before
    assert site.execute("""SELECT *, xmin::text FROM "UserCompatibilityViewer" ORDER BY 1""").fetchall() == states
    assert site.execute("""SELECT *, xmin::text FROM "UserCompatibilityInput" ORDER BY 1""").fetchall() == inputs


def test_a_changed_user_is_computed_with_its_viewers_and_nobody_else(site: Connection, site_url: str) -> None:
    load(site, draw(3, 80))
    relate(site, Random(3))
    run(site_url, NOW)
    pairs = expected(site)
    changed = max(pairs, key=lambda one: len(pairs[one]))
    site.execute("""DELETE FROM "UserInterest" WHERE "userId" = %s""", [changed])
    site.execute("""INSERT INTO "UserInterest" VALUES (%s, 2, 1)""", [changed])
    viewers = {viewer for viewer, targets in pairs.items() if viewer == changed or changed in targets}
    before = by_user(site, "fingerprint", "UserCompatibilityViewer")
    run(site_url, NOW, INCREMENTAL)
    after = by_user(site, "fingerprint", "UserCompatibilityViewer")
    assert {viewer for viewer, fingerprint in after.items() if before[viewer] != fingerprint} == viewers
    assert_stored(site, expected(site))


def test_ratings_that_a_user_gives_concern_nobody_who_looks_at_it(site: Connection, site_url: str) -> None:
    load(site, draw(4, 60, "one city"))
    relate(site, Random(4))
    run(site_url, NOW)
    rater, target = site.execute(
        """SELECT "raterProfileId", "targetProfileId" FROM "ProfileRating" LIMIT 1"""
    ).fetchone() or (0, 0)
    before = by_user(site, "targetHash", "UserCompatibilityInput")
    site.execute(
        """DELETE FROM "ProfileRating" WHERE ("raterProfileId", "targetProfileId") = (%s, %s)""", [rater, target]
    )
    run(site_url, NOW, INCREMENTAL)
    after = by_user(site, "targetHash", "UserCompatibilityInput")
    rated = site.execute("""SELECT "userId" FROM "Profile" WHERE "id" = %s""", [target]).fetchone()
    assert rated is not None
    assert [user for user, value in after.items() if before[user] != value] in ([rated[0]], [])
    assert_stored(site, expected(site))


def test_what_a_run_for_one_user_wrote_is_known_to_the_next(site: Connection, site_url: str) -> None:
    load(site, draw(5, 60))
    relate(site, Random(5))
    run(site_url, NOW)
    pairs = expected(site)
    changed = max(pairs, key=lambda one: len(pairs[one]))
    site.execute("""DELETE FROM "UserInterest" WHERE "userId" = %s""", [changed])
    run(site_url, NOW, {"userId": changed})
    before = writers(site)
    run(site_url, NOW, INCREMENTAL)
    assert {pair for pair, writer in writers(site).items() if before.get(pair) == writer and pair[0] == changed} == {
        (changed, target) for target in expected(site)[changed]
    }
    assert_stored(site, expected(site))


def test_pages_that_failed_are_made_up_for(site: Connection, site_url: str) -> None:
    """The failed run renewed the inputs, but the rows were computed from the old ones."""
    load(site, draw(6, 60))
    relate(site, Random(6))
    run(site_url, NOW)
    site.execute("""DELETE FROM "UserInterest" WHERE "interestId" %% 2 = 0""", [])

    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run(site_url, NOW, INCREMENTAL, meanwhile=fail)
    site.execute("""UPDATE "JobRun" SET "status" = 'FAILED' WHERE "status" = 'RUNNING' """)
    run(site_url, NOW, INCREMENTAL)
    assert_stored(site, expected(site))
