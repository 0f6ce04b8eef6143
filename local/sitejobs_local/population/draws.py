"""Random draws that come out the same on every platform.

Only whole numbers and correctly rounded operations (+ - x / sqrt) are used: logarithms, exponentials and matrix
products of floats differ in their last digit between processors, and one such digit changes a whole site. The
curves needed are tables of whole numbers instead, and sorting is always stable.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Users before this index have nothing missing: examples in the documentation name them.
WHOLE_USERS = 8

_STEPS = 4096
_MIDDLES = [(step + 0.5) / _STEPS for step in range(_STEPS)]
_NORMAL = np.array([round(1000 * NormalDist().inv_cdf(p)) for p in _MIDDLES], dtype=np.int64)
_GUMBEL = np.array([round(-100 * math.log(-math.log(p))) for p in _MIDDLES], dtype=np.int16)
# The chances of log odds from -10 to 10, in steps of a hundredth, out of 2^30.
_CHANCES = np.array([round(2**30 / (1 + math.exp(-step / 100))) for step in range(-1000, 1001)], dtype=np.int64)
_LOG_NORMAL = np.array([round(1000 * math.exp(0.9 * NormalDist().inv_cdf(p))) for p in _MIDDLES], dtype=np.int64)


def stream(seed: int, part: str) -> np.random.Generator:
    """A random stream for one part of the site, so that a part added later does not change the others."""
    return np.random.Generator(np.random.PCG64([seed, *part.encode()]))


def normal(rng: np.random.Generator, shape: int | tuple[int, ...]) -> Ints:
    """Standard normal draws in thousandths."""
    return _NORMAL[rng.integers(0, _STEPS, shape)]


def log_normal(rng: np.random.Generator, shape: int | tuple[int, ...]) -> Ints:
    """Log-normal draws with median 1 and sigma 0.9, in thousandths."""
    return _LOG_NORMAL[rng.integers(0, _STEPS, shape)]


def gumbel(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int16]:
    """Gumbel draws in hundredths: the largest of logit + draw is a choice with probability ~ exp(logit)."""
    return _GUMBEL[rng.integers(0, _STEPS, shape, dtype=np.uint16)]


def below(rng: np.random.Generator, limits: NDArray[Any]) -> Ints:
    """One draw from 0..limit-1 for each limit (0 for a limit of 0)."""
    drawn: Ints = np.floor(rng.random(limits.shape) * limits).astype(np.int64)
    return drawn


def weighted(rng: np.random.Generator, weights: Sequence[int] | Ints, size: int) -> Ints:
    """`size` independent choices of an index, each with probability weight / sum of weights."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.int64))
    draws = rng.integers(0, cumulative[-1], size)
    return np.searchsorted(cumulative, draws, side="right").astype(np.int64)


def happens(rng: np.random.Generator, log_odds: Ints) -> Bools:
    """Whether each event of these log odds, in thousandths, comes to pass; beyond +-10 they count as that."""
    chances = _CHANCES[np.clip(log_odds // 10, -1000, 1000) + 1000]
    happened: Bools = rng.integers(0, 2**30, len(log_odds)) < chances
    return happened


def spread(rng: np.random.Generator, size: int, *per_mille: int) -> Ints:
    """Deal kinds 1, 2, ... out to exact shares of the rows, kind 0 to all the rest.

    Exact, so that a kind of one in a thousand is there whenever a site has a thousand users. The first
    `WHOLE_USERS` rows stay kind 0.
    """
    dealt = max(size - WHOLE_USERS, 0)
    bounds = (np.cumsum(np.array(per_mille, dtype=np.int64)) * dealt + 500) // 1000
    kinds = np.searchsorted(bounds, np.arange(dealt), side="right") + 1
    kinds[kinds > len(per_mille)] = 0
    result = np.zeros(size, dtype=np.int64)
    result[size - dealt :] = rng.permutation(kinds)
    return result


def picked(rng: np.random.Generator, size: int, per_mille: int) -> Bools:
    """An exact share of the rows, none of the first `WHOLE_USERS`."""
    chosen: Bools = spread(rng, size, per_mille) == 1
    return chosen


def unique_pairs(first: Ints, second: Ints) -> Ints:
    """Positions of the first occurrence of each (first, second) with first != second, in ascending pair order."""
    positions = np.flatnonzero(first != second)
    base = int(second.max(initial=0)) + 1
    _, kept = np.unique(first[positions] * base + second[positions], return_index=True)
    return positions[kept]


def times_between(
    rng: np.random.Generator, earliest: NDArray[np.datetime64], latest: np.datetime64
) -> NDArray[np.datetime64]:
    """A moment between each `earliest` and `latest`, more often near `latest`, in whole milliseconds."""
    spans = np.maximum((latest - earliest).astype(np.int64), 0)
    share = rng.random(earliest.shape)
    back = np.floor(share * share * spans).astype(np.int64)
    return (latest - back.astype("m8[ms]")).astype("M8[ms]")
