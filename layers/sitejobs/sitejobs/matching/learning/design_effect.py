"""What it costs in certainty that one outcome is asked twice: of i about j and of j about i."""

import numpy as np

from sitejobs.matching.learning.questions import Question
from sitejobs.matching.learning.ranking_figures import Ranked, ranked
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices


def design_effect(question: Question, better: str, worse: str) -> float:
    """By how much the variance of a mean difference of AUCs exceeds that of independent people; at least 1.

    A match is one outcome for two viewers, so their figures move together. To the variance over people come the
    products of what the two decisions of a pair add to either viewer's difference, as in estimates that are robust to
    dyads (Fafchamps and Gubert, "The Formation of Risk Sharing Networks", 2007). When all pairs are asked both ways by
    luck alone, the effect is nearly 2.
    """
    gain = _placements(question, question.scores[better]) - _placements(question, question.scores[worse])
    known = ~np.isnan(gain)
    goods = np.bincount(question.viewer, weights=question.good, minlength=question.viewers)
    alike = np.where(question.good, goods[question.viewer], (_counts(question) - goods)[question.viewer])
    sums = np.bincount(question.viewer[known & question.good], (gain / alike)[known & question.good], question.viewers)
    asked = np.unique(question.viewer[known])
    if len(asked) < 2:
        return 1.0
    mean = sums[asked].mean()
    over_people = float((np.bincount(question.people[asked], weights=sums[asked] - mean) ** 2).sum())
    added = np.where(known, (gain - mean) / alike, 0.0)
    first, second = _asked_both_ways(question.person, question.candidate)
    over_pairs = float((added[first] * added[second]).sum())
    return max(1.0, 1 + over_pairs / over_people) if over_people > 0 else 1.0


def _placements(question: Question, score: Floats) -> Floats:
    """(p,) the share of the viewer's other outcomes on the right side of each decision; NaN without both outcomes."""
    own = ranked(question.viewer, question.viewers, score)
    alike = ranked(question.viewer * 2 + question.good, question.viewers * 2, score)
    rank = _ranks(own) - _ranks(alike)
    others = own.count[question.viewer] - alike.count[question.viewer * 2 + question.good]
    share = np.divide(rank, others, out=np.full(len(rank), np.nan), where=others > 0)
    return np.asarray(np.where(question.good, share, 1 - share))


def _ranks(ranking: Ranked) -> Floats:
    """(p,) in the order of the input: rank from the lowest score, 1 and up; equal scores share theirs."""
    ranks = np.empty(len(ranking.order))
    ranks[ranking.order] = ranking.count[ranking.viewer] - (ranking.first + (ranking.length - 1) / 2)
    return ranks


def _counts(question: Question) -> Floats:
    return np.bincount(question.viewer, minlength=question.viewers).astype(np.float64)


def _asked_both_ways(viewer: Indices, candidate: Indices) -> tuple[Indices, Indices]:
    """Positions of decisions (i, j) and of their (j, i); each pair comes twice."""
    people, numbers = np.unique(np.concatenate([viewer, candidate]), return_inverse=True)
    i, j = numbers[: len(viewer)], numbers[len(viewer) :]
    keys, turned = i * len(people) + j, j * len(people) + i
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys[order], turned), max(len(keys) - 1, 0))
    both: Flags = keys[order[at]] == turned if len(keys) else np.zeros(0, np.bool_)
    return np.flatnonzero(both), order[at[both]]
