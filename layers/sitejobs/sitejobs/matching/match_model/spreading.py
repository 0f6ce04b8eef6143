"""Who would be shown in a closed sample of neighbours, and the prices that keep a model from showing all the same few.

A price is a number that the order subtracts from log P. Prices are found by going through runs in the sample: after
each, whoever may expect more likes than others becomes dearer. Everybody beyond the sample has the price of people of
the same appeal.
"""

from dataclasses import dataclass

import numpy as np

from sitejobs.matching.learning.decisions import Received
from sitejobs.matching.learning.exposure import (
    ETA,
    NOBODY,
    Exposure,
    expected_likes,
    first_places,
    moved_prices,
    spread,
    top_places,
)
from sitejobs.matching.learning.quality import MOST_NEVER_SHOWN_MORE
from sitejobs.matching.learning.training import Model, sigmoid
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.features import FEATURES, pair_features
from sitejobs.matching.scoring.pair_scores import score_pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.file import StoredSnapshot

SAMPLE = 1000
"""People of the sample: each ranks all others."""

NEIGHBOURS = 8000
"""People, who stand together on the map, of whom the sample is."""

STEPS = ((ETA, 20), (0.1, 10), (0.05, 10), (0.02, 10), (0.01, 10))
"""By how much a price moves at most in a run, and in how many runs, before a lower capacity is tried.

Where people hardly differ in whom they like, steps that stay as long show all of them the same few, by turns.
"""

ROWS_AT_ONCE = 50

CAPACITIES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.09, 0.06)
"""Shares of the mean of expected likes from which on somebody becomes dearer: the lower, the more are shown."""

PRICE_DECIMALS = 2
"""Decimals of a price: coarser than effects, and fine enough for small differences to decide who is shown."""


@dataclass(frozen=True)
class Neighbours:
    """s people, each a viewer and a candidate, at `positions` of a snapshot. All matrices (s, s): viewer, candidate.

    allowed : of tier A for each other. v1 : its score. features : (s, s, 4).
    """

    positions: Indices
    allowed: Flags
    v1: Floats
    features: Floats

    def under(self, model: Model, received: Received) -> "Sample":
        """What a model says of them."""
        appeal, selectivity = model.whole_appeal(received)[self.positions], model.selectivity[self.positions]
        odds = self.features @ model.weights.as_array()
        like = sigmoid(model.intercept + odds + selectivity[:, None] + appeal)
        # The features are symmetric: the answer's chance is the other's to like.
        return Sample(self, appeal, like, np.log(like) + np.log(like.T))


@dataclass(frozen=True)
class Sample:
    """Neighbours under a model. like : (s, s) the viewer's chance to say yes. both : the log of the chance of both."""

    people: Neighbours
    appeal: Floats
    like: Floats
    both: Floats

    def shown_by(self, prices: Floats) -> Indices:
        """(s, places) who is shown first under a model with these prices of the sample's people."""
        return top_places(self.both - prices, self.people.allowed)

    def exposure(self, prices: Floats) -> Exposure:
        """Who is shown under v1, and under the model."""
        return Exposure(
            len(self.appeal), {"v1": top_places(self.people.v1, self.people.allowed), "v2": self.shown_by(prices)}
        )

    def moved(self, prices: Floats, capacity: float) -> Floats:
        """(s,) the prices after some more runs, in which each may expect `capacity` of the mean of likes."""
        rows = np.arange(len(prices))[:, None]
        for eta in (eta for eta, runs in STEPS for _ in range(runs)):
            shown = first_places(self.both - prices, self.people.allowed)
            chances = np.where(shown == NOBODY, 0, self.like[rows, np.maximum(shown, 0)])
            expected = expected_likes(chances, shown, len(prices))
            if not expected.any():
                break
            prices = moved_prices(prices, expected, capacity * float(expected.mean()), eta)
        return prices


def prices_needed(sample: Sample) -> Floats:
    """(s,) the lowest prices that show nearly as many of the sample as v1 does; 0 where a model does so by itself.

    Where none do, those that show most.
    """
    prices = best = np.zeros(len(sample.appeal))
    least = np.inf
    for capacity in (None, *CAPACITIES):
        prices = prices if capacity is None else sample.moved(prices, capacity)
        shown = sample.exposure(prices)
        never = {name: spread(places, shown.candidates).never_shown for name, places in shown.shown.items()}
        if never["v2"] < least:
            best, least = prices, never["v2"]
        if not never["v2"] > never["v1"] + MOST_NEVER_SHOWN_MORE:  # NaN: nobody is shown by either
            break
    return best.round(PRICE_DECIMALS)


def neighbours(snapshot: StoredSnapshot, parameters: Parameters, seed: int) -> Neighbours | None:
    """Some candidates who stand together on the map; None where there are too few to show."""
    count = snapshot.candidates
    if count < 2:
        return None
    random = np.random.default_rng(seed)
    start = int(random.integers(0, max(count - NEIGHBOURS, 0) + 1))
    near = np.arange(start, min(start + NEIGHBOURS, count))
    positions = np.sort(random.choice(near, min(SAMPLE, len(near)), replace=False))
    users, size = snapshot.users_at(positions), len(positions)
    v1, allowed = np.empty((size, size)), np.empty((size, size), bool)
    features = np.empty((size, size, FEATURES))
    for start in range(0, size, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, size)
        viewer, candidate = np.repeat(np.arange(start, stop), size), np.tile(np.arange(size), stop - start)
        pairs = score_pairs(users, users, viewer, candidate, snapshot.now, parameters)
        v1[start:stop] = pairs.score.reshape(-1, size)
        allowed[start:stop] = (pairs.tier_a & (viewer != candidate)).reshape(-1, size)
        found = pair_features(users, users, viewer, candidate, parameters.default_radius_km)
        features[start:stop] = found.reshape(-1, size, FEATURES)
    return Neighbours(positions, allowed & allowed.T, v1, (features + features.transpose(1, 0, 2)) / 2)


def prices_by_appeal(sample: Sample, prices: Floats, appeal: Floats) -> Floats:
    """(n,) everybody's price from the sample's: its own, or that of people there of about the same appeal."""
    order = np.argsort(sample.appeal, kind="stable")
    found = np.interp(appeal, sample.appeal[order], _smoothed(prices[order]))
    found[sample.people.positions] = prices
    return found.round(PRICE_DECIMALS)


def _smoothed(prices: Floats, width: int = 25) -> Floats:
    """Means of neighbours, so that one person's price is not everybody's of that appeal."""
    width = min(width, len(prices))
    sums = np.convolve(prices, np.ones(width), mode="same")
    return np.asarray(sums / np.convolve(np.ones(len(prices)), np.ones(width), mode="same"))
