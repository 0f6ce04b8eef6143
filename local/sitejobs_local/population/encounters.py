"""Who comes across whom: mostly people of the same place, popular ones more often."""

import numpy as np

from sitejobs_local.population.draws import Ints, below
from sitejobs_local.population.people import People

LOCAL_PER_MILLE = 700
# Weight of looking for the other's gender, each way, beside nearness of taste: thousandths of a standard deviation.
_ATTRACTION = 1500


class Encounters:
    """Draws of other people; anybody with a profile can be drawn."""

    def __init__(self, crowd: People) -> None:
        self._crowd = crowd
        self._order = np.argsort(crowd.place, kind="stable")
        self._cumulative = np.cumsum(crowd.popularity[self._order])
        # bounds[p] .. bounds[p + 1]: the weights of the people of place p.
        places = np.arange(int(crowd.place.max()) + 2)
        firsts = np.searchsorted(crowd.place[self._order], places)
        self._bounds = np.concatenate([[0], self._cumulative])[firsts]

    def met(self, rng: np.random.Generator, sources: Ints) -> Ints:
        """For each source a person it comes across, possibly itself."""
        place = self._crowd.place[sources]
        lowest, spans = self._bounds[place], self._bounds[place + 1] - self._bounds[place]
        world = (rng.integers(0, 1000, len(sources)) >= LOCAL_PER_MILLE) | (spans == 0)
        lowest = np.where(world, 0, lowest)
        spans = np.where(world, self._cumulative[-1], spans)
        at = np.searchsorted(self._cumulative, lowest + below(rng, spans), side="right")
        return self._order[at]

    def liked(self, rng: np.random.Generator, sources: Ints, tries: int) -> Ints:
        """For each source the best fitting of this many people it comes across."""
        best = self.met(rng, sources)
        best_fit = self._fit(sources, best)
        for _ in range(tries - 1):
            other = self.met(rng, sources)
            fit = self._fit(sources, other)
            best, best_fit = np.where(fit > best_fit, other, best), np.maximum(fit, best_fit)
        return best

    def _fit(self, first: Ints, second: Ints) -> Ints:
        """How well two people suit each other; lowest for a pair of one person."""
        crowd = self._crowd
        both_ways = crowd.attracted(first, second).astype(np.int64) + crowd.attracted(second, first)
        return np.where(first == second, -1_000_000, crowd.kinship(first, second) + _ATTRACTION * both_ways)
