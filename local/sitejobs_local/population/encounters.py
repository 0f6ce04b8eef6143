"""Who comes across whom: mostly people of the same place, popular ones more often."""

import numpy as np

from sitejobs_local.population.draws import Ints, below
from sitejobs_local.population.people import GENDERS, PREFERRED_GENDERS, People

LOCAL_PER_MILLE = 700
_NEARBY_PER_MILLE = 950
# Decisions about each person nearby before a viewer looks elsewhere as often.
_LOOKS_NEARBY = 6
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


class Market:
    """Draws of people who look for each other's gender, popular ones more often.

    People are of a kind by their gender and by whom they look for.
    """

    def __init__(self, crowd: People) -> None:
        self._place = crowd.place
        self._kind = crowd.gender * len(PREFERRED_GENDERS) + crowd.preferred
        kinds, places = len(GENDERS) * len(PREFERRED_GENDERS), int(crowd.place.max()) + 1
        stall = crowd.place * kinds + self._kind
        self._order = np.argsort(stall, kind="stable")
        self._cumulative = np.cumsum(crowd.popularity[self._order])
        firsts = np.searchsorted(stall[self._order], np.arange(places * kinds + 1))
        bounds = np.concatenate([[0], self._cumulative])[firsts]
        self._stalls = bounds[:-1].reshape(places, kinds)
        weight, people = np.diff(bounds).reshape(places, 1, kinds), np.diff(firsts).reshape(places, 1, kinds)
        of_kind = np.arange(kinds)
        gender, preferred = of_kind // len(PREFERRED_GENDERS), of_kind % len(PREFERRED_GENDERS)
        wanted = np.array([[f'"{name}"' in option for name in GENDERS] for option in PREFERRED_GENDERS])
        suits = wanted[preferred][:, gender]
        mutual = suits & suits.T
        suiting = np.cumsum(weight * mutual, axis=2)
        self._kinds = _Choices(suiting.reshape(places * kinds, kinds))
        self._places = _Choices(np.cumsum(suiting[:, :, -1], axis=0).T)
        self._people = (people * mutual).sum(axis=2)

    def met(self, rng: np.random.Generator, viewers: Ints, decisions: Ints) -> Ints:
        """For each viewer somebody who suits both ways, possibly the viewer; -1 where there is nobody.

        Parameters
        ----------
        decisions : how many each viewer takes in all: who takes more than a small place has looks further.
        """
        place, kind = self._place[viewers], self._kind[viewers]
        near = _LOOKS_NEARBY * self._people[place, kind]
        local = (below(rng, decisions + near + 1) <= near) & (rng.integers(0, 1000, len(viewers)) < _NEARBY_PER_MILLE)
        away = np.flatnonzero(~local)
        place[away], _ = self._places.drawn(rng, kind[away])
        chosen, rest = self._kinds.drawn(rng, place * self._people.shape[1] + kind)
        weight = self._stalls[place, chosen] + rest
        at = np.searchsorted(self._cumulative, weight, side="right")
        return np.where(rest >= 0, self._order[np.minimum(at, len(self._order) - 1)], -1)


class _Choices:
    """Weighted draws of an index, with weights of their own for each row."""

    def __init__(self, cumulative: Ints) -> None:
        """`cumulative`: (rows, n) weights of each row added up."""
        self._rows, self._options = cumulative.shape
        self._reach = int(cumulative.max(initial=0)) + 1
        self._totals = cumulative[:, -1]
        # One ascending array: a row begins beyond all that the row before may hold.
        self._flat = (cumulative + self._reach * np.arange(self._rows)[:, None]).ravel()
        self._before = np.concatenate([np.zeros((self._rows, 1), np.int64), cumulative[:, :-1]], axis=1)

    def drawn(self, rng: np.random.Generator, rows: Ints) -> tuple[Ints, Ints]:
        """An option for each row, and how far into its weight the draw lies: -1 for a row without weights."""
        weight = below(rng, self._totals[rows])
        found = np.searchsorted(self._flat, weight + self._reach * rows, side="right") - rows * self._options
        option = np.minimum(found, self._options - 1)
        return option, np.where(self._totals[rows] > 0, weight - self._before[rows, option], -1)
