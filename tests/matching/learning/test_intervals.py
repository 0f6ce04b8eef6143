"""Intervals hold what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitejobs.matching.learning.design_effect import design_effect
from sitejobs.matching.learning.intervals import mean_interval, percentiles, resampled_means, t_quantile
from sitejobs.matching.learning.questions import Question
from sitejobs.matching.scoring.arrays import Floats, Indices
from tests.matching.learning.quality_cases import pairs


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 4, 2.776),
        (0.975, 19, 2.093),
        (0.9995, 19, 3.883),
        (0.975, 10**6, 1.96),
    ],
)
def test_quantiles_of_t(probability: float, freedom: int, expected: float) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(expected, rel=0.01)


def test_resampled_means_scatter_as_means_do() -> None:
    values = np.random.default_rng(1).normal(3, 2, (400, 1))
    means = resampled_means(values, everyone(values), seed=2, resamples=4000)
    assert means.mean() == pytest.approx(values.mean(), abs=0.01)
    assert means.std() == pytest.approx(values.std() / np.sqrt(400), rel=0.05)


def test_columns_share_their_draws() -> None:
    values = np.random.default_rng(1).normal(size=(50, 1))
    means = resampled_means(np.concatenate([values, values + 1, 2 * values], axis=1), everyone(values), seed=2)
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 1, atol=1e-12)
    np.testing.assert_allclose(means[:, 2], 2 * means[:, 0], atol=1e-12)


def test_viewers_without_a_figure_do_not_count() -> None:
    values = np.array([[1.0], [np.nan], [1.0]])
    means = resampled_means(values, everyone(values), seed=2)
    assert set(means[~np.isnan(means)].tolist()) == {1.0}
    assert np.isnan(means).any()


def test_draws_in_several_pieces_are_draws_all_the_same() -> None:
    means = resampled_means(np.arange(9000.0)[:, None], np.arange(9000), seed=1, resamples=1000)
    assert means.shape == (1000, 1)
    assert len(np.unique(means)) > 990
    assert means.std() == pytest.approx(9000 / np.sqrt(12) / np.sqrt(9000), rel=0.1)


@pytest.mark.parametrize("viewers", [8, 25, 100])
def test_nineteen_of_twenty_intervals_hold_the_mean(viewers: int) -> None:
    held = held_by_t = 0
    for seed in range(300):
        values = np.random.default_rng(seed).exponential(1.0, viewers) - np.random.default_rng(
            ~seed & 0xFFFF
        ).exponential(1.0, viewers)
        low, high = percentiles(
            float(values.mean()), resampled_means(values[:, None], everyone(values), seed)[:, 0], viewers
        )
        held += low <= 0 <= high
        _, low, high = mean_interval(values, everyone(values), compared=1)
        held_by_t += low <= 0 <= high
    assert 0.92 < held / 300 < 0.985
    assert 0.92 < held_by_t / 300 < 0.985


def test_the_interval_of_a_mean_is_that_of_the_textbook() -> None:
    values = np.array([1.0, 2.0, 4.0, 5.0, 8.0])
    reach = t_quantile(0.975, 4) * values.std(ddof=1) / np.sqrt(5)
    assert mean_interval(values, everyone(values), 1) == pytest.approx((4, 4 - reach, 4 + reach))


def test_many_groups_need_wider_intervals() -> None:
    values = np.random.default_rng(1).normal(size=30)
    one, many = (
        mean_interval(values, everyone(values), compared=1),
        mean_interval(values, everyone(values), compared=20),
    )
    assert many[1] < one[1] < one[2] < many[2]


def test_a_person_who_is_several_viewers_counts_once() -> None:
    """Three viewers of each person that say the same are no more certain than one."""
    values = np.random.default_rng(1).normal(size=40)
    people = np.repeat(np.arange(40), 3)
    thrice = np.repeat(values, 3)
    assert mean_interval(thrice, people, 1) == pytest.approx(mean_interval(values, everyone(values), 1))
    np.testing.assert_allclose(
        resampled_means(thrice[:, None], people, seed=3), resampled_means(values[:, None], everyone(values), seed=3)
    )


@given(st.floats(-5, 5), st.integers(0, 1))
def test_one_viewer_has_no_interval(value: float, count: int) -> None:
    values = np.full(count, value)
    assert np.isnan(mean_interval(values, everyone(values), 1)[1:]).all()
    assert np.isnan(percentiles(value, resampled_means(values[:, None], everyone(values), 1)[:, 0], count)).all()


def everyone(values: Floats) -> Indices:
    """Each viewer is another person."""
    return np.arange(len(values))


def by_luck(seed: int, both_ways: bool) -> Question:
    """Outcomes and scores by luck; a pair has one outcome and one score."""
    rng = np.random.default_rng(seed)
    viewer, candidate = pairs(rng, people=80, each=10)
    half = len(viewer) // 2
    good, new, old = (np.tile(rng.normal(size=half), 2) for _ in range(3))
    kept = np.arange(len(viewer) if both_ways else half)
    codes, numbers = np.unique(viewer[kept], return_inverse=True)
    scores = {"v2": new[kept], "v1": old[kept]}
    return Question(
        numbers, len(codes), viewer[kept], candidate[kept], good[kept] > 0.7, scores, np.zeros(len(kept)), {}, {}
    )


def slow_design_effect(question: Question) -> float:
    """By loops over all comparisons of a good one with a bad one."""
    gains: dict[int, float] = {}
    parts: dict[tuple[int, int], list[float]] = {}
    shares: dict[int, int] = {}
    decisions = range(len(question.viewer))
    for viewer in set(question.person.tolist()):
        own = [row for row in decisions if question.person[row] == viewer]
        compared = [(a, b) for a in own for b in own if question.good[a] and not question.good[b]]
        if not compared:
            continue
        values = []
        for a, b in compared:
            new, old = (np.sign(question.scores[name][a] - question.scores[name][b]) / 2 for name in ("v2", "v1"))
            values.append(float(new - old))
            for row in (a, b):
                parts.setdefault((viewer, int(question.candidate[row])), []).append(values[-1])
        gains[viewer], shares[viewer] = float(np.mean(values)), len(compared)
    mean = float(np.mean(list(gains.values())))
    added = {key: sum(value - mean for value in values) / shares[key[0]] for key, values in parts.items()}
    over_pairs = sum(value * added.get((other, viewer), 0.0) for (viewer, other), value in added.items())
    return max(1.0, 1 + over_pairs / sum((gain - mean) ** 2 for gain in gains.values()))


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=10, deadline=None)
def test_the_design_effect_matches_the_slow_way(seed: int, both_ways: bool) -> None:
    question = by_luck(seed, both_ways)
    assert design_effect(question, "v2", "v1") == pytest.approx(slow_design_effect(question))


def test_pairs_asked_both_ways_nearly_double_the_variance() -> None:
    effects = [design_effect(by_luck(seed, both_ways=True), "v2", "v1") for seed in range(20)]
    assert 1.5 < np.mean(effects) < 2
    assert design_effect(by_luck(1, both_ways=False), "v2", "v1") == 1


def test_luck_alone_seldom_looks_like_a_gain() -> None:
    """2.5 of 100 sites, were the interval exact; without the design effect it is 7."""
    gains = [_looks_like_a_gain(seed) for seed in range(200)]
    assert sum(gains) <= 10


def _looks_like_a_gain(seed: int) -> bool:
    question = by_luck(seed, both_ways=True)
    figures = question.figures()
    gain: Floats = (figures["v2"] - figures["v1"])[:, :1]
    known = gain[~np.isnan(gain)]
    means = resampled_means(gain, everyone(gain), seed)[:, 0]
    return percentiles(float(known.mean()), means, len(known), design_effect(question, "v2", "v1"))[0] > 0
