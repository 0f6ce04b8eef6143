"""profile-search-index: each row equals a plain implementation's, and a change of data changes what it should."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import dict_row

from sitejobs.postgres.connection import connect
from sitejobs.search.profile_search_index import JOB, refresh
from sitejobs.search.texts import keywords_of, place_of
from tests.search.oracle import Row, index_rows
from tests.search.random_sites import NOW, load
from tests.search.running import run

FULL: dict[str, Any] = {"userBatchSize": 7, "pauseMs": 0}
INCREMENTAL = FULL | {"incremental": True}
LONG = 1_500_000


def stored(connection: Connection) -> dict[int, Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute('SELECT * FROM "ProfileSearchIndex"').fetchall()
        words = connection.execute(
            """SELECT "userId", w.lexeme, w.weights FROM "ProfileSearchIndex", unnest("searchVector") AS w"""
        ).fetchall()
    for row in rows:
        del row["indexedAt"], row["fingerprint"], row["searchVector"]
        row["words"] = {}
        row["accountCreatedAt"] = row["accountCreatedAt"] and row["accountCreatedAt"].replace(tzinfo=None)
    found = {row.pop("userId"): row for row in rows}
    for user_id, lexeme, weights in words:
        found[user_id]["words"][lexeme] = set(weights)
    return found


def versions(connection: Connection) -> dict[int, str]:
    """User -> the transaction that wrote the row."""
    return dict(connection.execute('SELECT "userId", xmin::text FROM "ProfileSearchIndex"').fetchall())


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_those_of_the_plain_version(site: Connection, site_url: str, seed: int) -> None:
    ids = load(site, seed, 60)
    finished = run(site_url, JOB, NOW, FULL)
    wanted = index_rows(site, NOW)
    assert stored(site) == wanted
    assert finished.counts["processed"] == len(ids)
    assert finished.counts["written"] == len(wanted)
    assert finished.reasons == {"no-profile": len(ids) - len(wanted)}


# One input at a time ----------------------------------------------------------------------------------------

CHANGES = {
    "name": """UPDATE "Profile" SET "displayName" = 'Zo' WHERE "userId" = %s""",
    "bio": """UPDATE "Profile" SET "bio" = 'gone fishing' WHERE "userId" = %s""",
    "hidden": """UPDATE "Profile" SET "isVisible" = NOT "isVisible" WHERE "userId" = %s""",
    "place": """UPDATE "Profile" SET "locationText" = 'Lima, Peru' WHERE "userId" = %s""",
    "latitude": """UPDATE "Profile" SET "lat" = 1.5 WHERE "userId" = %s""",
    "longitude": """UPDATE "Profile" SET "lng" = 2.5 WHERE "userId" = %s""",
    "precision": """UPDATE "Profile" SET "geoPrecision" = 'REGION' WHERE "userId" = %s""",
    "accuracy": """UPDATE "Profile" SET "locationAccuracy" = 7 WHERE "userId" = %s""",
    "gender": """UPDATE "Profile" SET "gender" = 'OTHER' WHERE "userId" = %s""",
    "intent": """UPDATE "Profile" SET "intent" = 'MARRIAGE' WHERE "userId" = %s""",
    "birthdate": """UPDATE "Profile" SET "birthdate" = '1950-01-01' WHERE "userId" = %s""",
    "interest": """INSERT INTO "UserInterest" VALUES (%s, 3, 12)""",
    "interest lost": """DELETE FROM "UserInterest" WHERE "userId" = %s""",
    "trait": """INSERT INTO "UserTrait" ("userId", "traitKey", "value", "n") VALUES (%s, 'new', 2, 1)""",
    "trait value": """UPDATE "UserTrait" SET "value" = 1.11 WHERE "userId" = %s""",
    "trait lost": """DELETE FROM "UserTrait" WHERE "userId" = %s""",
    "list": """INSERT INTO "Top5List" ("profileId", "title")
               SELECT "id", 'Best soups' FROM "Profile" WHERE "userId" = %s""",
    "list title": """UPDATE "Top5List" SET "title" = 'Worst soups'
                     WHERE "profileId" IN (SELECT "id" FROM "Profile" WHERE "userId" = %s)""",
    "list lost": """DELETE FROM "Top5List" WHERE "profileId" IN (SELECT "id" FROM "Profile" WHERE "userId" = %s)""",
    "item": """UPDATE "Top5Item" SET "text" = 'miso' WHERE "listId" IN (
               SELECT l."id" FROM "Top5List" l JOIN "Profile" p ON p."id" = l."profileId" WHERE p."userId" = %s)""",
    "items' order": """UPDATE "Top5Item" SET "order" = -"order" WHERE "listId" IN (
               SELECT l."id" FROM "Top5List" l JOIN "Profile" p ON p."id" = l."profileId" WHERE p."userId" = %s)""",
    "item lost": """DELETE FROM "Top5Item" WHERE "listId" IN (
               SELECT l."id" FROM "Top5List" l JOIN "Profile" p ON p."id" = l."profileId" WHERE p."userId" = %s)""",
    "created": """UPDATE "User" SET "createdAt" = '2020-02-02 02:02:02' WHERE "id" = %s""",
    "deleted": """UPDATE "User" SET "deletedAt" = now() WHERE "id" = %s""",
    "profile deleted": """UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = %s""",
    "profile gone": """DELETE FROM "Profile" WHERE "userId" = %s""",
    "user gone": """DELETE FROM "User" WHERE "id" = %s""",
}
_RICH = """
SELECT min(p."userId") FROM "ProfileSearchIndex" p
WHERE "interestCount" > 0 AND "traitCount" > 0 AND cardinality("top5Keywords") > 0
  AND NOT EXISTS (SELECT FROM "UserInterest" i WHERE i."userId" = p."userId" AND i."interestId" = 12)
  AND EXISTS (SELECT FROM "Profile" q JOIN "Top5List" l ON l."profileId" = q."id"
              JOIN "Top5Item" t ON t."listId" = l."id" WHERE q."userId" = p."userId")
"""


@pytest.fixture
def rich(site: Connection, site_url: str) -> tuple[Connection, int]:
    """An indexed site, and a user with rows in every table."""
    load(site, 21, 50)
    run(site_url, JOB, NOW, FULL)
    row = site.execute(_RICH).fetchone()
    assert row is not None
    assert row[0] is not None
    return site, int(row[0])


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_any_input_changes_that_users_row_alone(
    rich: tuple[Connection, int], site_url: str, change: str
) -> None:
    site, user_id = rich
    before, rows = versions(site), stored(site)
    site.execute(CHANGES[change].encode(), [user_id])
    finished = run(site_url, JOB, NOW, INCREMENTAL)
    after = versions(site)
    assert {key for key in before if after.get(key) != before[key]} == {user_id}
    assert finished.refreshed == finished.counts["written"] == 1
    assert stored(site) == index_rows(site, NOW)
    assert stored(site).get(user_id) != rows[user_id]


def test_another_birthdate_is_stored_though_the_age_is_the_same(rich: tuple[Connection, int], site_url: str) -> None:
    site, user_id = rich
    for born in ("1990-06-01", "1990-06-02"):
        site.execute('UPDATE "Profile" SET "birthdate" = %s WHERE "userId" = %s', [born, user_id])
        assert run(site_url, JOB, NOW, INCREMENTAL).counts["written"] == 1
        assert stored(site) == index_rows(site, NOW)


def test_whoever_comes_back_or_is_new_is_indexed(site: Connection, site_url: str) -> None:
    load(site, 22, 40)
    run(site_url, JOB, NOW, FULL)
    site.execute("""
        UPDATE "User" SET "deletedAt" = NULL; UPDATE "Profile" SET "deletedAt" = NULL;
        INSERT INTO "User" ("id") VALUES (555555);
        INSERT INTO "Profile" ("userId", "displayName") VALUES (555555, 'New');
    """)
    run(site_url, JOB, NOW, INCREMENTAL)
    assert stored(site) == index_rows(site, NOW)
    assert 555555 in stored(site)


def test_a_birthday_refreshes_whoever_has_one_and_nobody_else(site: Connection, site_url: str) -> None:
    load(site, 23, 80)
    run(site_url, JOB, NOW, FULL)
    before, rows = versions(site), stored(site)
    tomorrow = NOW + timedelta(days=1)
    run(site_url, JOB, tomorrow, INCREMENTAL)
    assert stored(site) == index_rows(site, tomorrow)
    changed = {key for key, version in versions(site).items() if version != before[key]}
    assert changed == {key for key, row in stored(site).items() if row["age"] != rows[key]["age"]}
    assert changed


@pytest.mark.parametrize("options", [FULL, INCREMENTAL])
def test_a_second_run_rewrites_no_row_and_says_so(site: Connection, site_url: str, options: dict[str, Any]) -> None:
    load(site, 24, 50)
    run(site_url, JOB, NOW, FULL)
    before = versions(site)
    finished = run(site_url, JOB, NOW + timedelta(seconds=5), options)
    assert versions(site) == before
    assert finished.counts["written"] == 0
    assert finished.message is not None
    assert "unchanged" in finished.message or "fresh" in finished.message


def test_a_full_run_mends_rows_that_somebody_else_changed(site: Connection, site_url: str) -> None:
    load(site, 25, 40)
    run(site_url, JOB, NOW, FULL)
    site.execute("""UPDATE "ProfileSearchIndex" SET "city" = 'Nowhere', "searchVector" = '' WHERE "userId" % 2 = 0""")
    run(site_url, JOB, NOW, FULL)
    assert stored(site) == index_rows(site, NOW)


def test_a_run_for_one_user_writes_that_row_only(site: Connection, site_url: str) -> None:
    load(site, 26, 20)
    user_id = min(index_rows(site, NOW))
    run(site_url, JOB, NOW, {"userId": user_id})
    assert set(stored(site)) == {user_id}
    assert run(site_url, JOB, NOW, {"userId": 888888}).message == "user 888888 does not exist"


# Overlaps and odd data --------------------------------------------------------------------------------------


@pytest.fixture
def two(site_url: str) -> Iterator[tuple[Connection, Connection]]:
    with connect(site_url) as first, connect(site_url) as second:
        yield first, second


def test_a_page_that_read_older_data_cannot_write_over_a_newer_result(
    site: Connection, two: tuple[Connection, Connection]
) -> None:
    ids = load(site, 27, 20)
    user_id = min(index_rows(site, NOW))
    older, newer = two
    values = {"today": NOW.date(), "now": NOW}
    with pytest.raises(psycopg.errors.SerializationFailure), older.transaction():
        older.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        older.execute('SELECT count(*) FROM "Profile"')  # its moment
        site.execute("""UPDATE "Profile" SET "bio" = 'newer' WHERE "userId" = %s""", [user_id])
        refresh(newer, ids, values)
        refresh(older, ids, values)
    assert stored(site) == index_rows(site, NOW)


def test_texts_of_any_length_fail_nothing_and_are_counted(site: Connection, site_url: str) -> None:
    load(site, 28, 12)
    indexed = set(index_rows(site, NOW))
    users = sorted(indexed)[:5]
    texts = (
        "".join(f"w{number} " for number in range(LONG // 8)),  # more than 1 MB of words
        "x" * LONG,  # one word
        "喜" * LONG,
        "ก็" * LONG,
        "🎸" * LONG,
    )
    for user_id, text in zip(users, texts, strict=True):
        site.execute('UPDATE "Profile" SET "bio" = %s WHERE "userId" = %s', [text, user_id])
    long_name = "Anna " + "y" * 100_000
    site.execute('UPDATE "Profile" SET "displayName" = %s WHERE "userId" = %s', [long_name, users[0]])
    site.execute('UPDATE "Top5Item" SET "text" = %s', ["z" * LONG])
    site.execute('UPDATE "Top5List" SET "title" = %s', ["q" * 101 + " soup " * 1000])
    finished = run(site_url, JOB, NOW, FULL)
    assert finished.reasons["bio-cut"] == len(users)
    assert finished.counts["failed"] == 0
    rows = stored(site)
    assert set(rows) == indexed
    assert rows[users[0]]["bio"] == texts[0]
    assert {"w0", "w1", "anna"} <= set(rows[users[0]]["words"])
    assert f"w{LONG // 8 - 1}" not in rows[users[0]]["words"]
    assert {keyword for row in rows.values() for keyword in row["top5Keywords"]} <= {"soup"}
    assert run(site_url, JOB, NOW, INCREMENTAL).refreshed == 0


def test_columns_of_other_types_give_the_same_rows(site: Connection, site_url: str) -> None:
    load(site, 29, 40)
    run(site_url, JOB, NOW, FULL)
    before = stored(site)
    site.execute("""
        ALTER TABLE "Profile" ALTER COLUMN "birthdate" TYPE timestamptz, ALTER COLUMN "deletedAt" TYPE timestamptz,
              ALTER COLUMN "gender" DROP DEFAULT, ALTER COLUMN "gender" TYPE text, ALTER COLUMN "lat" TYPE real,
              ALTER COLUMN "geoPrecision" TYPE varchar(40), ALTER COLUMN "locationAccuracy" TYPE double precision;
        ALTER TABLE "User" ALTER COLUMN "createdAt" TYPE timestamptz;
        ALTER TABLE "Top5Item" ALTER COLUMN "order" TYPE double precision;
    """)
    run(site_url, JOB, NOW, FULL)
    after = stored(site)
    for rows in (before, after):
        for row in rows.values():
            row["lat"] = None if row["lat"] is None else round(row["lat"], 3)
    assert after == before


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, (None, None, None)),
        (" , ", (None, None, None)),
        ("Rome", ("Rome", None, None)),
        ("Paris, France", ("Paris", None, "France")),
        ("Austin, Texas, United States", ("Austin", "Texas", "United States")),
        ("Ada, OK, Earth,  Milky Way", ("Ada", "OK", "Earth, Milky Way")),
    ],
)
def test_a_place_is_taken_apart(text: str | None, parts: tuple[str | None, ...]) -> None:
    assert tuple(place_of(text)) == parts


def test_keywords_are_words_of_three_letters_each_once_and_fifty_at_most() -> None:
    assert keywords_of(["Top 5 Films", "top ab 3.14 x1yz2 İstanbul"]) == ["top", "films", "istanbul"]
    assert keywords_of(["पसंद है", "好きな食べ物, книги", "e\u0301te\u0301 \u00e9t\u00e9"]) == [
        "पसंद",
        "好きな食べ物",
        "книги",
        "été",
    ]
    words = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}zz" for i in range(80)]
    assert keywords_of([" ".join(words)]) == words[:50]
