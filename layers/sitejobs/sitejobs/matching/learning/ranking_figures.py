"""How well a ranking puts the people first who turn out well: figures of each viewer.

Everybody who has one score takes the same share of the places that they fill together (McSherry and Najork, "Computing
information retrieval performance measures efficiently in the presence of tied scores", 2008). So a constant score has
exactly the figures of chance, and the order of the input never matters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices

FIGURES = ("auc", "ndcg5", "ndcg10", "hit10", "precision1", "precision3")


@dataclass(frozen=True)
class Ranked:
    """p decisions ordered by viewer, then by falling score; those of equal score form a run. All (p,) but one."""

    order: Indices
    """Where each decision stood in the input."""
    viewer: Indices
    place: Indices
    """Place among the viewer's, from 0, in some order within a run."""
    first: Indices
    """Place at which the run begins."""
    length: Indices
    """Decisions in the run."""
    count: Indices
    """(v,) decisions of each viewer."""


def ranked(viewer: Indices, viewers: int, score: Floats) -> Ranked:
    """The order of a ranking; `viewer` holds 0..viewers-1."""
    order = np.lexsort((-score, viewer))
    of, falling = viewer[order], score[order]
    count = np.bincount(viewer, minlength=viewers)
    place = np.arange(len(of)) - (np.cumsum(count) - count)[of]
    begins = np.ones(len(of), dtype=np.bool_)
    begins[1:] = (of[1:] != of[:-1]) | (falling[1:] != falling[:-1])
    run = np.cumsum(begins) - 1
    return Ranked(
        order=order,
        viewer=of,
        place=place,
        first=place[begins][run] if len(of) else place,
        length=np.bincount(run)[run] if len(of) else place,
        count=count,
    )


def figures_of(ranking: Ranked, good: Flags) -> Floats:
    """(viewers, `FIGURES`) of each viewer; NaN where a figure says nothing of the viewer.

    AUC, NDCG and hit: of viewers with both outcomes. Precision at k: of viewers with at least k decisions.

    Parameters
    ----------
    good : (p,) in the order of the input: the decision turned out well.
    """
    sorted_good = good[ranking.order]
    goods = _sums(ranking, sorted_good)
    both = (goods > 0) & (goods < ranking.count)
    columns = [auc(ranking, sorted_good)]
    columns += [_ndcg(ranking, sorted_good, goods, places) for places in (5, 10)]
    columns.append(_hit(ranking, sorted_good, goods, 10))
    columns = [np.where(both, column, np.nan) for column in columns]
    columns += [_precision(ranking, sorted_good, places) for places in (1, 3)]
    return np.stack(columns, axis=1)


def auc(ranking: Ranked, sorted_good: Flags) -> Floats:
    """(v,) chance that a good decision stands above a bad one of the same viewer, ties half; NaN without both."""
    goods = _sums(ranking, sorted_good)
    bads = ranking.count - goods
    rank = ranking.count[ranking.viewer] - (ranking.first + (ranking.length - 1) / 2)
    above = _sums(ranking, sorted_good * rank) - goods * (goods + 1) / 2
    pairs = goods * bads
    return divided(above, pairs)


def pooled_auc(score: Floats, good: Flags) -> float:
    """The same over all decisions as if of one viewer; NaN without both outcomes."""
    everybody = ranked(np.zeros(len(score), dtype=np.int64), 1, score)
    return float(auc(everybody, good[everybody.order])[0])


def _ndcg(ranking: Ranked, sorted_good: Flags, goods: Floats, places: int) -> Floats:
    longest = int(ranking.count.max(initial=0))
    gain = np.where(np.arange(longest) < places, 1 / np.log2(np.arange(longest) + 2), 0.0)
    best = np.concatenate([[0.0], np.cumsum(gain)])[goods.astype(np.int64)]
    reached = _sums(ranking, sorted_good * _shared(ranking, gain))
    return divided(reached, best)


def _precision(ranking: Ranked, sorted_good: Flags, places: int) -> Floats:
    gain = np.where(np.arange(int(ranking.count.max(initial=0))) < places, 1.0, 0.0)
    reached = _sums(ranking, sorted_good * _shared(ranking, gain))
    return np.where(ranking.count >= places, reached / places, np.nan)


def _hit(ranking: Ranked, sorted_good: Flags, goods: Floats, places: int) -> Floats:
    """Chance of a good one in the first places: only the run over the last place is a matter of luck."""
    found = np.where(goods > 0, 1.0, 0.0)
    at = np.flatnonzero(ranking.place == places - 1)
    before = np.concatenate([[0], np.cumsum(sorted_good)])
    begin = at - (places - 1) + ranking.first[at]
    length, taken = ranking.length[at], places - ranking.first[at]
    surely = before[begin] > before[at - (places - 1)]
    bad = length - (before[begin + length] - before[begin])
    missed = np.where(bad >= taken, np.exp(_log_choose(bad, taken) - _log_choose(length, taken)), 0.0)
    found[ranking.viewer[at]] = np.where(surely, 1.0, 1 - missed)
    return found


def _log_choose(of: Indices, taken: Indices) -> Floats:
    """Logarithm of the number of ways to take so many."""
    most = max(int(of.max(initial=0)), int(taken.max(initial=0)))
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])
    return np.asarray(factorials[of] - factorials[taken] - factorials[np.maximum(of - taken, 0)])


def _shared(ranking: Ranked, gain: Floats) -> Floats:
    """(p,) mean gain of the places over which a decision's run extends."""
    sums = np.concatenate([[0.0], np.cumsum(gain)])
    return np.asarray((sums[ranking.first + ranking.length] - sums[ranking.first]) / ranking.length)


def _sums(ranking: Ranked, values: NDArray[np.generic]) -> Floats:
    """(v,) sums over each viewer's decisions."""
    sums = np.bincount(ranking.viewer, weights=values.astype(np.float64), minlength=len(ranking.count))
    return sums.astype(np.float64)


def divided(sums: Floats, counts: Floats) -> Floats:
    """sums / counts, NaN where there is nothing to divide by."""
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))
