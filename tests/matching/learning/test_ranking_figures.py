"""Each figure of a ranking against a slow and obvious implementation."""

import math
from random import Random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitejobs.matching.learning.ranking_figures import FIGURES, figures_of, pooled_auc, ranked
from sitejobs.matching.scoring.arrays import Floats
from tests.matching.learning import quality_oracle as oracle


def decisions(most: int, scores: int) -> st.SearchStrategy[list[tuple[int, float, bool]]]:
    """Viewer, score and outcome of each decision, with many ties."""
    return st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, scores).map(lambda score: score / 7), st.booleans()), max_size=most
    )


def figures(rows: list[tuple[int, float, bool]], viewers: int = 3) -> dict[str, Floats]:
    """Figure -> (viewers,)."""
    viewer = np.array([row[0] for row in rows], dtype=np.int64)
    score = np.array([row[1] for row in rows], dtype=np.float64)
    good = np.array([row[2] for row in rows], dtype=np.bool_)
    found = figures_of(ranked(viewer, viewers, score), good)
    return {name: found[:, at] for at, name in enumerate(FIGURES)}


def same(found: float, expected: float) -> bool:
    return bool(np.isclose(found, expected, rtol=0, atol=1e-9, equal_nan=True))


@given(decisions(most=14, scores=3))
@settings(deadline=None)
def test_every_way_to_break_the_ties_counts_alike(rows: list[tuple[int, float, bool]]) -> None:
    found = figures(rows)
    for viewer in range(3):
        shown = [(score, good) for of, score, good in rows if of == viewer]
        if len(shown) > 6:
            continue  # too many orders
        ways = list(oracle.orders(shown))
        both = {good for _, good in shown} == {True, False}
        assert same(found["auc"][viewer], oracle.auc(shown))
        for name, places in (("ndcg5", 5), ("ndcg10", 10)):
            assert same(found[name][viewer], fmean([oracle.ndcg(way, places) for way in ways]) if both else math.nan)
        assert same(found["hit10"][viewer], fmean([oracle.hit(way, 10) for way in ways]) if both else math.nan)
        for name, places in (("precision1", 1), ("precision3", 3)):
            enough = len(shown) >= places
            expected = fmean([oracle.precision(way, places) for way in ways]) if enough else math.nan
            assert same(found[name][viewer], expected)


@given(decisions(most=60, scores=5))
@settings(deadline=None)
def test_figures_of_long_lists(rows: list[tuple[int, float, bool]]) -> None:
    found = figures(rows)
    for viewer in range(3):
        shown = [(score, good) for of, score, good in rows if of == viewer]
        if {good for _, good in shown} != {True, False}:
            assert np.isnan([found[name][viewer] for name in ("auc", "ndcg5", "ndcg10", "hit10")]).all()
            continue
        rates = oracle.place_rates(shown)
        best = sum(1 / math.log2(place + 2) for place in range(min(10, sum(good for _, good in shown))))
        assert same(found["auc"][viewer], oracle.auc(shown))
        assert same(found["hit10"][viewer], oracle.hit_of_many(shown, 10))
        reached = sum(rate / math.log2(place + 2) for place, rate in enumerate(rates[:10]))
        assert same(found["ndcg10"][viewer], reached / best)
        assert same(found["precision1"][viewer], rates[0])


@given(decisions(most=40, scores=4))
@settings(deadline=None)
def test_the_pooled_auc_is_that_of_all_decisions(rows: list[tuple[int, float, bool]]) -> None:
    score = np.array([row[1] for row in rows])
    good = np.array([row[2] for row in rows], dtype=np.bool_)
    assert same(pooled_auc(score, good), oracle.auc([(score, good) for _, score, good in rows]))


@given(decisions(most=60, scores=5), st.randoms())
@settings(deadline=None)
def test_the_order_of_the_input_does_not_matter(rows: list[tuple[int, float, bool]], luck: Random) -> None:
    mixed = list(rows)
    luck.shuffle(mixed)
    for name, values in figures(rows).items():
        np.testing.assert_allclose(figures(mixed)[name], values, atol=1e-12)


def test_a_small_example() -> None:
    shown = [(0, 0.9, True), (0, 0.8, False), (0, 0.7, True), (0, 0.1, False)]
    found = {name: values[0] for name, values in figures(shown, viewers=1).items()}
    assert found["auc"] == 0.75
    assert found["precision1"] == 1.0
    assert found["precision3"] == pytest.approx(2 / 3)
    assert found["ndcg10"] == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)))
    assert found["hit10"] == 1.0


def test_a_constant_score_has_the_figures_of_chance() -> None:
    rows = [(0, 0.5, place < 3) for place in range(30)]
    found = {name: values[0] for name, values in figures(rows, viewers=1).items()}
    assert found["auc"] == 0.5
    assert [found["precision1"], found["precision3"]] == pytest.approx([0.1, 0.1])
    assert found["hit10"] == pytest.approx(1 - math.comb(27, 10) / math.comb(30, 10))
