"""The features of a pair are those of a plain reading of the docs, and the same in both directions."""

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.matching.scoring.features import pair_features
from tests.matching.learning.oracle import features
from tests.matching.oracle import STANDARD
from tests.matching.oracle_site import read_site
from tests.matching.pools import all_pairs, open_site
from tests.matching.random_sites import FLAVOURS, NOW, draw
from tests.matching.site_loading import load


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_features_are_those_of_the_plain_implementation(site: Connection, flavour: str) -> None:
    load(site, draw(11, 60, flavour))
    people, users = read_site(site).people, open_site(site, 20).viewers
    one, two = all_pairs(len(users), len(users))
    expected = [
        features(people[int(users.ids[i])], people[int(users.ids[j])], NOW, STANDARD)
        for i, j in zip(one, two, strict=True)
    ]
    got = pair_features(users, users, one, two, STANDARD.default_radius_km)
    np.testing.assert_allclose(got, np.array(expected), atol=2e-6)
    np.testing.assert_allclose(got, pair_features(users, users, two, one, STANDARD.default_radius_km), atol=1e-9)
