"""Unusable rows that a site's tables can hold: they count as missing, and change no other user's row."""

import re
from collections.abc import Callable

import pytest
from psycopg import Connection

from sitejobs.jobs.job import PagedJob
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs.postgres.connection import connect
from sitejobs.search import profile_search_index, searchable_user
from sitejobs_local.database.postgres import Server
from tests.databases import site_database
from tests.search import test_profile_search_index, test_searchable_user
from tests.search.oracle import Row, index_rows, searchable_rows
from tests.search.random_sites import NOW, load
from tests.search.running import run

Stored = Callable[[Connection], dict[int, Row]]
JOBS: dict[str, tuple[PagedJob, Stored, Callable[..., dict[int, Row]]]] = {
    "profile-search-index": (profile_search_index.JOB, test_profile_search_index.stored, index_rows),
    "searchable-user": (searchable_user.JOB, test_searchable_user.stored, searchable_rows),
}
LET_ANYTHING_IN = """
ALTER TABLE "Profile" DROP CONSTRAINT "Profile_userId_key";
CREATE UNIQUE INDEX ON "Profile" ("userId") WHERE "deletedAt" IS NULL;
ALTER TABLE "Profile" ALTER "userId" DROP NOT NULL, ALTER "gender" DROP NOT NULL, ALTER "intent" DROP NOT NULL,
    ALTER "isVisible" DROP NOT NULL;
ALTER TABLE "User" ALTER "createdAt" DROP NOT NULL;
ALTER TABLE "UserInterest" DROP CONSTRAINT "UserInterest_pkey";
ALTER TABLE "UserInterest" ALTER "userId" DROP NOT NULL, ALTER "subjectId" DROP NOT NULL,
    ALTER "interestId" DROP NOT NULL;
ALTER TABLE "Top5List" ALTER "profileId" DROP NOT NULL, ALTER "title" DROP NOT NULL;
ALTER TABLE "Top5Item" DROP CONSTRAINT "Top5Item_pkey";
ALTER TABLE "Top5Item" ALTER "listId" DROP NOT NULL, ALTER "order" DROP NOT NULL, ALTER "text" DROP NOT NULL,
    ALTER "order" TYPE numeric;
"""
NUMERIC = """
ALTER TABLE "Profile" ALTER "lat" TYPE numeric, ALTER "lng" TYPE numeric, ALTER "locationAccuracy" TYPE numeric
"""
DOUBLE = NUMERIC.replace("numeric", "double precision")
POISON = {
    "a deleted profile and a new one": """
        UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = %(user)s;
        INSERT INTO "Profile" ("userId", "displayName", "bio") VALUES (%(user)s, 'Anew', 'again')
    """,
    "two deleted profiles and a new one": """
        UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = %(user)s;
        INSERT INTO "Profile" ("userId", "displayName") VALUES (%(user)s, 'Anew');
        INSERT INTO "Profile" ("userId", "displayName", "deletedAt") VALUES (%(user)s, 'Later', now())
    """,
    "a profile of nobody": 'UPDATE "Profile" SET "userId" = NULL WHERE "userId" = %(user)s',
    "NULLs": """
        UPDATE "Profile" SET "gender" = NULL, "intent" = NULL, "isVisible" = NULL, "lat" = NULL
        WHERE "userId" = %(user)s;
        UPDATE "User" SET "createdAt" = NULL WHERE "id" = %(user)s
    """,
    "an interest twice": """
        INSERT INTO "UserInterest" SELECT %(user)s, 1, 3 FROM generate_series(1, 3)
    """,
    "interests that have gone": """
        UPDATE "UserInterest" SET "interestId" = NULL WHERE "userId" = %(user)s;
        INSERT INTO "UserInterest" VALUES (%(user)s, NULL, 3), (%(user)s, NULL, NULL), (NULL, 1, 3)
    """,
    "list items without place or text": """
        WITH list AS (INSERT INTO "Top5List" ("profileId", "title")
                      SELECT "id", NULL FROM "Profile" WHERE "userId" = %(user)s RETURNING "id")
        INSERT INTO "Top5Item" SELECT "id", v.* FROM list, (VALUES
            (NULL, 'nowhere'), (1, NULL), ('NaN', 'none'), (1e400, 'far'), (1e-400, 'near'), (1, 'twice'), (1, 'thrice')
        ) AS v;
        INSERT INTO "Top5List" ("profileId", "title") VALUES (NULL, 'nobody');
        INSERT INTO "Top5Item" VALUES (NULL, 1, 'nothing')
    """,
    **{
        f"{column} {value}": f'UPDATE "Profile" SET "{column}" = \'{value}\' WHERE "userId" = %(user)s'
        for column in ("lat", "locationAccuracy")
        for value in ("NaN", "Infinity", "-Infinity", "1e400", "1e-400", "-1e-400")
    },
    **{
        f"birthdate {value}": f'UPDATE "Profile" SET "birthdate" = \'{value}\' WHERE "userId" = %(user)s'
        for value in ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01", "294276-12-31", "2100-01-01")
    },
    **{
        f"created {value}": f'UPDATE "User" SET "createdAt" = \'{value}\' WHERE "id" = %(user)s'
        for value in ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01")
    },
    **{
        f"deleted {value}": f'UPDATE "User" SET "deletedAt" = \'{value}\' WHERE "id" = %(user)s'
        for value in ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01")
    },
    "ids at the ends of bigint": f"""
        INSERT INTO "User" ("id") VALUES ({MIN_ID}), (-1), (0), ({MAX_ID});
        INSERT INTO "Profile" ("userId", "displayName") VALUES ({MIN_ID}, 'First'), (0, 'Nought'), ({MAX_ID}, 'Last');
        INSERT INTO "UserInterest" VALUES ({MIN_ID}, 1, 3), ({MAX_ID}, 1, 3)
    """,
}


@pytest.mark.parametrize("name", JOBS)
def test_a_row_that_nobody_can_use_changes_its_users_row_only(site: Connection, site_url: str, name: str) -> None:
    check(site, site_url, name, POISON, NUMERIC)


@pytest.mark.parametrize("name", JOBS)
def test_the_same_holds_on_the_oldest_server(old_server: Server, name: str) -> None:
    # The old server's numeric has no infinity; values that only numeric can hold are left out.
    poison = {kind: statements for kind, statements in POISON.items() if not re.search("^(lat|loc).*400", kind)}
    with site_database(old_server) as url, connect(url) as site:
        check(site, url, name, poison, DOUBLE)


def check(site: Connection, site_url: str, name: str, poison: dict[str, str], types: str) -> None:
    job, stored, wanted = JOBS[name]
    site.execute((LET_ANYTHING_IN + types).encode())
    ids = load(site, 7, 60)
    users = [user for (user,) in site.execute("""
        SELECT u."id" FROM "User" u JOIN "Profile" p ON p."userId" = u."id"
        WHERE u."deletedAt" IS NULL AND p."deletedAt" IS NULL ORDER BY 1
    """)]  # fmt: skip
    assert len(users) > len(poison)
    run(site_url, job, NOW)
    for (kind, statements), user in zip(poison.items(), users, strict=False):
        before = stored(site)
        for statement in statements.split(";"):
            if statement.strip():
                site.execute(statement.encode(), {"user": user})
        run(site_url, job, NOW, {"incremental": True})
        after = stored(site)
        assert after == wanted(site, NOW), kind
        new = {MIN_ID, -1, 0, MAX_ID} if "bigint" in kind else {user}
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert changed <= new, kind
        again = run(site_url, job, NOW)
        assert again.counts["written"] == 0, kind
    assert len(ids) == 60
