"""Likes follow from planted tastes, and the truth about them is at hand for tests only."""

from datetime import UTC, datetime

import numpy as np
import pytest

from sitejobs_local.population import Population, Tastes, generate, planted
from sitejobs_local.population.draws import Bools, Ints, happens, stream
from sitejobs_local.population.people import GENDERS, PREFERRED_GENDERS

NOW = datetime(2026, 11, 23, 12, 34, 56, 789_000, tzinfo=UTC)
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def site() -> tuple[Population, Tastes]:
    return planted(3000, 3, NOW)


def decided(site: tuple[Population, Tastes]) -> tuple[Ints, Ints, Bools]:
    """Viewer and candidate as places among the users, and whether it was a yes."""
    likes, truth = site[0]["Like"], site[1]
    viewer, candidate = (np.searchsorted(truth.ids, likes[name]) for name in ("fromUserId", "toUserId"))
    return viewer, candidate, likes["action"] == "LIKE"


def test_the_truth_belongs_to_the_site_that_generate_makes() -> None:
    population, truth = planted(60, 2, NOW)
    same = generate(60, 2, NOW)
    assert population.rows() == same.rows()
    assert (population["Like"]["createdAt"] == same["Like"]["createdAt"]).all()
    assert (truth.ids == same["User"]["id"]).all()


def test_log_odds_are_the_sum_of_their_parts(site: tuple[Population, Tastes]) -> None:
    viewer, candidate, _ = decided(site)
    truth = site[1]
    likenesses = truth.likenesses.of(viewer, candidate) / 1000 @ np.array(list(truth.weights.values()))
    wanted = truth.crowd.attracted(viewer, candidate)
    expected = truth.base + truth.selectivity[viewer] + truth.appeal[candidate] + likenesses - 3 * ~wanted
    np.testing.assert_allclose(truth.log_odds(viewer, candidate), expected, atol=0.002)


def test_decisions_come_true_as_often_as_the_odds_say(site: tuple[Population, Tastes]) -> None:
    viewer, candidate, yes = decided(site)
    chance = 1 / (1 + np.exp(-site[1].log_odds(viewer, candidate)))
    for low in np.arange(0, 1, 0.2):
        here = (chance >= low) & (chance < low + 0.2)
        assert yes[here].mean() == pytest.approx(chance[here].mean(), abs=4 * 0.5 / np.sqrt(here.sum()))


def test_draws_come_true_as_often_as_their_odds_say() -> None:
    for log_odds in (-20_000, -2197, 0, 1386, 20_000):
        share = happens(stream(1, "test"), np.full(100_000, log_odds)).mean()
        assert share == pytest.approx(1 / (1 + np.exp(-log_odds / 1000)), abs=0.006)


def test_some_never_decide_and_some_decide_much(site: tuple[Population, Tastes]) -> None:
    given = np.bincount(decided(site)[0], minlength=3000)
    assert 15 <= given.mean() <= 30
    assert 0.1 < (given == 0).mean() < 0.2
    assert np.quantile(given, 0.99) > 4 * np.median(given)


def test_decisions_are_about_people_nearby_who_suit_both_ways(site: tuple[Population, Tastes]) -> None:
    viewer, candidate, _ = decided(site)
    crowd = site[1].crowd
    assert np.mean(crowd.place[viewer] == crowd.place[candidate]) > 0.5
    suits = crowd.attracted(viewer, candidate) & crowd.attracted(candidate, viewer)
    assert 0.95 < np.mean(suits) < 1


def test_matches_are_mutual_likes_and_nothing_else(site: tuple[Population, Tastes]) -> None:
    likes, matches = site[0]["Like"], site[0]["Match"]
    said = {
        pair: at
        for pair, action, at in zip(
            zip(likes["fromUserId"].tolist(), likes["toUserId"].tolist(), strict=True),
            likes["action"].tolist(),
            likes["createdAt"],
            strict=True,
        )
        if action == "LIKE"
    }
    mutual = {pair for pair in said if pair[0] < pair[1] and pair[::-1] in said}
    stored = list(zip(matches["userAId"].tolist(), matches["userBId"].tolist(), strict=True))
    assert set(stored) == mutual
    assert len(stored) == len(mutual) > 1500
    for pair, since, state in zip(stored, matches["updatedAt"], matches["state"].tolist(), strict=True):
        made = max(said[pair], said[pair[::-1]])
        assert since == made if state == "ACTIVE" else since >= made


def test_decisions_are_spread_over_months(site: tuple[Population, Tastes]) -> None:
    likes = site[0]["Like"]
    days = (site[1].crowd.now - likes["createdAt"]).astype(np.int64) / DAY_MS
    assert days.min() >= 0
    assert np.quantile(days, 0.2) > 5
    assert np.quantile(days, 0.8) > 180


def test_appeal_shows_in_received_ratings(site: tuple[Population, Tastes]) -> None:
    population, truth = site
    ratings, profiles = population["ProfileRating"], population["Profile"]
    of_profile = np.searchsorted(profiles["id"], ratings["targetProfileId"])
    rated = np.searchsorted(truth.ids, profiles["userId"])[of_profile]
    count = np.bincount(rated, minlength=3000)
    mean = np.bincount(rated, weights=ratings["attractive"], minlength=3000) / np.maximum(count, 1)
    often = count >= 5
    assert np.corrcoef(mean[often], truth.appeal[often])[0, 1] > 0.4


def test_likenesses_are_the_same_in_both_directions(site: tuple[Population, Tastes]) -> None:
    viewer, candidate, _ = decided(site)
    alike = site[1].likenesses
    assert (alike.of(viewer, candidate) == alike.of(candidate, viewer)).all()


def test_who_cannot_tell_anybody_apart_has_no_truth_in_the_tables(site: tuple[Population, Tastes]) -> None:
    """No column of the site is the truth: none has the values of appeal or selectivity."""
    population, truth = site
    hidden = {tuple(values[:50].tolist()) for values in (truth.appeal_thousandths, truth.selectivity_thousandths)}
    for table in population.tables:
        for column in table.columns.values():
            assert tuple(column.values[:50].tolist()) not in hidden


@pytest.mark.parametrize("users", [1, 2, 3, 9, 25])
def test_the_smallest_sites_have_tastes_too(users: int) -> None:
    population, truth = planted(users, 1, NOW)
    assert len(truth.appeal) == users
    assert population["Like"].rows <= users * (users - 1)


def test_every_kind_of_person_decides(site: tuple[Population, Tastes]) -> None:
    crowd = site[1].crowd
    deciding = np.unique(decided(site)[0])
    assert set(crowd.gender[deciding].tolist()) == set(range(len(GENDERS)))
    assert set(crowd.preferred[deciding].tolist()) == set(range(len(PREFERRED_GENDERS)))
