"""Training finds what was planted, and does what a plain optimiser does."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sitejobs.matching.learning.decisions import KINDS, Decisions, Received
from sitejobs.matching.learning.training import AT_ONCE, RIDGE, Model, log_odds, sigmoid, train
from sitejobs.matching.scoring.features import FEATURES

TASTE, WEIGHTS = np.array([0.8, 0.2, 0.3, 0.4]), np.array([1.5, 1.0, 0.8, 0.3])


class Planted:
    """d decisions of n people who follow the model."""

    def __init__(
        self, seed: int, people: int, decisions: int, *, selectivity: float = 1.0, appeal: float = 0.8
    ) -> None:
        random = np.random.default_rng(seed)
        self.selectivity, self.appeal = random.normal(0, selectivity, people), random.normal(0, appeal, people)
        sums = 20 * np.clip(3 + random.normal(0, 0.5, (people, KINDS)), 1, 5)
        self.received = Received.of(sums.astype(np.float32), np.full(people, 20, np.int32))
        viewer, candidate = (random.integers(0, people, decisions).astype(np.int32) for _ in range(2))
        features = np.stack(
            [
                random.uniform(-0.5, 0.5, decisions),
                random.uniform(-0.3, 0.7, decisions),
                random.uniform(0, 1, decisions),
                -np.minimum(random.exponential(6, decisions), 30) / 10,
            ],
            axis=1,
        )
        self.inputs = np.concatenate([self.received.standing()[candidate], features], axis=1).astype(np.float32)
        odds = -0.5 + self.selectivity[viewer] + self.appeal[candidate] + self.inputs @ np.concatenate([TASTE, WEIGHTS])
        liked = random.random(decisions) < sigmoid(odds)
        self.decisions = Decisions(viewer, candidate, liked, features.astype(np.float32))

    def odds_under(self, model: Model) -> NDArray[np.float64]:
        d = self.decisions
        return log_odds(model, model.whole_appeal(self.received), d.viewer, d.candidate, d.features)


def test_planted_weights_are_found_within_5_percent() -> None:
    planted = Planted(1, 2000, 600_000)
    model = train(planted.decisions, planted.received)
    np.testing.assert_allclose(model.weights.as_array(), WEIGHTS, rtol=0.05)
    np.testing.assert_allclose(model.taste, TASTE, atol=0.1)
    assert model.selectivity_variance == pytest.approx(1.0, rel=0.1)
    assert np.corrcoef(model.selectivity, planted.selectivity)[0, 1] > 0.98
    whole = planted.appeal + planted.received.standing() @ TASTE
    assert np.corrcoef(model.whole_appeal(planted.received), whole)[0, 1] > 0.98


def penalised(planted: Planted, variances: tuple[float, float], x: NDArray[np.float64]) -> float:
    """The function that training is to make least, at these variances: minus the log of the posterior."""
    d, people = planted.decisions, len(planted.selectivity)
    coefficients, s, a = x[: len(RIDGE)], x[len(RIDGE) : len(RIDGE) + people], x[len(RIDGE) + people :]
    odds = coefficients[0] + planted.inputs @ coefficients[1:] + s[d.viewer] + a[d.candidate]
    fit = np.sum(np.logaddexp(0, np.where(d.liked, -odds, odds)))
    return float(
        fit + (RIDGE * coefficients**2).sum() / 2 + (s**2).sum() / variances[0] / 2 + (a**2).sum() / variances[1] / 2
    )


def test_no_direction_improves_what_training_found() -> None:
    """At its end a fit is a minimum: no small step of any kind makes the penalised error less."""
    planted = Planted(2, 40, 3000)
    model = train(planted.decisions, planted.received, sweeps=60)
    found = np.concatenate([[model.intercept], model.taste, model.weights.as_array(), model.selectivity, model.appeal])
    variances = model.selectivity_variance, model.appeal_variance
    least, random = penalised(planted, variances, found), np.random.default_rng(3)
    for _ in range(300):
        step = random.normal(size=len(found)) * random.choice([0.001, 0.01, 0.1])
        step[1 + KINDS : len(RIDGE)] = np.maximum(step[1 + KINDS : len(RIDGE)], -found[1 + KINDS : len(RIDGE)])
        assert penalised(planted, variances, found + step) > least - 1e-3


def test_ten_sweeps_are_as_good_as_forty() -> None:
    planted = Planted(4, 500, 40_000)
    few, many = train(planted.decisions, planted.received), train(planted.decisions, planted.received, sweeps=40)
    np.testing.assert_allclose(few.weights.as_array(), many.weights.as_array(), rtol=0.01)
    np.testing.assert_allclose(few.taste, many.taste, rtol=0.02)
    np.testing.assert_allclose(planted.odds_under(few), planted.odds_under(many), atol=0.05)


def test_a_weight_that_would_be_perverse_is_0() -> None:
    planted = Planted(5, 300, 20_000)
    d = planted.decisions
    backwards = d.features * np.array([-1, 1, 1, 1], np.float32)
    model = train(replace(d, features=backwards), planted.received)
    assert model.weights.traits == 0
    assert min(model.weights.as_array()[1:]) > 0


def test_whoever_has_no_decisions_is_as_everybody() -> None:
    planted = Planted(6, 100, 5000)
    d = planted.decisions
    model = train(replace(d, counted=(d.viewer != 7) & (d.candidate != 7)), planted.received)
    assert model.selectivity[7] == 0
    assert model.whole_appeal(planted.received)[7] == pytest.approx(float(planted.received.standing()[7] @ model.taste))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_decisions_that_are_all_alike_train_to_something_finite(share: float) -> None:
    planted = Planted(8, 50, 2000)
    d = planted.decisions
    model = train(replace(d, liked=np.full(len(d.liked), share == 1)), planted.received)
    numbers = [model.intercept, *model.taste, *model.weights.as_array(), *model.selectivity, *model.appeal]
    assert np.isfinite(numbers).all()
    assert (model.intercept > 0) == (share == 1)


def test_one_who_always_says_yes_goes_no_further_than_the_others_allow() -> None:
    """Thousands of yes from one person must not throw the fit: Newton's step is bounded."""
    planted = Planted(9, 200, 20_000)
    d = planted.decisions
    fan = np.zeros(5000, np.int32)
    more = Decisions(
        np.concatenate([d.viewer, fan]),
        np.concatenate([d.candidate, np.arange(5000, dtype=np.int32) % 199 + 1]),
        np.concatenate([d.liked, np.ones(5000, bool)]),
        np.concatenate([d.features, np.zeros((5000, FEATURES), np.float32)]),
    )
    model = train(more, planted.received)
    assert 2 < model.selectivity[0] < 20
    np.testing.assert_allclose(model.weights.as_array(), WEIGHTS, rtol=0.35, atol=0.15)


def test_standing_leaves_out_the_viewers_own_rating() -> None:
    received = Received.of(np.array([[9, 9, 9, 9], [4, 8, 4, 4]], np.float32), np.array([3, 2], np.int32))
    means = np.array([13, 17, 13, 13]) / 5
    own = np.array([[5, 1, 3, 3], [np.nan] * 4], np.float32)
    expected = [
        (np.array([4, 8, 6, 6]) + 2 * means) / (2 + 2) - means,
        (np.array([4, 8, 4, 4]) + 2 * means) / (2 + 2) - means,
    ]
    np.testing.assert_allclose(received.without(np.array([0, 1], np.int32), own), expected, atol=1e-6)
    assert not Received.of(np.zeros((2, 4), np.float32), np.zeros(2, np.int32)).standing().any()


def test_what_does_not_count_is_as_if_it_were_not_there() -> None:
    """More decisions than one piece, those of a past marked among them, with ratings beside some of either kind."""
    planted = Planted(10, 300, AT_ONCE + 10_000)
    random, d = np.random.default_rng(11), planted.decisions
    counted = random.random(len(d.liked)) < 0.7
    beside = random.random(len(d.liked)) < 0.1
    own = random.uniform(1, 5, (len(d.liked), KINDS)).astype(np.float32)
    marked = replace(d, rated=np.flatnonzero(beside), own=own[beside], counted=counted)
    copied = Decisions(
        d.viewer[counted],
        d.candidate[counted],
        d.liked[counted],
        d.features[counted],
        rated=np.flatnonzero(beside[counted]),
        own=own[beside & counted],
    )
    one, other = (train(decisions, planted.received, sweeps=2) for decisions in (marked, copied))
    np.testing.assert_allclose(one.selectivity, other.selectivity, atol=1e-5)
    np.testing.assert_allclose(one.appeal, other.appeal, atol=1e-5)
    np.testing.assert_allclose([one.intercept, *one.taste], [other.intercept, *other.taste], atol=1e-5)
    np.testing.assert_allclose(one.weights.as_array(), other.weights.as_array(), atol=1e-5)
    without = train(replace(marked, rated=np.zeros(0, np.int64), own=own[:0]), planted.received, sweeps=2)
    assert not np.allclose(one.taste, without.taste, atol=1e-4)
