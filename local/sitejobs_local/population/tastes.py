"""Whom people like, and how much is asked to please them: planted, and stored nowhere.

The log odds that i says yes to j are: base + selectivity of i + appeal of j + weights . likenesses(i, j). Appeal comes
in part of the charm that ratings tell of.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.draws import Bools, Ints, happens, normal, stream
from sitejobs_local.population.likenesses import LIKENESSES, Likenesses
from sitejobs_local.population.people import GENDERS, People

# All in thousandths.
_BASE = 1000
_WEIGHTS = {"traits": 2000, "interests": 7000, "proximity": 600, "ageGap": 300}
_CHARM_WEIGHTS = (700, 150, 200, 150)
_OWN_APPEAL = 800
_OWN_SELECTIVITY = 1100
_CHOOSY_FOR_APPEAL = 200
_BY_GENDER = {"MALE": 350, "FEMALE": -350}
_UNWANTED = 3000
# Pairs that are compared at a time.
_CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class Tastes:
    """The truth behind the likes, one row a user in the order of their ids."""

    crowd: People
    likenesses: Likenesses
    selectivity_thousandths: Ints
    appeal_thousandths: Ints

    @property
    def ids(self) -> Ints:
        """Ids of the users."""
        return self.crowd.ids

    @property
    def base(self) -> float:
        """The constant of the log odds."""
        return _BASE / 1000

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the likenesses."""
        return {name: _WEIGHTS[name] / 1000 for name in LIKENESSES}

    @property
    def selectivity(self) -> NDArray[np.float64]:
        """Of each user; the higher, the more they say yes."""
        return self.selectivity_thousandths / 1000

    @property
    def appeal(self) -> NDArray[np.float64]:
        """Of each user."""
        return self.appeal_thousandths / 1000

    def log_odds(self, viewer: Ints, candidate: Ints) -> NDArray[np.float64]:
        """Of a yes, for users by their places in `ids`; lower by 3 for somebody of a gender that is not looked for."""
        return self._log_odds(viewer, candidate) / 1000

    def decide(self, rng: np.random.Generator, viewer: Ints, candidate: Ints) -> Bools:
        """Whether each viewer says yes."""
        return happens(rng, self._log_odds(viewer, candidate))

    def _log_odds(self, viewer: Ints, candidate: Ints) -> Ints:
        weights = np.array([_WEIGHTS[name] for name in LIKENESSES])
        found = _BASE + self.selectivity_thousandths[viewer] + self.appeal_thousandths[candidate]
        found -= np.where(self.crowd.attracted(viewer, candidate), 0, _UNWANTED)
        for start in range(0, len(viewer), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            found[chunk] += (self.likenesses.of(viewer[chunk], candidate[chunk]) * weights).sum(axis=1) // 1000
        return found


def tastes(crowd: People, alike: Likenesses, seed: int) -> Tastes:
    """Draw everybody's appeal and selectivity."""
    rng = stream(seed, "tastes")
    appeal = (crowd.charm * np.array(_CHARM_WEIGHTS)).sum(axis=1) + _OWN_APPEAL * normal(rng, len(crowd))
    appeal //= 1000
    selectivity = (_OWN_SELECTIVITY * normal(rng, len(crowd)) - _CHOOSY_FOR_APPEAL * appeal) // 1000
    selectivity += np.array([_BY_GENDER.get(gender, 0) for gender in GENDERS])[crowd.gender]
    return Tastes(crowd, alike, selectivity, appeal)
