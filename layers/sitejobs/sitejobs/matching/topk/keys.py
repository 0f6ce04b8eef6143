"""How far keys of single precision may be from exact ones, and how far the tiers lie apart.

A key orders a viewer's candidates: what a pair is worth (`Pairs.worth`), plus `tier_step` for tier A.
"""

import math
from typing import Final

import numpy as np

from sitejobs.matching.scoring.chances import MOST_EFFECT, MOST_PRICE, base, spread
from sitejobs.matching.scoring.parameters import Learned, Parameters

_EPSILON: Final = float(np.finfo(np.float32).eps)
_SUM_MARGIN: Final = 4e-6
"""Largest difference between a weighted sum of parts in single precision and the exact one, for weights of sum 1."""

LOWEST: Final = np.float32(-1e30)
"""Less than any key, and more than the upper bounds of pairs that are barred."""

_BOUND_MARGINS: Final = 5
"""Largest amount by which rounding may understate an upper bound, in margins."""


def tier_step(parameters: Parameters) -> float:
    """What tier A adds to a key: more than candidates of one tier can be apart."""
    model = parameters.model
    if model is None:
        return parameters.weights.total + 1.0
    return math.ceil(2 * (_most_odds(model) + 1) + MOST_PRICE + 1)


def key_margin(parameters: Parameters) -> float:
    """Largest difference between a key and the exact one."""
    model = parameters.model
    if model is None:
        return _SUM_MARGIN
    rounding = _EPSILON * (16 * _most_odds(model) + 2 * tier_step(parameters))
    return 2 * _SUM_MARGIN * max(1.0, spread(model)) + rounding


def bound_margin(parameters: Parameters) -> float:
    """Largest amount by which rounding may understate an upper bound of a key."""
    return _BOUND_MARGINS * key_margin(parameters)


def _most_odds(model: Learned) -> float:
    """No log odds are further from 0."""
    return abs(base(model)) + 2 * MOST_EFFECT + spread(model)
