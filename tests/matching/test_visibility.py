"""Who may still be shown when a page is written."""

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.matching.match_scores.visibility import still_candidates
from tests.matching.random_sites import draw
from tests.matching.site_loading import load

SHOWN = """
SELECT u."id" FROM "User" u JOIN LATERAL (
    SELECT "isVisible" FROM "Profile" WHERE "userId" = u."id" AND "deletedAt" IS NULL ORDER BY "id" DESC LIMIT 1
) p ON p."isVisible" WHERE u."deletedAt" IS NULL
"""
SECOND_PROFILE = """
INSERT INTO "Profile" ("id", "userId", "isVisible", "updatedAt")
SELECT 1000000 + "id", "userId", %s, "updatedAt" FROM "Profile" WHERE "userId" = %s
"""
DEPARTURES = {
    "hidden": """UPDATE "Profile" SET "isVisible" = false WHERE "userId" = %s""",
    "undecided": """UPDATE "Profile" SET "isVisible" = NULL WHERE "userId" = %s""",
    "profile deleted": """UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = %s""",
    "user deleted": """UPDATE "User" SET "deletedAt" = now() WHERE "id" = %s""",
}


def shown(site: Connection) -> list[int]:
    return sorted(row[0] for row in site.execute(SHOWN))


def found(site: Connection, ids: list[int]) -> list[int]:
    return list(map(int, still_candidates(site, np.array(ids, np.int64))))


@pytest.mark.parametrize("seed", range(3))
def test_of_everybody_those_who_may_be_shown(site: Connection, seed: int) -> None:
    load(site, draw(seed, 60, "mixed"))
    everybody = [row[0] for row in site.execute("""SELECT "id" FROM "User" ORDER BY "id" DESC""")]
    right = shown(site)
    assert 0 < len(right) < len(everybody)
    assert found(site, [*everybody, 999_999]) == right
    assert found(site, right[::-1]) == right
    assert found(site, []) == []


@pytest.mark.parametrize("departure", DEPARTURES)
def test_one_of_many_left(site: Connection, departure: str) -> None:
    load(site, draw(5, 60, "mixed"))
    before = shown(site)
    if departure == "undecided":
        site.execute("""ALTER TABLE "Profile" ALTER "isVisible" DROP NOT NULL""")
    site.execute(DEPARTURES[departure], [before[3]])
    assert found(site, before) == [user for user in before if user != before[3]] == shown(site)


@pytest.mark.parametrize("visible", [True, False])
def test_of_two_profiles_the_last_one_tells(site: Connection, visible: bool) -> None:
    load(site, draw(6, 60, "mixed"))
    before = shown(site)
    site.execute("""ALTER TABLE "Profile" DROP CONSTRAINT IF EXISTS "Profile_userId_key" """)
    site.execute(SECOND_PROFILE, [visible, before[2]])
    # Another one's profile went: there are as many as ids again.
    site.execute("""DELETE FROM "Profile" WHERE "userId" = %s""", [before[7]])
    gone = {before[7]} if visible else {before[2], before[7]}
    assert found(site, before) == [user for user in before if user not in gone] == shown(site)
