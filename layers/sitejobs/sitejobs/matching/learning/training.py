"""Learns who says yes to whom: `L(i, j) = c + s_i + a_j + theta . z_j + w . f(i, j)`, p = sigmoid(L).

s is a viewer's selectivity, a what of a candidate's appeal ratings do not tell, z the candidate's standing by
ratings, f the pair's features. Both effects are drawn from normal distributions with variances of their own, so that
a person of few decisions stays near 0: a mixed logistic regression, fitted by the mode with the variances of a Laplace
approximation (Breslow and Clayton 1993, "Approximate inference in generalized linear mixed models").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.learning.decisions import KINDS, Decisions, Received
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.features import FEATURES, FeatureWeights

SWEEPS: Final = 10
RIDGE: Final = np.array([0.0] + [1.0] * KINDS + [3.0] * FEATURES)
"""How strongly intercept, theta and w are drawn to 0."""

FREE: Final = 1 + KINDS
"""Coefficients before those of the features, which may not be below 0."""

OF_STANDING, OF_FEATURES = slice(1, FREE), slice(FREE, None)
"""Coefficients after the intercept, by what they weigh."""

LONGEST_STEP: Final = 2.0
"""Log odds by which one step moves an effect: from far away Newton's step overshoots."""

LEAST_VARIANCE: Final = 1e-4
AT_ONCE: Final = 1 << 18
"""Decisions of one piece: its arrays stay in the processor's cache."""

People = NDArray[np.int32] | Indices


@dataclass(frozen=True)
class Model:
    """A trained model of n people.

    taste : (4,) theta, log odds a point of standing. selectivity, appeal : (n,), of `appeal` the part beside ratings.
    selectivity_variance, appeal_variance : of the distributions that they are drawn from.
    """

    intercept: float
    taste: Floats
    weights: FeatureWeights
    selectivity: Floats
    appeal: Floats
    selectivity_variance: float
    appeal_variance: float

    def whole_appeal(self, received: Received) -> Floats:
        """(n,) a + theta . z: with what the ratings tell."""
        return np.asarray(self.appeal + received.standing() @ self.taste)


def train(decisions: Decisions, received: Received, sweeps: int = SWEEPS) -> Model:
    """Fit the model to decisions between the people who received these ratings.

    Each sweep moves the selectivities, then the appeals, then the coefficients by one step of Newton's method.
    """
    fit = _Fit(decisions, received)
    for _ in range(sweeps):
        fit.sweep()
    intercept, taste, weights = fit.coefficients[0], fit.coefficients[1:FREE], fit.coefficients[FREE:]
    return Model(
        float(intercept),
        taste,
        FeatureWeights(*weights.tolist()),
        fit.selectivity.values,
        fit.appeal.values,
        fit.selectivity.variance,
        fit.appeal.variance,
    )


def log_odds(model: Model, appeal: Floats, viewer: People, candidate: People, features: Singles) -> Floats:
    """(p,) L of these pairs. appeal : (n,) everybody's, with what ratings tell. features : (p, 4)."""
    effects = model.intercept + model.selectivity[viewer] + appeal[candidate]
    return np.asarray(effects + features.astype(np.float64) @ model.weights.as_array())


def stepped(values: Floats, variance: float, residuals: Floats, curvature: Floats) -> Floats:
    """(n,) effects after a step of Newton's method, each for itself; sums over its decisions of y - p, of p (1 - p)."""
    move = (residuals - values / variance) / (curvature + 1 / variance)
    return np.asarray(values + np.clip(move, -LONGEST_STEP, LONGEST_STEP))


Reals = TypeVar("Reals", Floats, Singles)


def sigmoid(x: Reals) -> Reals:
    """1 / (1 + exp(-x)), without overflow, in the precision of x."""
    return np.asarray((np.tanh(x / 2) + 1) / 2)


class _Effect:
    """One of the two effects, (n,): its values and their variance."""

    def __init__(self, people: int) -> None:
        self.values, self.variance = np.zeros(people), 1.0

    def centre(self, decided: Flags) -> float:
        """Take the mean off those who have decisions, and return it."""
        mean = float(self.values[decided].mean()) if decided.any() else 0.0
        self.values[decided] -= mean
        return mean

    def step(self, residuals: Floats, curvature: Floats, decided: Flags) -> None:
        """Newton's step, and the variance of those who have decisions: mean of squares and of uncertainties."""
        h = curvature + 1 / self.variance
        self.values = np.where(decided, stepped(self.values, self.variance, residuals, curvature), 0.0)
        if decided.any():
            self.variance = max(float(np.mean((self.values**2 + 1 / h)[decided])), LEAST_VARIANCE)


class _Fit:
    """A fit under way. Pieces are computed in single precision, sums over them in double.

    Of all decisions together only `_fixed` is made, one number each: a site's decisions do not fit into memory twice.
    """

    def __init__(self, decisions: Decisions, received: Received) -> None:
        people = len(received.counts)
        self._decisions, self._people, self._received = decisions, people, received
        self._standing = received.standing().astype(np.float32)
        self.selectivity, self.appeal = _Effect(people), _Effect(people)
        self._decides, self._is_decided = np.zeros(people, bool), np.zeros(people, bool)
        likes = count = 0
        for rows in self._rows():
            counted = slice(None) if decisions.counted is None else decisions.counted[rows]
            self._decides[decisions.viewer[rows][counted]] = True
            self._is_decided[decisions.candidate[rows][counted]] = True
            liked = decisions.liked[rows][counted]
            likes, count = likes + int(liked.sum()), count + len(liked)
        self.coefficients = np.zeros(len(RIDGE))
        share = np.clip(likes / count if count else 0.5, 0.001, 0.999)
        self.coefficients[0] = np.log(share / (1 - share))
        self._fixed = np.full(len(decisions.liked), self.coefficients[0], np.float32)
        """What the coefficients give each decision, kept from one step of theirs to the next."""

    def sweep(self) -> None:
        self._move(self.selectivity, "viewer", self._decides)
        self._move(self.appeal, "candidate", self._is_decided)
        self._move_coefficients()
        self._hand_over()
        self._renew_fixed()

    def _move(self, effect: _Effect, side: str, decided: Flags) -> None:
        residuals, curvature = np.zeros(self._people), np.zeros(self._people)
        for rows, off, weight in self._pieces():
            people = getattr(self._decisions, side)[rows]
            low = int(people.min())
            for total, values in ((residuals, off), (curvature, weight)):
                sums = np.bincount(people - low, values)
                total[low : low + len(sums)] += sums
        effect.step(residuals, curvature, decided)

    def _hand_over(self) -> None:
        """Move to the coefficients what they can say of the effects: by turns alone they would only creep there.

        The odds stay nearly the same (but for the viewer's own rating), the effects become smaller.
        """
        mean = self.selectivity.centre(self._decides)
        z, appeal = self._received.standing()[self._is_decided], self.appeal.values[self._is_decided]
        design = np.concatenate([np.ones((len(z), 1)), z], axis=1)
        # Whatever a coefficient takes over costs its ridge, and saves what the effects' distribution asks for it.
        ridge = np.diag(RIDGE[:FREE]) * self.appeal.variance + 1e-6 * np.eye(FREE)
        pull = design.T @ appeal - RIDGE[:FREE] * self.appeal.variance * self.coefficients[:FREE]
        taken = np.linalg.solve(design.T @ design + ridge, pull)
        self.appeal.values[self._is_decided] -= design @ taken
        self.coefficients[:FREE] += taken
        self.coefficients[0] += mean

    def _move_coefficients(self) -> None:
        gradient, curvature = -RIDGE * self.coefficients, np.diag(RIDGE)
        for rows, residuals, weight in self._pieces():
            gradient[0] += residuals.sum(dtype=np.float64)
            curvature[0, 0] += weight.sum(dtype=np.float64)
            inputs = tuple(zip((OF_STANDING, OF_FEATURES), self._inputs(rows), strict=True))
            for block, (at, one) in enumerate(inputs):
                gradient[at] += residuals @ one
                curvature[0, at] += weight @ one
                weighted = one * weight[:, None]
                for beside, other in inputs[block:]:
                    curvature[at, beside] += weighted.T @ other
        curvature = np.triu(curvature) + np.triu(curvature, 1).T
        # The intercept has no ridge of its own: decisions that are all alike would leave it without a curvature.
        self.coefficients = _newton(self.coefficients, gradient, curvature + 1e-6 * np.eye(len(RIDGE)))

    def _renew_fixed(self) -> None:
        coefficients = self.coefficients.astype(np.float32)
        for rows in self._rows():
            standing, features = self._inputs(rows)
            fixed = standing @ coefficients[OF_STANDING] + features @ coefficients[OF_FEATURES]
            self._fixed[rows] = fixed + coefficients[0]

    def _inputs(self, rows: slice) -> tuple[Singles, Singles]:
        """(p, 4) the candidate's standing without the viewer's own rating, and (p, 4) features, of a piece."""
        decisions = self._decisions
        standing = np.take(self._standing, decisions.candidate[rows], axis=0)
        of_piece = slice(*np.searchsorted(decisions.rated, (rows.start, rows.stop)))
        at = decisions.rated[of_piece]
        standing[at - rows.start] = self._received.without(decisions.candidate[at], decisions.own[of_piece])
        return standing, decisions.features[rows]

    def _pieces(self) -> Iterator[tuple[slice, Singles, Singles]]:
        """The rows of each piece of the decisions, with y - p and p (1 - p) as of now: 0 where they do not count."""
        selectivity, appeal = self.selectivity.values.astype(np.float32), self.appeal.values.astype(np.float32)
        for rows in self._rows():
            odds = self._fixed[rows] + selectivity[self._decisions.viewer[rows]]
            odds += appeal[self._decisions.candidate[rows]]
            chance = sigmoid(odds)
            residuals, weight = self._decisions.liked[rows] - chance, chance * (1 - chance)
            if self._decisions.counted is not None:
                residuals *= self._decisions.counted[rows]
                weight *= self._decisions.counted[rows]
            yield rows, residuals, weight

    def _rows(self) -> Iterator[slice]:
        count = len(self._decisions.liked)
        for start in range(0, count, AT_ONCE):
            yield slice(start, min(start + AT_ONCE, count))


def _newton(coefficients: Floats, gradient: Floats, curvature: Floats) -> Floats:
    """The step of Newton's method with the features' weights kept at 0 or above (an active set)."""
    free = np.ones(len(coefficients), bool)
    while True:
        moved = np.zeros(len(coefficients))
        # Those that are held go to 0, which moves the others' gradient.
        held = np.flatnonzero(~free)
        pull = gradient + curvature[:, held] @ coefficients[held]
        moved[free] = coefficients[free] + np.clip(
            np.linalg.solve(curvature[np.ix_(free, free)], pull[free]), -LONGEST_STEP, LONGEST_STEP
        )
        below = free & (moved < 0)
        below[:FREE] = False
        if not below.any():
            return moved
        free &= ~below
