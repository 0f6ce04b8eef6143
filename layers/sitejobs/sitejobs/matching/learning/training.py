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

from sitejobs.matching.learning.decisions import KINDS, Decisions, Received
from sitejobs.matching.scoring.arrays import Flags, Floats, Singles
from sitejobs.matching.scoring.features import FEATURES, FeatureWeights

SWEEPS: Final = 10
RIDGE: Final = np.array([0.0] + [1.0] * KINDS + [3.0] * FEATURES)
"""How strongly intercept, theta and w are drawn to 0."""

FREE: Final = 1 + KINDS
"""Coefficients before those of the features, which may not be below 0."""

LONGEST_STEP: Final = 2.0
"""Log odds by which one step moves an effect: from far away Newton's step overshoots."""

LEAST_VARIANCE: Final = 1e-4
AT_ONCE: Final = 1 << 18
"""Decisions of one piece: its arrays stay in the processor's cache."""


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


def log_odds(model: Model, decisions: Decisions) -> Floats:
    """(d,) L of the pairs of these decisions."""
    fixed = decisions.inputs.astype(np.float64) @ np.concatenate([model.taste, model.weights.as_array()])
    return np.asarray(
        model.intercept + fixed + model.selectivity[decisions.viewer] + model.appeal[decisions.candidate], np.float64
    )


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
    """A fit under way. Pieces are computed in single precision, sums over them in double."""

    def __init__(self, decisions: Decisions, received: Received) -> None:
        people = len(received.counts)
        self._decisions, self._people, self._standing = decisions, people, received.standing()
        self.selectivity, self.appeal = _Effect(people), _Effect(people)
        self._decides = np.bincount(decisions.viewer, minlength=people) > 0
        self._is_decided = np.bincount(decisions.candidate, minlength=people) > 0
        self.coefficients = np.zeros(len(RIDGE))
        share = np.clip(decisions.liked.mean() if len(decisions) else 0.5, 0.001, 0.999)
        self.coefficients[0] = np.log(share / (1 - share))
        self._fixed = np.full(len(decisions), self.coefficients[0], np.float32)
        """What the coefficients give each decision, kept from one step of theirs to the next."""

    def sweep(self) -> None:
        self._move(self.selectivity, "viewer", self._decides)
        self._move(self.appeal, "candidate", self._is_decided)
        self._move_coefficients()
        self._hand_over()
        self._renew_fixed()

    def _move(self, effect: _Effect, side: str, decided: Flags) -> None:
        residuals, curvature = np.zeros(self._people), np.zeros(self._people)
        for rows, chance in self._pieces():
            people = getattr(self._decisions, side)[rows]
            low = int(people.min())
            for total, values in (
                (residuals, self._decisions.liked[rows] - chance),
                (curvature, chance * (1 - chance)),
            ):
                sums = np.bincount(people - low, values)
                total[low : low + len(sums)] += sums
        effect.step(residuals, curvature, decided)

    def _hand_over(self) -> None:
        """Move to the coefficients what they can say of the effects: by turns alone they would only creep there.

        The odds stay nearly the same (but for the viewer's own rating), the effects become smaller.
        """
        mean = self.selectivity.centre(self._decides)
        z, appeal = self._standing[self._is_decided], self.appeal.values[self._is_decided]
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
        for rows, chance in self._pieces():
            inputs, residuals, weight = (
                self._decisions.inputs[rows],
                self._decisions.liked[rows] - chance,
                chance * (1 - chance),
            )
            weighted = inputs * weight[:, None]
            gradient[0] += residuals.sum(dtype=np.float64)
            gradient[1:] += residuals @ inputs
            curvature[0, 0] += weight.sum(dtype=np.float64)
            curvature[0, 1:] += weight @ inputs
            curvature[1:, 1:] += weighted.T @ inputs
        curvature[1:, 0] = curvature[0, 1:]
        # The intercept has no ridge of its own: decisions that are all alike would leave it without a curvature.
        self.coefficients = _newton(self.coefficients, gradient, curvature + 1e-6 * np.eye(len(RIDGE)))

    def _renew_fixed(self) -> None:
        for rows in self._rows():
            self._fixed[rows] = self._decisions.inputs[rows] @ self.coefficients[1:].astype(np.float32)
        self._fixed += np.float32(self.coefficients[0])

    def _pieces(self) -> Iterator[tuple[slice, Singles]]:
        """The rows of each piece of the decisions, and their chances of a yes as of now."""
        selectivity, appeal = self.selectivity.values.astype(np.float32), self.appeal.values.astype(np.float32)
        for rows in self._rows():
            odds = self._fixed[rows] + selectivity[self._decisions.viewer[rows]]
            odds += appeal[self._decisions.candidate[rows]]
            yield rows, sigmoid(odds)

    def _rows(self) -> Iterator[slice]:
        for start in range(0, len(self._decisions), AT_ONCE):
            yield slice(start, min(start + AT_ONCE, len(self._decisions)))


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
