"""Who is shown to how many, and the price that evens it out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices

PLACES = 20
"""Places of a list that count as shown."""
NOBODY = -1
ETA = 0.2
_LEAST_SHARE = 0.1
_HIGHEST_PRICE = 4.0
_TOP_SHARE = 0.01


@dataclass(frozen=True)
class Exposure:
    """A closed sample: the first places of each viewer's list, the candidates all of the sample."""

    candidates: int
    shown: Mapping[str, Indices]
    """Ranking -> (viewers, places) candidates 0..candidates-1, `NOBODY` where a list is shorter."""


@dataclass(frozen=True)
class Spread:
    """How evenly a ranking spreads the places over the candidates."""

    gini: float
    """0: all are shown equally often; towards 1: one has all places."""
    never_shown: float
    """Share of the candidates."""
    top_share: float
    """Share of all places that the top 1 % of the candidates get, at least one candidate."""


def top_places(scores: Floats, allowed: Flags, places: int = PLACES) -> Indices:
    """(v, c) scores -> (v, places) the best allowed candidates, best first; of equal scores the lower index."""
    order = np.argsort(np.where(allowed, -scores, np.inf), axis=1, kind="stable")[:, :places]
    best = np.where(np.take_along_axis(allowed, order, axis=1), order, NOBODY)
    return np.pad(best, ((0, 0), (0, max(places - best.shape[1], 0))), constant_values=NOBODY)


def first_places(scores: Floats, allowed: Flags, places: int = PLACES) -> Indices:
    """The same people as `top_places`, in any order, and of equal scores any: several times as fast."""
    if scores.shape[1] <= places:
        return top_places(scores, allowed, places)
    barred = np.where(allowed, -scores, np.inf)
    best = np.argpartition(barred, places - 1, axis=1)[:, :places]
    return np.where(np.take_along_axis(allowed, best, axis=1), best, NOBODY)


def spread(shown: Indices, candidates: int) -> Spread:
    """How evenly (v, places) candidates are shown; NaN without candidates or places."""
    times = np.sort(np.bincount(shown[shown != NOBODY], minlength=candidates)).astype(np.float64)
    total = times.sum()
    if not candidates or not total:
        return Spread(np.nan, np.nan, np.nan)
    weights = 2 * np.arange(1, candidates + 1) - candidates - 1
    top = max(1, round(candidates * _TOP_SHARE))
    return Spread(
        gini=float((weights * times).sum() / (candidates * total)),
        never_shown=float((times == 0).mean()),
        top_share=float(times[candidates - top :].sum() / total),
    )


def expected_likes(like_chance: Floats, shown: Indices, candidates: int) -> Floats:
    """(candidates,) the likes that each may expect: the sum of the chances over the places where it is shown.

    Parameters
    ----------
    like_chance : (v, places) the viewer's chance to like who stands there.
    """
    there = shown != NOBODY
    return np.bincount(shown[there], weights=like_chance[there], minlength=candidates).astype(np.float64)


def moved_prices(prices: Floats, expected: Floats, capacity: float, eta: float = ETA) -> Floats:
    """The prices after a run; a list is ordered by log P - price.

    A price moves by eta x log(expected / capacity), at most by eta each way, and stays within 0..4: who expects more
    likes than `capacity` (greater than 0) becomes dearer, who expects fewer cheaper.
    """
    excess = np.log(np.maximum(expected, _LEAST_SHARE * capacity) / capacity)
    return np.asarray(np.clip(prices + eta * np.clip(excess, -1.0, 1.0), 0.0, _HIGHEST_PRICE))
