"""Runs from the command line on a synthetic site, and their results."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sitejobs.aliases import JsonObject
from sitejobs.postgres.connection import connect
from sitejobs.traits import user_interest_sets as interest_sets
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database
from tests.keyed_runs import NOW
from tests.local.command import environment, sitejobs
from tests.matching import running
from tests.traits import oracle
from tests.traits.sites import Site

USERS = 150


@pytest.fixture
def populated(postgres_server: Server) -> Iterator[Site]:
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            load(connection, generate(USERS, 5, datetime(2026, 6, 1, tzinfo=UTC)))
        site = Site(url)
        yield site
        site.close()


def command(site: Site, tmp_path: Path, *arguments: str) -> JsonObject:
    done = sitejobs(*arguments, "--json", env=environment(DATABASE_URL=site.url, SITEJOBS_HOME=str(tmp_path)))
    assert done.returncode == 0, done.stdout + done.stderr
    summary: JsonObject = json.loads(done.stdout)
    return summary


def test_the_command_stores_the_traits_that_the_synthetic_site_came_with_and_matches_pick_them_up(
    populated: Site, tmp_path: Path
) -> None:
    live = oracle.live_users(populated)
    wanted = {key: value for key, value in oracle.stored_traits(populated).items() if key[0] in live}
    populated.query('TRUNCATE "UserTrait"')
    matching = running.Site(populated.url, tmp_path)
    matching.run(NOW)
    assert populated.query('SELECT DISTINCT "viewerTraits" FROM "MatchScore"') == [(0,)]
    summary = command(populated, tmp_path, "build-user-traits", "--batchSize=40")
    assert (summary["status"], summary["pages"], summary["written"]) == ("SUCCEEDED", 4, len(wanted))
    assert oracle.stored_traits(populated) == wanted == oracle.user_traits(populated)[0]
    matching.run(NOW + timedelta(hours=1), {"incremental": True})
    counts: dict[int, int] = {}
    for user, _ in wanted:
        counts[user] = counts.get(user, 0) + 1
    used = dict(populated.query('SELECT "userId", max("viewerTraits") FROM "MatchScore" GROUP BY 1'))
    assert used == {user: counts.get(user, 0) for user in used}
    assert max(used.values()) > 0


def test_the_command_mirrors_all_interests_and_then_what_changed(populated: Site, tmp_path: Path) -> None:
    summary = command(populated, tmp_path, "user-interest-sets", "--batchSize=40")
    assert (summary["status"], summary["pages"]) == ("SUCCEEDED", 4)
    assert oracle.stored_sets(populated) == oracle.interest_sets(populated)
    populated.query('DELETE FROM "UserInterest" WHERE "userId" = 1')
    again = populated.run(interest_sets.JOB, {"incremental": True})
    assert (again.counts["processed"], again.looked_into) == (summary["processed"], 1)
    assert oracle.stored_sets(populated) == oracle.interest_sets(populated)
