"""match-model on a site of evenings: what it foretells, what it stores, and that quality decides."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.aliases import JsonObject
from sitejobs.errors import DataUnavailable, RunClosed
from sitejobs.jobs.job import PagedJob
from sitejobs.matching.match_model.job import JOB
from sitejobs.matching.match_quality import JOB as QUALITY
from sitejobs.matching.match_scores.settings import run_parameters
from sitejobs.matching.snapshot.encoding import encode, make_dictionaries
from sitejobs.matching.snapshot.population import read_population
from sitejobs.schema.roles import role_script
from sitejobs_local.places import REPOSITORY
from tests.matching.learning.evenings import NOW, Evenings, evenings, load
from tests.matching.learning.running import run_job
from tests.promises.promises import shape

MODEL = """SELECT "id", "status", "decisions", "parameters", "figures", "reasons" FROM "MatchModel" ORDER BY "id" """
EFFECTS = """
SELECT "userId", "selectivity"::float8, "appeal"::float8, "price"::float8 FROM "UserMatchEffect" ORDER BY "userId"
"""


def half_of_the_pairs(dates: Evenings, seed: int = 5) -> NDArray[np.bool_]:
    """Both decisions of half of the pairs."""
    low, high = np.minimum(dates.viewer, dates.candidate), np.maximum(dates.viewer, dates.candidate)
    pairs, which = np.unique(low * dates.people + high, return_inverse=True)
    return np.asarray((np.random.default_rng(seed).random(len(pairs)) < 0.5)[which])


def within_viewer(viewer: NDArray[np.int64], score: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Share of a viewer's pairs of a good and another one that the score orders rightly, ties half; mean of viewers."""
    shares = []
    for one in np.unique(viewer):
        better, worse = score[(viewer == one) & good], score[(viewer == one) & ~good]
        if len(better) and len(worse):
            shares.append(np.mean((better[:, None] > worse) + 0.5 * (better[:, None] == worse)))
    return float(np.mean(shares))


@pytest.fixture
def dates(site: Connection) -> Evenings:
    """A site that knows half of what was decided."""
    found = evenings(1)
    load(site, found, half_of_the_pairs(found))
    return found


def test_a_model_foretells_the_decisions_that_it_has_not_seen(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings
) -> None:
    done = run_job(JOB, site_url, tmp_path, NOW, {"batchSize": 100})
    ((model_id, status, decisions, parameters, _, reasons),) = site.execute(MODEL).fetchall()
    known = half_of_the_pairs(dates)
    assert (status, reasons, decisions) == ("active", [], int(known.sum()))
    assert done.message == f"model {model_id} is active"
    assert done.context["quality"]["figures"]["match"]["rankings"].keys() >= {"v1", "v2", "popularity"}
    effects = {row[0]: row[1:] for row in site.execute(EFFECTS).fetchall()}
    selectivity, appeal = (
        np.array([effects.get(user, (0, 0, 0))[at] for user in range(1, dates.people + 1)]) for at in (0, 1)
    )
    asked = np.flatnonzero(~known)
    viewer, candidate = dates.viewer[asked], dates.candidate[asked]
    both = (dates.interests[viewer] & dates.interests[candidate]).sum(axis=1)
    either = (dates.interests[viewer] | dates.interests[candidate]).sum(axis=1)
    odds = parameters["intercept"] + selectivity[viewer] + appeal[candidate]
    odds = odds + parameters["interests"] * (both / np.maximum(either, 1) - 0.3)
    odds = odds - parameters["ageGap"] * np.abs(dates.age[viewer] - dates.age[candidate]) / 10
    truth = within_viewer(viewer, dates.log_odds[asked], dates.liked[asked])
    assert truth - within_viewer(viewer, odds, dates.liked[asked]) < 0.03
    assert np.mean((1 / (1 + np.exp(-odds)) - dates.liked[asked]) ** 2) < 0.205


def test_effects_are_rounded_and_prices_within_their_range(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings
) -> None:
    run_job(JOB, site_url, tmp_path, NOW)
    rows = np.array(site.execute(EFFECTS).fetchall(), np.float64)
    np.testing.assert_allclose(rows[:, 1:3], rows[:, 1:3].round(3), atol=1e-6)
    assert rows[:, 3].min() >= 0
    assert 0 < rows[:, 3].max() <= 4, "these dates need prices: some are liked by nearly everybody"


def test_pages_of_any_size_and_parts_of_the_snapshot_make_the_same_model(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings
) -> None:
    whole = run_job(JOB, site_url, tmp_path, NOW)
    parts = run_job(JOB, site_url, tmp_path, NOW, {"batchSize": 37}, {"SNAPSHOT_PART_USERS": "100"})
    assert len(whole.pages) == 2
    assert len([page for page in parts.pages if "part" in page]) > 3
    one, two = site.execute(MODEL).fetchall()
    assert one[3].keys() == two[3].keys()
    for name in ("intercept", "traits", "interests", "proximity", "ageGap", "appealVariance", "selectivityVariance"):
        assert one[3][name] == pytest.approx(two[3][name], abs=1e-4)
    assert (one[1], two[1]) == ("candidate", "active"), "one model is active at a time: the newest"


def test_shuffled_decisions_keep_v1(site: Connection, site_url: str, tmp_path: Path) -> None:
    dates = evenings(2)
    random = np.random.default_rng(1)
    for name in ("liked", "ratings"):
        getattr(dates, name)[:] = getattr(dates, name)[random.permutation(len(dates.viewer))]
    load(site, dates, np.ones(len(dates.viewer), bool))
    done = run_job(JOB, site_url, tmp_path, NOW)
    ((_, status, _, _, _, reasons),) = site.execute(MODEL).fetchall()
    assert status == "candidate"
    assert any(reason.startswith("no-gain") for reason in reasons)
    assert "stays a candidate: no-gain" in str(done.message)


def test_too_few_decisions_train_nothing(site: Connection, site_url: str, tmp_path: Path) -> None:
    dates = evenings(3)
    load(site, dates, np.arange(len(dates.viewer)) < 900)
    for job in (JOB, QUALITY):
        done = run_job(job, site_url, tmp_path, NOW)
        assert done.message == "too few likes and dislikes to learn from: v1 goes on"
        assert done.pages == []
    assert site.execute(MODEL).fetchall() == []


def test_quality_writes_no_model_and_says_the_same(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings
) -> None:
    asked = run_job(QUALITY, site_url, tmp_path, NOW)
    assert asked.message == "a model may be active"
    assert site.execute(MODEL).fetchall() == []
    assert asked.counts["written"] == 0
    assert asked.context["quality"]["figures"]["like"]["viewers"] > 100


def test_decisions_of_people_without_profiles_and_odd_rows_are_passed_over(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings
) -> None:
    run_job(JOB, site_url, tmp_path, NOW)
    with site.transaction():
        site.execute("""INSERT INTO "User" ("id") VALUES (9001), (9002)""")
        site.execute(
            """INSERT INTO "Like" ("fromUserId", "toUserId", "action") VALUES (9001, 1, 'LIKE'), (1, 9002, 'LIKE')"""
        )
        site.execute(
            """INSERT INTO "Like" ("fromUserId", "toUserId", "action") VALUES (3, 3, 'LIKE') ON CONFLICT DO NOTHING"""
        )
    run_job(JOB, site_url, tmp_path, NOW + timedelta(minutes=1))
    one, two = site.execute(MODEL).fetchall()
    assert one[2] == two[2]


def test_a_match_counts_as_two_likes(site: Connection, site_url: str, tmp_path: Path, dates: Evenings) -> None:
    run_job(JOB, site_url, tmp_path, NOW)
    other_evening = int(np.flatnonzero(dates.days == dates.days.min())[0])
    one, two = 1, int(dates.viewer[other_evening]) + 1
    site.execute(
        """INSERT INTO "Match" ("userAId", "userBId", "state") VALUES (%s, %s, 'CLOSED')""",
        (min(one, two), max(one, two)),
    )
    run_job(JOB, site_url, tmp_path, NOW + timedelta(minutes=1))
    before, after = site.execute(MODEL).fetchall()
    assert after[2] == before[2] + 2
    assert after[3]["likes"] == before[3]["likes"] + 2


def test_only_the_newest_models_keep_everybodys_effects(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings
) -> None:
    for minute in range(4):
        run_job(JOB, site_url, tmp_path, NOW + timedelta(minutes=minute))
    (kept,) = site.execute("""SELECT array_agg(DISTINCT "modelId" ORDER BY "modelId") FROM "UserMatchEffect" """)
    assert len(kept[0]) == 3
    assert len(site.execute(MODEL).fetchall()) == 4


@pytest.mark.parametrize("job", [JOB, QUALITY], ids=["match-model", "match-quality"])
def test_it_runs_under_grants_of_what_it_needs(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings, job: PagedJob
) -> None:
    role = f"learner_{abs(hash(site_url)) % 10**9}"
    site.execute(role_script(role, [job.entry.name]).encode())
    site.execute(f"ALTER ROLE {role} LOGIN".encode())
    try:
        done = run_job(job, make_conninfo(site_url, user=role), tmp_path, NOW)
        assert "active" in str(done.message)
    finally:
        site.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_a_run_that_was_taken_over_stores_no_model(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings
) -> None:
    def taken_over(page: JsonObject) -> None:
        if "decisions" in page:
            site.execute("""UPDATE "JobRun" SET "status" = 'DIED', "finishedAt" = now()""")

    with pytest.raises(RunClosed):
        run_job(JOB, site_url, tmp_path, NOW, before_page=taken_over)
    assert site.execute(MODEL).fetchall() == []
    assert site.execute(EFFECTS).fetchall() == []


def test_a_page_whose_decisions_are_missing_trains_nothing(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings
) -> None:
    def lost(page: JsonObject) -> None:
        if "decisions" in page:
            next((tmp_path / "snapshots").glob("match-model-*.decisions-1")).unlink()

    with pytest.raises(DataUnavailable):
        run_job(JOB, site_url, tmp_path, NOW, before_page=lost)
    assert site.execute(MODEL).fetchall() == []


@pytest.mark.parametrize("job", [JOB, QUALITY], ids=["match-model", "match-quality"])
def test_the_ready_event_is_plans(site_url: str, tmp_path: Path, dates: Evenings, job: PagedJob) -> None:
    ready = json.loads((REPOSITORY / "events" / f"{job.entry.name}.json").read_text())
    done = run_job(job, site_url, tmp_path, NOW)
    context = {name: done.context[name] for name in ready["run"]["context"]}
    assert shape(context | {"cut": {"at": 0.0, "share": 0.8, "folds": 1}}) == shape(ready["run"]["context"])
    assert shape(done.pages[0]) == shape(ready["page"])


def test_whom_a_model_does_not_know_has_the_appeal_that_ratings_give(
    site: Connection, site_url: str, tmp_path: Path, dates: Evenings
) -> None:
    run_job(JOB, site_url, tmp_path, NOW)
    with site.transaction():
        site.execute("""INSERT INTO "User" ("id") VALUES (9001), (9002)""")
        site.execute(
            """INSERT INTO "Profile" ("id", "userId", "isVisible")
            VALUES (19001, 9001, true), (19002, 9002, true)"""
        )
        site.execute(
            """INSERT INTO "ProfileRating"
            ("raterProfileId", "targetProfileId", "attractive", "smart", "funny", "interesting")
            VALUES (5001, 19001, 5, 4, 5, 4), (5002, 19001, 5, 5, 5, 5)"""
        )
    parameters = run_parameters(site, {}, 10)
    population = read_population(site, NOW, parameters=parameters)
    users = encode(population, make_dictionaries(population), parameters)
    ((_, _, _, numbers, _, _),) = site.execute(MODEL).fetchall()
    sums = {"attractive": 10, "smart": 9, "funny": 10, "interesting": 9}
    expected = sum(
        numbers["taste"][kind] * ((total + 2 * numbers["means"][kind]) / 4 - numbers["means"][kind])
        for kind, total in sums.items()
    )
    by_id = dict(
        zip(users.ids.tolist(), zip(users.selectivity.tolist(), users.appeal.tolist(), strict=True), strict=True)
    )
    assert by_id[9001] == (0, pytest.approx(expected, abs=6e-4))
    assert expected > 0.5
    assert by_id[9002] == (0, 0)
    stored = {row[0]: row[1:3] for row in site.execute(EFFECTS).fetchall()}
    for user, effects in stored.items():
        assert by_id[user] == pytest.approx(effects, abs=1e-6)
