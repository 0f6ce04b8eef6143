"""Chances against what came true."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitejobs.matching.learning.calibration import Calibration, calibration

ALLOWED = 0.05
decisions = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def of(rows: list[tuple[float, bool]], seed: int = 1) -> Calibration:
    return calibration(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]), seed)


@given(decisions)
@settings(deadline=None)
def test_figures_match_the_slow_way(rows: list[tuple[float, bool]]) -> None:
    found = of(rows)
    likely = [min(max(chance if good else 1 - chance, 1e-6), 1) for chance, good in rows]
    assert found.log_loss == pytest.approx(-sum(map(math.log, likely)) / len(rows))
    assert found.brier == pytest.approx(sum((chance - good) ** 2 for chance, good in rows) / len(rows))
    tenths = [[row for row in rows if min(int(row[0] * 10), 9) == tenth] for tenth in range(10)]
    expected = [
        (at, len(tenth), sum(chance for chance, _ in tenth) / len(tenth), sum(good for _, good in tenth) / len(tenth))
        for at, tenth in enumerate(tenths)
        if tenth
    ]
    assert np.allclose(found.reliability, expected)
    several = [bin_ for bin_ in expected if bin_[1] > 1]
    squared = sum(n * ((chance - rate) ** 2 - rate * (1 - rate) / (n - 1)) for _, n, chance, rate in several)
    assert found.error == pytest.approx(math.sqrt(max(0, squared / max(1, sum(n for _, n, *_ in several)))), abs=1e-9)


@pytest.mark.parametrize("count", [30, 100, 300, 1000, 5000])
def test_true_chances_seldom_fail(count: int) -> None:
    """However few the decisions are; the plain error of thirty decisions is about 0.2."""
    failed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        chance = rng.beta(2, 3, count)
        failed += calibration(chance, rng.random(count) < chance, seed).fails(ALLOWED)
    assert failed <= 20


@pytest.mark.parametrize(("count", "least"), [(300, 0.6), (1000, 0.95), (5000, 1.0)])
def test_wrong_chances_fail(count: int, least: float) -> None:
    """Chances that are off by a tenth."""
    failed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        chance = rng.beta(2, 3, count)
        failed += calibration(np.minimum(chance + 0.1, 1), rng.random(count) < chance, seed).fails(ALLOWED)
    assert failed / 40 >= least


def test_the_error_is_about_the_true_distance() -> None:
    rng = np.random.default_rng(1)
    chance = rng.beta(2, 3, 100_000) * 0.9
    assert calibration(chance + 0.1, rng.random(100_000) < chance, 1).error == pytest.approx(0.1, abs=0.005)
    assert calibration(chance, rng.random(100_000) < chance, 1).error < 0.01


def test_a_chance_of_all_is_the_measure() -> None:
    found = of([(0.5, True), (0.5, False), (0.5, False), (0.5, False)])
    assert found.constant_brier == pytest.approx(0.25 * 0.75)
    assert found.constant_log_loss == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)))
    assert found.brier == 0.25


def test_nothing_asked_has_no_figures() -> None:
    found = of([])
    assert math.isnan(found.error)
    assert not found.fails(ALLOWED)
    assert found.reliability == ()
