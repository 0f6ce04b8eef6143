"""What a pair is worth, from what the screening adds up of it: a weighted sum of parts, or chances by a model.

Both in single precision, for a fixed group of viewers: `finish` for rows of viewers and columns of candidates at once,
`of_pairs` for single pairs.
"""

from typing import Protocol

import numpy as np

from sitejobs.matching.scoring.arrays import Floats, Indices, Singles
from sitejobs.matching.scoring.chances import base
from sitejobs.matching.scoring.features import MOST_YEARS, UNKNOWN_YEARS, YEARS, age_gap
from sitejobs.matching.scoring.parameters import Learned, Parameters
from sitejobs.matching.scoring.quizzes import quiz_similarity
from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.topk.segment import AGES, Segment


class Worth(Protocol):
    """Weights of the parts that both kinds have, and what is their own."""

    traits: float
    interests: float
    proximity: float

    def add_known(self, sums: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        """Add what is as exact for all pairs (r, c) as for single ones."""

    def finish(self, sums: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        """Turn upper bounds of sums, (r, c), into those of what the pairs are worth."""

    def of_pairs(self, sums: Singles, viewer: Indices, users: Users, candidate: Indices) -> Singles:
        """What single pairs are worth, (p,), from their sums."""

    def quiz(self, viewers: Users, users: Users, viewer: Indices, candidate: Indices) -> Floats:
        """The traits part of pairs that fall back on quizzes."""


class Weighted:
    """The weighted sum; its own are the parts of ratings and newness."""

    def __init__(self, viewers: Users, parameters: Parameters) -> None:
        weights = parameters.weights
        self.traits, self.interests, self.proximity = weights.traits, weights.interests, weights.proximity
        fit = np.full((len(viewers), 1), weights.rating_fit / 2)
        self._ratings = np.concatenate([viewers.gives * fit, np.ones_like(fit)], axis=1).astype(np.float32)

    def add_known(self, sums: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        sums += self._ratings[rows] @ segment.ratings[columns].T

    def finish(self, sums: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        pass

    def of_pairs(self, sums: Singles, viewer: Indices, users: Users, candidate: Indices) -> Singles:
        return sums

    def quiz(self, viewers: Users, users: Users, viewer: Indices, candidate: Indices) -> Floats:
        return quiz_similarity(viewers, users, viewer, candidate)


class Chances:
    """Log P less the price, with log odds of both sides that have the sum in common; its own is how far ages are apart.

    The logarithm of a sigmoid is min(x, 0) - log(1 + exp(-|x|)), which neither overflows nor loses what is small.
    """

    def __init__(self, viewers: Users, parameters: Parameters, model: Learned) -> None:
        self.traits, self.interests, self.proximity = model.traits, model.interests, model.proximity
        self._model, self._ages = model, viewers.age
        self._likes = (base(model) + viewers.selectivity.astype(np.float64)).astype(np.float32)
        self._liked = (base(model) + viewers.appeal.astype(np.float64)).astype(np.float32)
        self._gaps = self._gap_bounds(viewers)

    def add_known(self, sums: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        pass

    def finish(self, sums: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        users = segment.users
        sums += self._gaps[rows].take(segment.ages[columns], axis=1, mode="clip")
        other = sums + self._liked[rows, None]
        other += users.selectivity[columns]
        sums += self._likes[rows, None]
        sums += users.appeal[columns]
        _add_log_chances(sums, other)
        sums -= users.price[columns]

    def of_pairs(self, sums: Singles, viewer: Indices, users: Users, candidate: Indices) -> Singles:
        gaps = self._model.age_gap * age_gap(self._ages[viewer], users.age[candidate])
        one = sums + gaps.astype(np.float32)
        other = one + self._liked[viewer]
        other += users.selectivity[candidate]
        one += self._likes[viewer]
        one += users.appeal[candidate]
        _add_log_chances(one, other)
        one -= users.price[candidate]
        return one

    def quiz(self, viewers: Users, users: Users, viewer: Indices, candidate: Indices) -> Floats:
        there, back = (
            quiz_similarity(viewers, users, viewer, candidate),
            quiz_similarity(users, viewers, candidate, viewer),
        )
        return np.asarray((there + back) / 2)

    def _gap_bounds(self, viewers: Users) -> Singles:
        """(v, AGES) upper bound of what an age, as `person_codes` has it, adds."""
        codes, age = np.arange(AGES), viewers.age[:, None].astype(np.float64)
        years = np.minimum(np.abs(codes - age), MOST_YEARS)
        # The last of the known ages stands for all beyond it, the one after it for those who told none.
        years[:, AGES - 2] = np.clip(AGES - 2 - viewers.age, 0, MOST_YEARS)
        years[:, AGES - 1] = UNKNOWN_YEARS
        years[viewers.age == MISSING] = UNKNOWN_YEARS
        return np.asarray(self._model.age_gap / -YEARS * years, np.float32)


def worth_of(viewers: Users, parameters: Parameters) -> Worth:
    """The kind that the parameters ask for."""
    model = parameters.model
    return Weighted(viewers, parameters) if model is None else Chances(viewers, parameters, model)


def _add_log_chances(one: Singles, other: Singles) -> None:
    """Turn `one` into the sum of the logarithms of both chances; `other` is used up."""
    small = _one_and_exp(one)
    small *= _one_and_exp(other)
    np.log(small, out=small)
    np.minimum(one, 0, out=one)
    np.minimum(other, 0, out=other)
    one += other
    one -= small


def _one_and_exp(odds: Singles) -> Singles:
    """1 + exp(-|x|)."""
    result = np.abs(odds)
    np.negative(result, out=result)
    np.exp(result, out=result)
    result += 1
    return result
