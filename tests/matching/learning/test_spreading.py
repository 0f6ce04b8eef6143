"""Prices that spread a sample's places: also where people hardly differ in whom they like."""

import numpy as np
import pytest

from sitejobs.matching.learning.exposure import NOBODY, first_places, spread, top_places
from sitejobs.matching.learning.training import sigmoid
from sitejobs.matching.match_model.spreading import Neighbours, Sample, prices_needed
from sitejobs.matching.scoring.arrays import Floats


def sample(seed: int, people: int, differ: float) -> Sample:
    """Women and men of unequal appeal; `differ`: deviation of what two people have in common. v1 orders at random."""
    random = np.random.default_rng(seed)
    selectivity, appeal = random.normal(0, 1.1, people), random.normal(0, 1.2, people)
    common = random.normal(0, differ, (people, people))
    like = sigmoid(-0.3 + selectivity[:, None] + appeal + (common + common.T) / 2)
    allowed = (np.arange(people) % 2)[:, None] != np.arange(people) % 2
    v1 = random.random((people, people))
    neighbours = Neighbours(np.arange(people), allowed, v1, np.zeros((people, people, 4)))
    return Sample(neighbours, appeal, like, np.log(like) + np.log(like.T))


def never_shown(one: Sample, prices: Floats) -> float:
    return spread(one.shown_by(prices), len(prices)).never_shown


@pytest.mark.parametrize("differ", [0.0, 0.05, 0.3])
def test_prices_show_nearly_everybody_however_little_people_differ(differ: float) -> None:
    one = sample(1, 400, differ)
    assert never_shown(one, np.zeros(400)) > 0.6
    prices = prices_needed(one)
    assert never_shown(one, prices) < 0.1
    assert 0 <= prices.min() < 0.5 < prices.max() <= 4
    np.testing.assert_allclose(prices, prices.round(2), atol=1e-9)


@pytest.mark.parametrize("people", [5, 20, 21, 60])
def test_first_places_are_the_top_places_in_any_order(people: int) -> None:
    random = np.random.default_rng(people)
    scores, allowed = random.random((people, people)), random.random((people, people)) < 0.7
    found, expected = first_places(scores, allowed), top_places(scores, allowed)
    for one, other in zip(found, expected, strict=True):
        assert set(one[one != NOBODY]) == set(other[other != NOBODY])
