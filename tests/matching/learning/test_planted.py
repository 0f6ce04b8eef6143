"""The synthetic site's planted tastes weigh what a model reads of a pair, so that their weights can be found again."""

import numpy as np
from psycopg import Connection

from sitejobs.matching.scoring.features import FEATURES, pair_features
from sitejobs_local.population import load, planted
from sitejobs_local.population.likenesses import LIKENESSES
from tests.matching.pools import open_site
from tests.matching.random_sites import NOW

USERS = 400
RADIUS_KM = 100.0


def test_planted_likenesses_are_the_features_of_a_pair(site: Connection) -> None:
    population, truth = planted(USERS, 4, NOW)
    load(site, population)
    people = open_site(site, 50).viewers
    at = np.searchsorted(truth.ids, people.ids)
    one, two = (np.random.default_rng(side).integers(0, len(people), 6000) for side in (1, 2))
    features = pair_features(people, people, one, two, RADIUS_KM)
    likenesses = truth.likenesses.of(at[one], at[two]) / 1000
    assert len(LIKENESSES) == FEATURES
    off = np.abs(features - likenesses)
    # The site's quizzes say a little more of those who share too few traits; planted tastes do not ask them.
    has = truth.likenesses.has_trait
    common = (has[at[one]] & has[at[two]]).sum(axis=1) >= 2
    assert common.mean() > 0.6
    assert off[common, 0].max() < 0.002
    assert off[:, 1].max() < 0.002
    assert off[:, 2].max() < 0.02
    assert off[:, 3].max() < 1e-6
