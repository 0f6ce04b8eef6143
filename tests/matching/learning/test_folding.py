"""match-model --incremental: whoever is new or of whom more was told is folded in, and nothing else changes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from psycopg import Connection
from psycopg.errors import RaiseException, SerializationFailure
from psycopg.types.json import Jsonb

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PageSummary, Resources, Run
from sitejobs.matching.match_model.job import JOB
from sitejobs.matching.match_model.told import fingerprints
from sitejobs.options import parse_options
from sitejobs.postgres.connection import Database
from tests.fakes import FolderWorkStore
from tests.matching.changes import CHANGES, delete_profile, delete_user, match, rate, say, take_a_rating_back
from tests.matching.changes import take_a_word_back as unsay
from tests.matching.learning.evenings import evenings
from tests.matching.learning.evenings import load as load_evenings
from tests.matching.learning.folding_oracle import Folding, read_folding
from tests.matching.learning.running import Done, run_job
from tests.matching.random_sites import NOW, draw
from tests.matching.running import Site
from tests.matching.site_loading import load

NUMBERS: dict[str, Any] = {
    "intercept": -0.7,
    "traits": 1.5,
    "interests": 2.0,
    "proximity": 0.9,
    "ageGap": 0.4,
    "taste": {"attractive": 0.8, "smart": 0.2, "funny": 0.5, "interesting": 0.1},
    "means": {"attractive": 2.9, "smart": 3.4, "funny": 3.1, "interesting": 3.0},
    "selectivityVariance": 1.3,
    "appealVariance": 0.6,
}
MODEL = """
INSERT INTO "MatchModel" ("runId", "status", "trainedAt", "decisions", "parameters", "figures", "reasons")
VALUES (999999, 'active', now(), 5000, %s, '{}', '{}') RETURNING "id"
"""
EFFECT = """
INSERT INTO "UserMatchEffect" ("modelId", "userId", "selectivity", "appeal", "price", "trainedSelectivity",
                               "trainedAppeal", "fingerprint") VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
EFFECTS = """
SELECT "userId", "selectivity"::float8, "appeal"::float8, "price"::float8, "trainedSelectivity"::float8,
       "trainedAppeal"::float8 FROM "UserMatchEffect" ORDER BY 1
"""
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
CREATE TRIGGER "refuse" BEFORE INSERT ON "UserMatchEffect" FOR EACH ROW WHEN (NEW."userId" = <user>)
EXECUTE FUNCTION refuse();
"""
IDS = """
SELECT u."id" FROM "User" u JOIN "Profile" p ON p."userId" = u."id"
WHERE u."deletedAt" IS NULL AND p."deletedAt" IS NULL ORDER BY 1
"""
FOLD: JsonObject = {"incremental": True, "rewriteEpsilon": 0}
Effects = dict[int, tuple[float, ...]]


@pytest.fixture
def model(site: Connection) -> int:
    """A site of 40 people who say much of each other, and a model that knows most of them."""
    return a_site(site, 1)


def a_site(site: Connection, seed: int) -> int:
    random = Random(seed)
    load(site, draw(seed, 40, "one city"))
    for _ in range(150):
        say(site, random)
        rate(site, random)
    row = site.execute(MODEL, [Jsonb(NUMBERS)]).fetchone()
    assert row is not None
    known = np.array([user for (user,) in site.execute(IDS).fetchall() if random.random() < 0.7])
    for user, told in zip(known.tolist(), fingerprints(site, known).tolist(), strict=True):
        selectivity, appeal = random.gauss(0, 1), random.gauss(0, 0.8)
        price = random.choice((0.0, 0.3))
        effects = round(selectivity, 3), round(appeal + 0.2, 3), price, selectivity, appeal
        site.execute(EFFECT, [row[0], user, *effects, told])
    return int(row[0])


def stored(site: Connection) -> Effects:
    return {user: tuple(rest) for user, *rest in site.execute(EFFECTS).fetchall()}


def fold(url: str, folder: Path, at: datetime = NOW, **options: Any) -> Done:
    return run_job(JOB, url, folder, at, FOLD | options)


def assert_folded(before: Effects, after: Effects, folding: Folding, changed: set[int]) -> None:
    """Those who changed are as the oracle says, the others as they were."""
    assert after.keys() == before.keys() | changed
    for user, effects in after.items():
        if user not in changed:
            assert effects == before[user], f"user {user}"
            continue
        assert effects[:2] == pytest.approx(folding.of(user), abs=6e-4), f"user {user}"
        np.testing.assert_allclose(effects[:2], np.round(effects[:2], 3), atol=1e-6)
        assert effects[2:] == before.get(user, (0, 0, 0, 0, 0))[2:], "prices, and what was trained, stay"


def with_profile(folding: Folding) -> set[int]:
    return {user for user, person in folding.told.site.people.items() if person.has_profile}


@pytest.mark.parametrize("seed", range(4))
def test_effects_are_those_of_one_user_at_a_time(site: Connection, site_url: str, tmp_path: Path, seed: int) -> None:
    model, random = a_site(site, seed), Random(seed)
    before, folding = stored(site), read_folding(site, model, NUMBERS, NOW)
    fold(site_url, tmp_path, batchSize=3)
    after = stored(site)
    new = {user for user in with_profile(folding) - before.keys() if folding.told.of(user)}
    assert len(new) > 3
    assert_folded(before, after, folding, new)
    for change in (say, rate, match, unsay, take_a_rating_back) * 3:
        change(site, random)
    told, now = folding.told, read_folding(site, model, NUMBERS, NOW)
    changed = {user for user in with_profile(now) if told.of(user) != now.told.of(user)}
    assert 5 < len(changed) < len(with_profile(now))
    fold(site_url, tmp_path, NOW + timedelta(minutes=1))
    assert_folded(after, stored(site), now, changed)


def test_a_second_run_finds_nothing_to_do(site: Connection, site_url: str, tmp_path: Path, model: int) -> None:
    fold(site_url, tmp_path)
    before = stored(site)
    done = fold(site_url, tmp_path, NOW + timedelta(minutes=1))
    assert stored(site) == before
    assert (done.counts["written"], done.counts["processed"]) == (0, done.reasons["fresh"])


def test_any_change_of_the_site_leaves_effects_that_a_later_run_keeps(
    site: Connection, site_url: str, tmp_path: Path, model: int
) -> None:
    for at, change in enumerate(CHANGES):
        change(site, Random(3))
        fold(site_url, tmp_path, NOW + timedelta(minutes=2 * at))
        before = stored(site)
        done = fold(site_url, tmp_path, NOW + timedelta(minutes=2 * at + 1))
        assert (done.counts["written"], stored(site)) == (0, before), change.__name__


def test_a_run_that_dies_in_the_middle_is_finished_by_the_next(
    site: Connection, site_url: str, tmp_path: Path, model: int
) -> None:
    before, folding = stored(site), read_folding(site, model, NUMBERS, NOW)
    new = {user for user in with_profile(folding) - before.keys() if folding.told.of(user)}
    site.execute(REFUSE.replace("<user>", str(sorted(new)[4])).encode())
    with pytest.raises(RaiseException):
        fold(site_url, tmp_path, batchSize=2)
    assert len(before) < len(stored(site)) < len(before) + len(new)
    site.execute("""DROP TRIGGER "refuse" ON "UserMatchEffect" """)
    site.execute("""UPDATE "JobRun" SET "status" = 'DIED', "finishedAt" = now()""")
    fold(site_url, tmp_path, NOW + timedelta(minutes=1))
    assert_folded(before, stored(site), folding, new)


def test_a_page_that_runs_twice_at_once_comes_to_the_same(
    site: Connection, site_url: str, tmp_path: Path, model: int
) -> None:
    before, folding = stored(site), read_folding(site, model, NUMBERS, NOW)
    parsed = parse_options(JOB.options, FOLD)
    first, last = min(with_profile(folding)), max(with_profile(folding))

    def page(_: int) -> PageSummary | SerializationFailure:
        database = Database(site_url)
        try:
            resources = Resources(database, FolderWorkStore(tmp_path), {})
            run = Run("1", "match-model", NOW)
            chapter = JOB.plan(resources, run, parsed, None)
            run = Run("1", "match-model", NOW, {}, chapter.context)
            keys = {"page": 1, "first": str(first), "last": str(last), "keys": 40}
            return JOB.batch(resources, run, parsed, keys)
        except SerializationFailure as error:
            return error
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(page, range(4)))
    assert any(isinstance(result, PageSummary) for result in results)
    page(0)
    new = {user for user in with_profile(folding) - before.keys() if folding.told.of(user)}
    assert_folded(before, stored(site), folding, new)


def test_small_moves_are_not_written(site: Connection, site_url: str, tmp_path: Path, model: int) -> None:
    fold(site_url, tmp_path)
    before = stored(site)
    random = Random(8)
    for _ in range(20):
        say(site, random)
    folding = read_folding(site, model, NUMBERS, NOW)
    done = fold(site_url, tmp_path, NOW + timedelta(minutes=1), rewriteEpsilon=0.2)
    after = stored(site)
    near = [abs(wanted - have) for user in before for wanted, have in zip(folding.of(user), before[user], strict=False)]
    kept = [after[user][at] == before[user][at] for user in before for at in range(2)]
    assert any(0.001 < distance < 0.2 for distance in near)
    assert all(same for distance, same in zip(near, kept, strict=True) if distance < 0.199)
    assert 0 < done.counts["written"] < done.counts["processed"] - done.reasons["fresh"]
    again = fold(site_url, tmp_path, NOW + timedelta(minutes=2), rewriteEpsilon=0)
    assert again.counts["written"] == 0, "what moved little is looked at once"


def test_deleted_people_are_left_alone(site: Connection, site_url: str, tmp_path: Path, model: int) -> None:
    for _ in range(5):
        delete_profile(site, Random(4))
        delete_user(site, Random(5))
    folding = read_folding(site, model, NUMBERS, NOW)
    before = stored(site)
    fold(site_url, tmp_path)
    gone = before.keys() - with_profile(folding)
    assert gone
    assert {user: stored(site)[user] for user in gone} == {user: before[user] for user in gone}


@pytest.mark.parametrize("algorithm", ["v1", "auto"])
def test_without_a_model_there_is_nothing_to_do(
    site: Connection, site_url: str, tmp_path: Path, algorithm: str
) -> None:
    load(site, draw(1, 10, "one city"))
    done = run_job(JOB, site_url, tmp_path, NOW, FOLD, {"MATCH_ALGORITHM": algorithm})
    assert (done.message, done.pages) == ("no model to fold anybody into: v1 goes on", [])


def test_an_older_model_waits_for_the_next_training(
    site: Connection, site_url: str, tmp_path: Path, model: int
) -> None:
    site.execute("""UPDATE "UserMatchEffect" SET "fingerprint" = NULL, "trainedAppeal" = NULL""")
    before = stored(site)
    done = fold(site_url, tmp_path)
    assert (done.pages, stored(site)) == ([], before)
    assert "before anybody could be folded in" in str(done.message)


def test_match_scores_sees_who_was_folded_in(site: Connection, site_url: str, tmp_path: Path, model: int) -> None:
    rows = """SELECT "userId", "candidateUserId", "score", "scoreLike", "scoreBack" FROM "MatchScore" ORDER BY 1, 2"""
    machine = Site(site_url, tmp_path)
    machine.run(NOW, {"batchSize": 7})
    random = Random(5)
    for _ in range(6):
        rate(site, random)
    fold(site_url, tmp_path, NOW + timedelta(minutes=1))
    machine.run(NOW + timedelta(minutes=2), {"incremental": True, "batchSize": 7})
    found = np.array(site.execute(rows).fetchall(), np.float64)
    machine.run(NOW + timedelta(minutes=3), {"batchSize": 7})
    expected = np.array(site.execute(rows).fetchall(), np.float64)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_newcomers_are_folded_in_to_where_a_training_would_put_them(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    dates = evenings(1, 14)
    old = dates.days > dates.days.min() + 14
    load_evenings(site, dates, old)
    run_job(JOB, site_url, tmp_path, NOW)
    site.execute("""UPDATE "MatchModel" SET "status" = 'active'""")
    load_evenings(site, dates, ~old, people=False)
    new = np.union1d(dates.viewer[~old], dates.candidate[~old]) + 1
    done = fold(site_url, tmp_path, NOW + timedelta(minutes=1))
    assert done.counts["written"] == len(new) > 20
    found = stored(site)
    run_job(JOB, site_url, tmp_path, NOW + timedelta(minutes=2))
    site.execute("""DELETE FROM "UserMatchEffect" WHERE "modelId" < (SELECT max("modelId") FROM "UserMatchEffect")""")
    wanted = stored(site)
    for effect in (0, 1):
        one, other = ([table[user][effect] for user in new.tolist()] for table in (found, wanted))
        assert np.corrcoef(one, other)[0, 1] > 0.95
        assert np.abs(np.subtract(one, other)).mean() < 0.35
