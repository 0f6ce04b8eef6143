"""Who is shown, and what evens it out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitejobs.matching.learning.exposure import NOBODY, expected_likes, moved_prices, spread, top_places


@given(st.lists(st.lists(st.integers(-1, 11), min_size=3, max_size=3), min_size=1, max_size=20))
def test_the_spread_matches_the_slow_way(lists: list[list[int]]) -> None:
    times = [sum(row.count(candidate) for row in lists) for candidate in range(12)]
    found = spread(np.array(lists), candidates=12)
    if not sum(times):
        assert math.isnan(found.gini)
        return
    apart = sum(abs(left - right) for left in times for right in times)
    assert found.gini == pytest.approx(apart / (2 * 12 * sum(times)))
    assert found.never_shown == times.count(0) / 12
    assert found.top_share == max(times) / sum(times)


def test_all_alike_and_one_for_all() -> None:
    assert spread(np.arange(200).reshape(10, 20), 200).gini == 0
    one = spread(np.zeros((10, 1), dtype=np.int64), 200)
    assert one.gini == pytest.approx(1 - 1 / 200)
    assert one.never_shown == pytest.approx(199 / 200)
    assert one.top_share == 1.0


@pytest.mark.parametrize("candidates", [0, 5])
def test_nobody_shown_has_no_figures(candidates: int) -> None:
    assert math.isnan(spread(np.full((3, 20), NOBODY), candidates).never_shown)


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=6, max_size=6), min_size=1, max_size=5))
def test_places_are_the_best_allowed(rows: list[list[tuple[int, bool]]]) -> None:
    scores = np.array([[score for score, _ in row] for row in rows], dtype=np.float64)
    allowed = np.array([[is_allowed for _, is_allowed in row] for row in rows])
    for places in (4, 8):
        for row, found in zip(rows, top_places(scores, allowed, places).tolist(), strict=True):
            best = sorted((-score, at) for at, (score, is_allowed) in enumerate(row) if is_allowed)
            assert found == ([at for _, at in best] + [NOBODY] * places)[:places]


def test_expected_likes_are_sums_of_chances() -> None:
    shown = np.array([[0, 2], [2, NOBODY]])
    assert expected_likes(np.array([[0.5, 0.25], [0.5, 0.9]]), shown, 4).tolist() == [0.5, 0.0, 0.75, 0.0]


def test_prices_move_by_a_fifth_of_the_excess() -> None:
    prices = moved_prices(
        np.array([1.0, 1.0, 1.0, 1.0, 0.1, 3.9]), np.array([2.0, 8.0, 2 * math.e**0.5, 1, 0, 99]), 2.0
    )
    assert prices == pytest.approx([1.0, 1.2, 1.1, 1 + 0.2 * math.log(0.5), 0.0, 4.0])


def test_prices_even_out_what_everybody_wants() -> None:
    """Sixty viewers agree about most of what they like among sixty candidates."""
    rng = np.random.default_rng(1)
    chance = 1 / (1 + np.exp(-(1.5 * rng.normal(size=60) + 0.5 * rng.normal(size=(60, 60)) - 1)))
    allowed = np.ones((60, 60), dtype=np.bool_)
    prices = np.zeros(60)
    unpriced = top_places(np.log(chance), allowed)
    for _ in range(40):
        shown = top_places(np.log(chance) - prices, allowed)
        likes = expected_likes(np.take_along_axis(chance, shown, axis=1), shown, 60)
        prices = moved_prices(prices, likes, likes.sum() / 60)
    before, after = spread(unpriced, 60), spread(top_places(np.log(chance) - prices, allowed), 60)
    assert after.gini < 0.7 * before.gini
    assert after.never_shown < before.never_shown
