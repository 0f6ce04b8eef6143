"""user-interest-sets against a plain implementation, whole and incremental."""

import pytest

from sitejobs.traits.user_interest_sets import JOB
from tests.traits import oracle
from tests.traits.sites import Site, draw_interests, users_of

TABLES = ("InterestUserSet", "InterestSubjectUserSet", "InterestSetState")


def assert_right(site: Site) -> None:
    assert oracle.stored_sets(site) == oracle.interest_sets(site)


@pytest.mark.parametrize("seed", range(6))
def test_the_sets_are_what_a_plain_implementation_finds(site: Site, seed: int) -> None:
    draw_interests(site, seed)
    ran = site.run(JOB, {"batchSize": 7})
    assert_right(site)
    interests, subjects = oracle.interest_sets(site)
    assert ran.counts["written"] == len(interests) + len(subjects) > 100
    assert ran.counts["skipped"] + len({user for user, _ in subjects}) == ran.counts["processed"]
    assert set(ran.reasons) == {"no-interests", "deleted"}


@pytest.mark.parametrize("incremental", [False, True])
def test_a_run_that_finds_nothing_changed_rewrites_no_row(site: Site, incremental: bool) -> None:
    draw_interests(site, 1)
    site.run(JOB)
    before = [site.versions(table) for table in TABLES]
    ran = site.run(JOB, {"incremental": incremental})
    assert [site.versions(table) for table in TABLES] == before
    assert ran.counts["written"] == 0
    assert ran.counts["skipped"] == ran.counts["processed"] > 0


def test_a_first_incremental_run_fills_all_sets(site: Site) -> None:
    draw_interests(site, 2)
    site.run(JOB, {"incremental": True, "batchSize": 7})
    assert_right(site)


# One change at a time -----------------------------------------------------------------------------------------

CHANGES: dict[str, tuple[str, set[int], int]] = {
    "an interest more": ('INSERT INTO "UserInterest" VALUES (1, 1, 50)', {1}, 1),
    "an interest of a new subject": ('INSERT INTO "UserInterest" VALUES (1, 7, 50)', {1}, 2),
    "an interest less, not the newest": (
        'DELETE FROM "UserInterest" WHERE "userId" = 2 AND "interestId" = 11', {2}, 2),
    "one interest for another at the same time": (
        'UPDATE "UserInterest" SET "interestId" = 60 WHERE "userId" = 2 AND "interestId" = 12', {2}, 2),
    "an earlier time": (
        """UPDATE "UserInterest" SET "createdAt" = '2020-01-01' WHERE "userId" = 3 AND "interestId" = 12""", {3}, 2),
    "the earliest time gone": ('DELETE FROM "UserInterest" WHERE "userId" = 4 AND "interestId" = 11', {4}, 2),
    "no interests left": ('DELETE FROM "UserInterest" WHERE "userId" = 5', {5}, 4),
    "an interest removed from the site": ('DELETE FROM "UserInterest" WHERE "interestId" = 13', {1, 2, 3, 4, 5, 6}, 6),
    "a user deleted": ('UPDATE "User" SET "deletedAt" = now() WHERE "id" = 6', {6}, 4),
    "a user restored": ('UPDATE "User" SET "deletedAt" = NULL WHERE "id" = 8', {8}, 4),
    "a user removed": ('DELETE FROM "User" WHERE "id" = 6; DELETE FROM "UserInterest" WHERE "userId" = 6', {6}, 4),
    "a user removed without its interests": ('DELETE FROM "User" WHERE "id" = 6', {6}, 4),
    "a new user": ('INSERT INTO "User" ("id") VALUES (9); INSERT INTO "UserInterest" VALUES (9, 1, 11)', {9}, 2),
    "an interest under two subjects": (
        """INSERT INTO "UserInterest" VALUES (1, 2, 11, '2026-05-05')""", {1}, 1),
}  # fmt: skip
"""The change, the users whose sets it changes, and the number of rows."""


def make_site(site: Site) -> None:
    """Users 1 to 8: 7 without interests, 8 deleted; interests 11 to 13 of all others, the first one earliest."""
    site.query("""
        INSERT INTO "User" ("id", "deletedAt") SELECT i, CASE i WHEN 8 THEN now() END FROM generate_series(1, 8) i;
        INSERT INTO "UserInterest"
        SELECT u, 1, i, timestamp '2026-01-01' + i * interval '1 day'
        FROM unnest(ARRAY[1, 2, 3, 4, 5, 6, 8]) u, unnest(ARRAY[11, 12, 13]) i
    """)


@pytest.mark.parametrize("name", CHANGES)
def test_exactly_the_rows_that_a_change_concerns_are_written(site: Site, name: str) -> None:
    make_site(site)
    site.run(JOB)
    assert_right(site)
    change, whom, rows = CHANGES[name]
    before = [site.versions(table) for table in TABLES]
    site.query(change)
    ran = site.run(JOB, {"incremental": True})
    after = [site.versions(table) for table in TABLES]
    assert (ran.looked_into, ran.counts["written"]) == (len(whom), rows)
    assert users_of(before[2], after[2]) == whom
    written = [{key for key in one.keys() | two.keys() if one.get(key) != two.get(key)}
               for one, two in zip(before[:2], after[:2], strict=True)]  # fmt: skip
    assert sum(map(len, written)) == rows
    assert {key[0] for keys in written for key in keys} == whom
    assert_right(site)
    assert site.run(JOB, {"incremental": True}).looked_into == ("a user removed" in name)
    assert site.run(JOB, {"incremental": True}).looked_into == 0


@pytest.mark.parametrize("table", TABLES)
def test_a_whole_run_mends_what_others_did_to_the_sets(site: Site, table: str) -> None:
    make_site(site)
    site.run(JOB)
    site.query(f'DELETE FROM "{table}" WHERE "userId" = 3')
    site.query("""INSERT INTO "InterestUserSet" VALUES (99, 7, now()), (99, 4, now())""")
    site.run(JOB)
    assert_right(site)
    assert {user for (user,) in site.query('SELECT "userId" FROM "InterestSetState" WHERE "fingerprint" <> 0')} == {
        1, 2, 3, 4, 5, 6}  # fmt: skip


def test_a_user_who_is_gone_leaves_nothing(site: Site) -> None:
    make_site(site)
    site.run(JOB)
    site.query('DELETE FROM "User" WHERE "id" = 6; DELETE FROM "UserInterest" WHERE "userId" = 6')
    site.run(JOB)
    site.run(JOB)
    for table in TABLES:
        assert site.query(f'SELECT 1 FROM "{table}" WHERE "userId" = 6') == []


def test_a_run_for_one_user_leaves_the_others_alone(site: Site) -> None:
    make_site(site)
    assert site.run(JOB, {"userId": 2}).counts["written"] == 4
    assert {user for user, _ in oracle.stored_sets(site)[0]} == {2}
    assert site.run(JOB, {"userId": 77}).message == "user 77 does not exist"


def test_a_site_with_columns_of_other_types_is_read_as_well(site: Site) -> None:
    site.query("""
        ALTER TABLE "User" ALTER "id" TYPE integer;
        ALTER TABLE "UserInterest" ALTER "userId" TYPE integer, ALTER "subjectId" TYPE smallint,
            ALTER "interestId" TYPE integer, ALTER "createdAt" TYPE timestamptz;
    """)
    draw_interests(site, 2)
    site.run(JOB)
    assert_right(site)
    assert site.run(JOB, {"incremental": True}).looked_into == 0
