"""On a site of planted tastes a trained model finds the best again, and its lists make more matches than v1's."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from sitejobs.matching.learning.decisions import Decisions, Received
from sitejobs.matching.learning.exposure import top_places
from sitejobs.matching.learning.training import Model, train
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.features import pair_features
from sitejobs.matching.scoring.pair_scores import score_pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import Population, Tastes, load, planted
from tests.databases import site_database
from tests.matching.pools import all_pairs, open_site
from tests.matching.random_sites import NOW

USERS = 8000
BEST = 20
RATED_ON = ("attractive", "smart", "funny", "interesting")


@dataclass(frozen=True)
class City:
    """Some people of one city: what v1, the model and the truth say of every pair. Matrices (n, n)."""

    allowed: Flags
    """Tier A for each other."""
    v1: Floats
    v2: Floats
    like: Floats
    """The true chance that the row's person likes the column's."""


@pytest.fixture(scope="module")
def city(postgres_server: Server) -> Iterator[City]:
    population, truth = planted(USERS, 6, NOW)
    with site_database(postgres_server) as url, connect(url) as connection:
        load(connection, population)
        opened = open_site(connection, 500)
    people = opened.candidates
    model, received = trained(population, truth, opened.viewers, opened.parameters)
    at = np.searchsorted(truth.ids, people.ids)
    # The largest city: there lists are long.
    here = np.flatnonzero(truth.crowd.place[at] == np.bincount(truth.crowd.place).argmax())
    yield compared(truth, people.take(here), at[here], model, received, opened.parameters)


def trained(population: Population, truth: Tastes, people: Users, parameters: Parameters) -> tuple[Model, Received]:
    """The model of all users' decisions, by their places in the truth."""
    ratings, profiles, likes = population["ProfileRating"], population["Profile"], population["Like"]
    rated = np.searchsorted(truth.ids, profiles["userId"])[np.searchsorted(profiles["id"], ratings["targetProfileId"])]
    sums = np.stack([np.bincount(rated, ratings[name], USERS) for name in RATED_ON], axis=1).astype(np.float32)
    received = Received.of(sums, np.bincount(rated, minlength=USERS).astype(np.int32))
    known = np.isin(likes["fromUserId"], people.ids) & np.isin(likes["toUserId"], people.ids)
    order = np.argsort(people.ids)
    sides = [order[np.searchsorted(people.ids[order], likes[name][known])] for name in ("fromUserId", "toUserId")]
    features = pair_features(people, people, sides[0], sides[1], parameters.default_radius_km)
    viewer, candidate = (np.searchsorted(truth.ids, people.ids[side]).astype(np.int32) for side in sides)
    liked = likes["action"][known] == "LIKE"
    return train(Decisions(viewer, candidate, liked, features.astype(np.float32)), received), received


def compared(
    truth: Tastes, people: Users, at: Indices, model: Model, received: Received, parameters: Parameters
) -> City:
    size = len(people)
    one, two = all_pairs(size, size)
    pairs = score_pairs(people, people, one, two, NOW.timestamp(), parameters)
    features = pair_features(people, people, one, two, parameters.default_radius_km) @ model.weights.as_array()
    appeal = model.whole_appeal(received)
    odds = model.intercept + features + model.selectivity[at[one]] + appeal[at[two]]
    like = 1 / (1 + np.exp(-odds.reshape(size, size)))
    true = 1 / (1 + np.exp(-truth.log_odds(at[one], at[two]).reshape(size, size)))
    allowed = pairs.tier_a.reshape(size, size) & ~np.eye(size, dtype=np.bool_)
    return City(allowed & allowed.T, pairs.score.reshape(size, size), like * like.T, true)


def recall(city: City, scores: Floats) -> float:
    """Share of the truly best twenty among the first twenty, of people who may be shown a hundred."""
    many = city.allowed.sum(axis=1) >= 5 * BEST
    best, found = (top_places(which, city.allowed, BEST)[many] for which in (city.like * city.like.T, scores))
    assert many.sum() > 50
    return float(
        np.mean([len(set(one) & set(two)) / BEST for one, two in zip(best.tolist(), found.tolist(), strict=True)])
    )


def matches(city: City, scores: Floats, seed: int = 1) -> int:
    """Matches after four rounds in which everybody decides about the first five who are left."""
    rng = np.random.default_rng(seed)
    likes, left = np.zeros(scores.shape, dtype=np.bool_), city.allowed.copy()
    says_yes = rng.random(scores.shape) < city.like
    for _ in range(4):
        shown = top_places(scores, left, 5)
        rows, places = np.nonzero(shown >= 0)
        candidates = shown[rows, places]
        likes[rows, candidates] = says_yes[rows, candidates]
        left[rows, candidates] = False
    return int((likes & likes.T).sum()) // 2


def test_the_truly_best_are_found_again(city: City) -> None:
    assert recall(city, city.v1) < 0.3
    assert recall(city, city.v2) >= 0.4


def test_lists_of_the_model_make_more_matches(city: City) -> None:
    assert matches(city, city.v2) >= 1.4 * matches(city, city.v1)
