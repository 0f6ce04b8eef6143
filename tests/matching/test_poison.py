"""One unusable record changes no other user's rows, in any of the matching jobs."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from tests.databases import site_database
from tests.matching import compatibility_runs as compatibility
from tests.matching.comparing import Stored, assert_rows_equal, stored_rows
from tests.matching.compatibility_oracle import expected
from tests.matching.oracle import score_everyone
from tests.matching.oracle_site import read_site
from tests.matching.poisons import LIKES, LOOSEN, RELATIONS, ROWS, TRAIT, VALUES, Poison
from tests.matching.random_sites import NOW, SiteRows, draw, someone
from tests.matching.running import Site
from tests.matching.site_loading import load, load_more

SECOND = timedelta(seconds=1)

ENDS = (-(2**63), -(2**63) + 1, -1, 0, 2**63 - 2, 2**63 - 1)


def fill(connection: Connection, seed: int, users: int, flavour: str = "mixed") -> dict[str, int]:
    """A site that accepts unusable rows, and the user to poison."""
    load(connection, draw(seed, users, flavour))
    connection.execute(LOOSEN)
    compatibility.relate(connection, Random(seed))
    connection.execute("""DELETE FROM "MatchList" """)
    return someone_of(connection, Random(seed))


def someone_of(connection: Connection, random: Random) -> dict[str, int]:
    rows = connection.execute("""
        SELECT p."userId", p."id" FROM "Profile" p JOIN "User" u ON u."id" = p."userId"
        WHERE p."deletedAt" IS NULL AND u."deletedAt" IS NULL AND "isVisible" ORDER BY 1
    """).fetchall()
    (user, profile), (_, other) = random.sample(rows, 2)
    return {"id": user, "profile": profile, "other": other}


def poison(connection: Connection, one: Poison, whom: dict[str, int]) -> None:
    connection.execute(one.sql.replace("%(other)s", str(whom["other"])).encode(), whom)


def rows_of(connection: Connection) -> tuple[dict[int, list[Stored]], dict[int, dict[int, Any]]]:
    return stored_rows(connection), compatibility.stored(connection)


def assert_as_the_plain_implementations(connection: Connection) -> None:
    assert_rows_equal(stored_rows(connection), score_everyone(read_site(connection), NOW), 200)
    compatibility.assert_stored(connection, expected(connection))


@pytest.mark.parametrize("one", [*ROWS, TRAIT, *LIKES, *RELATIONS], ids=lambda one: one.name)
def test_a_row_that_says_nothing_changes_nothing_and_is_counted(
    site: Connection, site_url: str, tmp_path: Path, one: Poison
) -> None:
    whom, machine = fill(site, 5, 12), Site(site_url, tmp_path)
    clean = [machine.run(NOW, {"rewriteEpsilon": 0}).reasons, compatibility.run(site_url, NOW).reasons]
    before, writers = rows_of(site), compatibility.writers(site)
    poison(site, one, whom)
    assert machine.run(NOW, {"incremental": True}).counts["written"] == 0
    told = [machine.run(NOW, {"rewriteEpsilon": 0}).reasons, compatibility.run(site_url, NOW).reasons]
    assert compatibility.writers(site) == writers
    assert rows_of(site) == before
    assert_as_the_plain_implementations(site)
    wanted = [
        {one.reason: 1} if one.reason and job in readers(one) else {} for job in ("match-scores", "compatibility")
    ]
    assert [dict(after - earlier) for after, earlier in zip(told, clean, strict=True)] == wanted


def readers(one: Poison) -> set[str]:
    """The jobs that read the poisoned table."""
    return (
        {"match-scores"}
        if one is TRAIT or one in LIKES
        else {"compatibility"}
        if "access" in one.name
        else {"match-scores", "compatibility"}
    )


@pytest.mark.parametrize("one", VALUES, ids=lambda one: one.name)
def test_a_value_that_says_nothing_counts_as_none(site: Connection, site_url: str, tmp_path: Path, one: Poison) -> None:
    whom, machine = fill(site, 6, 12), Site(site_url, tmp_path)
    machine.run(NOW)
    poison(site, one, whom)
    machine.run(NOW, {"incremental": True})
    compatibility.run(site_url, NOW, {"incremental": True})
    assert_as_the_plain_implementations(site)
    machine.run(NOW, {"userId": whom["id"]})
    compatibility.run(site_url, NOW, {"userId": whom["id"]})
    assert_as_the_plain_implementations(site)


def poisoned(connection: Connection, seed: int, flavour: str) -> None:
    """A random site with a dozen poisons of all kinds, and users at both ends of the ids."""
    fill(connection, seed, 30, flavour)
    load_more(connection, SiteRows([someone(user_id, lat=52.5, lng=13.4) for user_id in ENDS], {(ENDS[0], ENDS[-1])}))
    for user_id in ENDS[1:]:
        connection.execute("""INSERT INTO "Match" VALUES (%s, %s)""", [ENDS[0], user_id])
        connection.execute("""INSERT INTO "UserInterest" VALUES (%s, 1, 1)""", [user_id])
    random = Random(f"{seed}/{flavour}")
    for one in random.sample([*ROWS, TRAIT, *LIKES, *RELATIONS, *VALUES], 12):
        # Of two different rows with the same time, either may be kept.
        if "twice" not in one.name and "deleted" not in one.name:
            poison(connection, one, someone_of(connection, random))


@pytest.mark.parametrize("flavour", ["mixed", "one city", "no traits"])
def test_a_site_full_of_them_is_scored_as_the_plain_implementations_do(
    site: Connection, site_url: str, tmp_path: Path, flavour: str
) -> None:
    poisoned(site, len(flavour), flavour)
    machine = Site(site_url, tmp_path)
    machine.run(NOW, {"batchSize": 7, "candidateBatchSize": 5})
    compatibility.run(site_url, NOW, {"batchSize": 7})
    assert_as_the_plain_implementations(site)
    for user_id in (*ENDS, someone_of(site, Random(flavour))["id"]):
        machine.run(NOW, {"userId": user_id})
        compatibility.run(site_url, NOW, {"userId": user_id})
    assert_as_the_plain_implementations(site)
    assert {ENDS[0], ENDS[-1]} <= stored_rows(site).keys() & compatibility.stored(site).keys()


@pytest.fixture
def old_site_url(old_server: Server) -> Iterator[str]:
    """URL of a database on the oldest server."""
    with site_database(old_server) as url:
        yield url


@pytest.mark.parametrize("seed", range(2))
def test_the_oldest_server_reads_it_alike(old_site_url: str, tmp_path: Path, seed: int) -> None:
    with connect(old_site_url) as site:
        poisoned(site, seed, "mixed")
        for one in VALUES:
            poison(site, one, someone_of(site, Random(one.name)))
        Site(old_site_url, tmp_path).run(NOW)
        compatibility.run(old_site_url, NOW)
        assert_as_the_plain_implementations(site)


# Two that are both alive -------------------------------------------------------------------------------------


def test_of_two_live_profiles_the_one_of_the_higher_id_counts(site: Connection, site_url: str, tmp_path: Path) -> None:
    load(site, draw(7, 20, "one city"))
    compatibility.relate(site, Random(7))
    site.execute("""ALTER TABLE "Profile" DROP CONSTRAINT "Profile_userId_key" """)
    for shift in (-5_000_000_000, 5_000_000_000):
        site.execute(
            """INSERT INTO "Profile" ("id", "userId", "birthdate", "lat", "lng", "locationText", "gender",
                                      "isVisible", "updatedAt")
               SELECT "id" + %(shift)s, "userId", NULL, 1, 1, 'Elsewhere', 'OTHER', "id" %% 3 = 0, "updatedAt"
               FROM "Profile" WHERE "deletedAt" IS NULL AND "id" BETWEEN 0 AND 4000000000 AND "id" %% 2 = 0""",
            {"shift": shift},
        )
        site.execute(
            """INSERT INTO "ProfileRating" SELECT r."raterProfileId", r."targetProfileId" + %(shift)s, 1, 2, 3, 4
               FROM "ProfileRating" r WHERE r."targetProfileId" BETWEEN 0 AND 4000000000
                 AND r."targetProfileId" + %(shift)s IN (SELECT "id" FROM "Profile")""",
            {"shift": shift},
        )
        Site(site_url, tmp_path).run(NOW)
        compatibility.run(site_url, NOW)
        assert_as_the_plain_implementations(site)


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_of_two_rows_of_preferences_the_one_updated_last_counts(
    site: Connection, site_url: str, tmp_path: Path, kind: str
) -> None:
    load(site, SiteRows([someone(1, gender="MALE"), someone(2, gender="FEMALE"), someone(3)], set()))
    site.execute(LOOSEN)
    site.execute(f'ALTER TABLE "UserPreference" ALTER "preferredGenders" TYPE {kind}'.encode())
    for genders, updated_at in (('["MALE"]', "2020-01-01"), ('["FEMALE"]', "2021-01-01"), ('["OTHER"]', None)):
        site.execute("""INSERT INTO "UserPreference" VALUES (3, NULL, NULL, NULL, %s, %s)""", [genders, updated_at])
    Site(site_url, tmp_path).run(NOW)
    assert [(item.row.candidate_id, item.row.tier) for item in stored_rows(site)[3]] == [(2, "A"), (1, "B")]
