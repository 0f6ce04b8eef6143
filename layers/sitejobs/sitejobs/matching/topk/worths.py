"""What a pair is worth, from what the screening adds up of it: a weighted sum of parts, or chances by a model.

Both in single precision, for a fixed group of viewers: `least_sums` bounds sums of many pairs at once, `of_pairs` tells
what single pairs are worth.
"""

from typing import Protocol

import numpy as np

from sitejobs.matching.scoring.arrays import Floats, Indices, Singles
from sitejobs.matching.scoring.chances import base
from sitejobs.matching.scoring.features import MOST_YEARS, UNKNOWN_YEARS, YEARS, age_gap
from sitejobs.matching.scoring.parameters import Learned, Parameters
from sitejobs.matching.scoring.quizzes import quiz_similarity
from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.topk.keys import LOWEST, bound_margin
from sitejobs.matching.topk.segment import AGES, Segment


class Worth(Protocol):
    """Weights of the parts that both kinds have, and what is their own."""

    traits: float
    interests: float
    proximity: float

    @property
    def ratings(self) -> Singles | None:
        """(v, 5) by which `Segment.ratings` is multiplied for what `add_known` adds; None if it adds nothing."""

    @property
    def gaps(self) -> Singles | None:
        """(v, AGES) what `add_gaps` adds for an age, as `Segment.ages` has it; None if it adds nothing."""

    def add_known(self, sums: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        """Add what is as exact for all pairs (r, c) as for single ones."""

    def add_gaps(self, upper: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        """Add to upper bounds of sums, (r, c), what they have besides."""

    def least_sums(self, keys: Singles, rows: Indices) -> Singles:
        """(r,) upper bounds of sums below which no pair of these viewers is worth so much, each its own."""

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
        self.ratings = np.concatenate([viewers.gives * fit, np.ones_like(fit)], axis=1).astype(np.float32)
        self.gaps = None

    def add_known(self, sums: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        sums += self.ratings[rows] @ segment.ratings[columns].T

    def add_gaps(self, upper: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        pass

    def least_sums(self, keys: Singles, rows: Indices) -> Singles:
        return keys

    def of_pairs(self, sums: Singles, viewer: Indices, users: Users, candidate: Indices) -> Singles:
        return sums

    def quiz(self, viewers: Users, users: Users, viewer: Indices, candidate: Indices) -> Floats:
        return quiz_similarity(viewers, users, viewer, candidate)


class Chances:
    """Log P less the price, with log odds of both sides that have the sum in common; its own is how far ages are apart.

    log sigmoid is concave: log sigmoid(x) + log sigmoid(y) <= 2 log sigmoid((x + y) / 2), and x + y is twice the sum
    plus appeal and selectivity of both.
    """

    def __init__(self, viewers: Users, parameters: Parameters, model: Learned) -> None:
        self.traits, self.interests, self.proximity = model.traits, model.interests, model.proximity
        self._model, self._ages = model, viewers.age
        self._likes = (base(model) + viewers.selectivity.astype(np.float64)).astype(np.float32)
        self._liked = (base(model) + viewers.appeal.astype(np.float64)).astype(np.float32)
        self.ratings, self.gaps = None, self._gap_bounds(viewers)
        self._margin = bound_margin(parameters)

    def add_known(self, sums: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        pass

    def add_gaps(self, upper: Singles, rows: Indices, segment: Segment, columns: slice) -> None:
        upper += self.gaps[rows].take(segment.ages[columns], axis=1, mode="clip")
        upper += segment.ratings[columns, -1] / 2

    def least_sums(self, keys: Singles, rows: Indices) -> Singles:
        halves = np.minimum(keys.astype(np.float64), 0) / 2
        with np.errstate(divide="ignore", over="ignore"):
            odds = -np.log(np.expm1(-halves))  # their sigmoid is exp(halves)
        least = odds - (self._likes[rows].astype(np.float64) + self._liked[rows]) / 2 - self._margin
        return np.maximum(least, LOWEST).astype(np.float32)

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
        """(v, AGES) upper bound of what an age, as `Segment.ages` has it, adds."""
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
