"""One person's effects under a trained model, from what is told of that person alone."""

from typing import Final

import numpy as np

from sitejobs.matching.learning.training import sigmoid, stepped
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices

STEPS: Final = 3
"""Steps of Newton's method: in one dimension so few come near enough."""


def folded(start: Floats, variance: float, owner: Indices, odds: Floats, liked: Flags) -> Floats:
    """(n,) either effect of n people after some steps, each for itself, from what they were.

    Parameters
    ----------
    variance : of the distribution that the effect is drawn from.
    owner : (d,) whose effect weighs on the decision. odds : (d,) its log odds but for this effect.
    """
    values, people = start.astype(np.float64), len(start)
    for _ in range(STEPS):
        chance = sigmoid(odds + values[owner])
        residuals, curvature = (
            np.bincount(owner, summand, minlength=people).astype(np.float64)
            for summand in (liked - chance, chance * (1 - chance))
        )
        values = stepped(values, variance, residuals, curvature)
    return values
