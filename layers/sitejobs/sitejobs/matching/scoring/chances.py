"""Chances by a learned model: how likely two people both say yes, and the order that follows.

Log odds that i says yes to j: L(i, j) = c + s_i + A_j + w . f(i, j), with the selectivity s of the one, the appeal A of
the other and the features f of both (`features.py`). The chance of the pair is P = sigmoid(L(i, j)) sigmoid(L(j, i));
the score is its root. A viewer's candidates are ordered by log P less the candidate's price.
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.features import INTERESTS_CENTRE, MOST_YEARS, TRAITS_CENTRE, YEARS, age_gap
from sitejobs.matching.scoring.pair_scores import MIN_COMMON_TRAITS, Pairs, proximity_within, score_pairs
from sitejobs.matching.scoring.parameters import Learned, Parameters
from sitejobs.matching.scoring.quizzes import quiz_similarity
from sitejobs.matching.scoring.users import Users

MOST_EFFECT: Final = 20.0
"""Selectivity and appeal beyond it, on either side of 0, count as it. A price is from 0 to 4."""

MOST_PRICE: Final = 4.0


def judge_pairs(
    viewers: Users,
    candidates: Users,
    viewer: Indices,
    candidate: Indices,
    now: float | Floats,
    parameters: Parameters,
    admirers: Flags | None = None,
) -> Pairs:
    """Score pairs as `score_pairs` does, by the model if there is one.

    `admirers`: (p,) whose candidate has said yes already: of that its chance is 1.
    """
    pairs = score_pairs(viewers, candidates, viewer, candidate, now, parameters)
    model = parameters.model
    if model is None:
        return pairs
    alike = _alike(viewers, candidates, pairs, model, parameters.default_radius_km) + base(model)
    like = log_chance(alike + _sum(viewers.selectivity[viewer], candidates.appeal[candidate]))
    back = log_chance(alike + _sum(candidates.selectivity[candidate], viewers.appeal[viewer]))
    if admirers is not None:
        back = np.where(admirers, 0.0, back)
    both = like + back
    return replace(
        pairs,
        score=np.exp(both / 2),
        worth=both - candidates.price[candidate],
        like=np.exp(like),
        back=np.exp(back),
    )


def base(model: Learned) -> float:
    """Log odds of a pair without effects whose traits and interests parts are 0."""
    return model.intercept - model.traits * TRAITS_CENTRE - model.interests * INTERESTS_CENTRE


def log_chance(log_odds: Floats) -> Floats:
    """Logarithm of the sigmoid."""
    # Twice as fast as logaddexp, and as exact.
    return np.asarray(np.minimum(log_odds, 0) - np.log1p(np.exp(-np.abs(log_odds))))


def spread(model: Learned) -> float:
    """The most that what two people have in common, or not, moves their log odds away from `base`."""
    return model.traits + model.interests + model.proximity + model.age_gap * MOST_YEARS / YEARS


def _sum(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    return np.asarray(one.astype(np.float64) + other)


def _alike(viewers: Users, candidates: Users, pairs: Pairs, model: Learned, radius_km: float) -> Floats:
    """(p,) what both sides' log odds gain from the features."""
    viewer, candidate = pairs.viewer, pairs.candidate
    few = np.flatnonzero(pairs.common_traits < MIN_COMMON_TRAITS)
    traits = pairs.traits.copy()
    traits[few] += quiz_similarity(candidates, viewers, candidate[few], viewer[few])
    traits[few] /= 2
    radius = np.full(len(viewer), radius_km)
    near = proximity_within(radius, pairs.distance_km, viewers.place[viewer], candidates.place[candidate])
    gap = age_gap(viewers.age[viewer], candidates.age[candidate])
    return np.asarray(
        model.traits * traits + model.interests * pairs.interests + model.proximity * near + model.age_gap * gap
    )
