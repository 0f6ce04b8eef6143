"""searchable-user: each row equals a plain implementation's, and a change of data changes what it should."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import dict_row

from sitejobs.errors import InvalidInput
from sitejobs.search.searchable_user import JOB, read_parameters
from tests.search.oracle import Row, searchable_rows
from tests.search.random_sites import NOW, load
from tests.search.running import run

FULL: dict[str, Any] = {"batchSize": 7}
INCREMENTAL = FULL | {"incremental": True}


def stored(connection: Connection) -> dict[int, Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute('SELECT * FROM "SearchableUser"').fetchall()
    for row in rows:
        del row["updatedAt"]
        row["completeness"] = round(row["completeness"], 5)
        row["reasons"] = set(row["reasons"])
    return {row.pop("userId"): row for row in rows}


def versions(connection: Connection) -> dict[int, str]:
    """User -> the transaction that wrote the row."""
    return dict(connection.execute('SELECT "userId", xmin::text FROM "SearchableUser"').fetchall())


def somebody(connection: Connection, condition: str = "true") -> int:
    """A searchable user."""
    row = connection.execute(
        f"""SELECT s."userId" FROM "SearchableUser" s JOIN "Profile" p ON p."userId" = s."userId"
            WHERE s."isSearchable" AND {condition} ORDER BY 1 LIMIT 1""".encode()
    ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("environment", "minimum", "required"),
    [
        ({}, 0.5, ("displayName", "birthdate")),
        ({"SEARCHABLE_MIN_COMPLETENESS": "0"}, 0.0, ("displayName", "birthdate")),
        ({"SEARCHABLE_MIN_COMPLETENESS": "1", "SEARCHABLE_REQUIRED_FIELDS": "bio"}, 1.0, ("bio",)),
        ({"SEARCHABLE_REQUIRED_FIELDS": " avatar, interest,gender "}, 0.5, ("avatar", "interest", "gender")),
    ],
)
def test_rows_are_those_of_the_plain_version(
    site: Connection,
    site_url: str,
    seed: int,
    environment: Mapping[str, str],
    minimum: float,
    required: tuple[str, ...],
) -> None:
    ids = load(site, seed, 60)
    finished = run(site_url, JOB, NOW, FULL, environment)
    assert stored(site) == searchable_rows(site, NOW, minimum, required)
    assert finished.counts["written"] == len(ids)
    assert len(finished.pages) == -(-len(ids) // 7)


CHANGES = {
    "hidden": """UPDATE "Profile" SET "isVisible" = false WHERE "userId" = %s""",
    "deleted": """UPDATE "User" SET "deletedAt" = now() WHERE "id" = %s""",
    "profile deleted": """UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = %s""",
    "profile gone": """DELETE FROM "Profile" WHERE "userId" = %s""",
    "name": """UPDATE "Profile" SET "displayName" = ' ' WHERE "userId" = %s""",
    "birthdate": """UPDATE "Profile" SET "birthdate" = NULL WHERE "userId" = %s""",
    "gender": """UPDATE "Profile" SET "gender" = 'UNSPECIFIED' WHERE "userId" = %s""",
    "bio": """UPDATE "Profile" SET "bio" = NULL WHERE "userId" = %s""",
    "avatar": """UPDATE "Profile" SET "avatarUrl" = '' WHERE "userId" = %s""",
    "place": """UPDATE "Profile" SET "locationText" = '', "lat" = 'NaN' WHERE "userId" = %s""",
    "interests": """DELETE FROM "UserInterest" WHERE "userId" = %s""",
}


@pytest.fixture
def complete(site: Connection, site_url: str) -> Connection:
    """A site of searchable users, all marked."""
    load(site, 5, 40)
    site.execute("""
        UPDATE "Profile" SET "displayName" = 'Anna', "birthdate" = '1990-05-05', "gender" = 'OTHER', "bio" = 'hello',
               "avatarUrl" = 'a', "locationText" = 'Rome', "isVisible" = true, "deletedAt" = NULL
        WHERE "userId" % 3 = 0;
        INSERT INTO "UserInterest" SELECT "userId", 2, 1 FROM "Profile" ON CONFLICT DO NOTHING;
    """)
    run(site_url, JOB, NOW, FULL)
    return site


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_changes_that_users_row_alone_and_taking_it_back_marks_the_user_again(
    complete: Connection, site_url: str, change: str
) -> None:
    user_id = somebody(complete, 'cardinality(s."missing") = 0')
    before, rows = versions(complete), stored(complete)
    complete.execute("""CREATE TABLE "Kept" AS SELECT * FROM "Profile" """)
    complete.execute("""CREATE TABLE "KeptInterest" AS SELECT * FROM "UserInterest" """)
    complete.execute(CHANGES[change].encode(), [user_id])
    finished = run(site_url, JOB, NOW, INCREMENTAL)
    after = versions(complete)
    assert {key for key in before if after[key] != before[key]} == {user_id}
    assert stored(complete) == searchable_rows(complete, NOW)
    assert (finished.refreshed, finished.counts["written"]) == (1, 1)
    complete.execute("""
        DELETE FROM "Profile"; INSERT INTO "Profile" SELECT * FROM "Kept";
        INSERT INTO "UserInterest" SELECT * FROM "KeptInterest" ON CONFLICT DO NOTHING;
        UPDATE "User" SET "deletedAt" = NULL WHERE "id" IN (SELECT "userId" FROM "Kept" WHERE "displayName" = 'Anna');
    """)
    run(site_url, JOB, NOW, INCREMENTAL)
    assert stored(complete)[user_id] == rows[user_id]


def test_an_eighteenth_birthday_marks_the_user_on_the_day(complete: Connection, site_url: str) -> None:
    user_id = somebody(complete)
    born = date(NOW.year - 18, NOW.month, NOW.day) + timedelta(days=1)
    complete.execute('UPDATE "Profile" SET "birthdate" = %s WHERE "userId" = %s', [born, user_id])
    run(site_url, JOB, NOW, INCREMENTAL)
    assert stored(complete)[user_id]["reasons"] == {"under-age"}
    before = versions(complete)
    run(site_url, JOB, NOW + timedelta(days=1), INCREMENTAL)
    assert stored(complete)[user_id]["isSearchable"]
    changed = {key for key, version in versions(complete).items() if version != before[key]}
    assert user_id in changed
    assert stored(complete) == searchable_rows(complete, NOW + timedelta(days=1))


@pytest.mark.parametrize("options", [FULL, INCREMENTAL])
def test_a_second_run_rewrites_no_row_and_says_so(site: Connection, site_url: str, options: dict[str, Any]) -> None:
    load(site, 8, 50)
    run(site_url, JOB, NOW, FULL)
    before = versions(site)
    finished = run(site_url, JOB, NOW + timedelta(seconds=5), options)
    assert versions(site) == before
    assert finished.counts["written"] == 0
    assert finished.message is not None
    assert "unchanged 50" in finished.message or "fresh 50" in finished.message


def test_the_row_of_a_user_who_vanished_goes_and_a_new_user_gets_one(site: Connection, site_url: str) -> None:
    ids = load(site, 9, 30)
    run(site_url, JOB, NOW, FULL)
    site.execute('DELETE FROM "User" WHERE "id" = %s', [ids[3]])
    site.execute('INSERT INTO "User" ("id") VALUES (777777)')
    finished = run(site_url, JOB, NOW, INCREMENTAL)
    assert finished.counts["written"] == 2
    assert set(stored(site)) == {*ids, 777777} - {ids[3]}
    assert stored(site)[777777]["reasons"] == {"profile", "completeness", "displayName", "birthdate"}


def test_a_run_for_one_user_writes_that_row_only(site: Connection, site_url: str) -> None:
    ids = load(site, 10, 20)
    run(site_url, JOB, NOW, {"userId": ids[5]})
    assert set(stored(site)) == {ids[5]}
    assert run(site_url, JOB, NOW, {"userId": 888888}).message == "user 888888 does not exist"


def test_another_threshold_makes_rows_stale(site: Connection, site_url: str) -> None:
    load(site, 11, 40)
    run(site_url, JOB, NOW, FULL)
    before = stored(site)
    strict = {"SEARCHABLE_MIN_COMPLETENESS": "1"}
    finished = run(site_url, JOB, NOW, INCREMENTAL, strict)
    assert stored(site) == searchable_rows(site, NOW, 1.0)
    changed = {user_id for user_id, row in stored(site).items() if row != before[user_id]}
    assert finished.counts["written"] == len(changed) > 0


def test_birthdates_kept_as_timestamps_count_the_same(site: Connection, site_url: str) -> None:
    load(site, 12, 40)
    run(site_url, JOB, NOW, FULL)
    before = versions(site)
    site.execute("""
        ALTER TABLE "Profile" ALTER COLUMN "birthdate" TYPE timestamptz, ALTER COLUMN "deletedAt" TYPE timestamptz,
              ALTER COLUMN "gender" DROP DEFAULT, ALTER COLUMN "gender" TYPE text, ALTER COLUMN "lat" TYPE numeric
    """)
    run(site_url, JOB, NOW, FULL)
    assert versions(site) == before


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SEARCHABLE_MIN_COMPLETENESS", "2", "a number from 0 to 1, not '2'"),
        ("SEARCHABLE_MIN_COMPLETENESS", "nan", "a number from 0 to 1, not 'nan'"),
        ("SEARCHABLE_MIN_COMPLETENESS", "half", "a number from 0 to 1, not 'half'"),
        ("SEARCHABLE_REQUIRED_FIELDS", "bio,phone", "out of displayName, birthdate, gender"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_takes(name: str, value: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=name) as raised:
        read_parameters(JOB.options(), {name: value})
    assert says in str(raised.value)
