"""Whether chances hold: of the decisions with a chance of 0.3, three of ten turn out well."""

from dataclasses import dataclass

import numpy as np

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices

TENTHS = 10
_DRAWS = 2000
_SURE = 0.95
_NEVER = 1e-6


@dataclass(frozen=True)
class Calibration:
    """Chances beside what came true. See `calibration`."""

    log_loss: float
    constant_log_loss: float
    """That of one chance for all, their rate."""
    brier: float
    constant_brier: float
    error: float
    limit: float
    reliability: tuple[tuple[int, int, float, float], ...]
    """Each tenth of chances that has decisions: its number from 0 to 9, decisions, their mean chance, their rate."""

    def fails(self, most: float) -> bool:
        """Whether the error is `most` or more, and more than sampling alone explains."""
        return self.error >= most and self.error > self.limit


def calibration(chance: Floats, good: Flags, seed: int) -> Calibration:
    """Compare chances with outcomes.

    The error is the root mean square distance of the rate from the chance over the tenths of chances. The distance
    that sampling adds by itself is taken off: each tenth's squared distance loses rate (1 - rate) / (n - 1), the
    debiased estimate of Kumar, Liang and Ma, "Verified Uncertainty Calibration" (2019); below 0 it counts as 0.
    What is left still scatters when decisions are few. So `limit` is the error that only one in twenty would exceed
    if all chances were right, from outcomes drawn from the chances (consistency resampling: Bröcker and Smith,
    "Increasing the Reliability of Reliability Diagrams", 2007). An error within the limit is no evidence against
    the chances, however large it looks.
    """
    rate = float(good.mean()) if len(good) else np.nan
    constant = np.full(len(good), rate)
    tenth = np.minimum((chance * TENTHS).astype(np.int64), TENTHS - 1)
    count = np.bincount(tenth, minlength=TENTHS)
    filled = count > 0
    count = count[filled]
    chances = np.bincount(tenth, weights=chance, minlength=TENTHS)[filled] / count
    goods = np.bincount(tenth, weights=good, minlength=TENTHS)[filled]
    drawn = np.random.default_rng(seed).binomial(count, np.clip(chances, 0, 1), (_DRAWS, len(count)))
    errors = _error(count, chances, drawn) if len(good) else np.array([np.nan])
    return Calibration(
        log_loss=log_loss(chance, good),
        constant_log_loss=log_loss(constant, good),
        brier=brier(chance, good),
        constant_brier=brier(constant, good),
        error=float(_error(count, chances, goods[None, :])[0]) if len(good) else np.nan,
        limit=float(np.quantile(errors, _SURE)),
        reliability=tuple(
            zip(
                np.flatnonzero(filled).tolist(), count.tolist(), chances.tolist(), (goods / count).tolist(), strict=True
            )
        ),
    )


def _error(count: Indices, chances: Floats, goods: Floats | Indices) -> Floats:
    """(d,) debiased errors of (d, bins) outcomes; a tenth with one decision says nothing of its own scatter."""
    several = count > 1
    if not several.any():
        return np.zeros(len(goods))
    count, chances, goods = count[several], chances[several], goods[:, several]
    rate = goods / count
    squared = (rate - chances) ** 2 - rate * (1 - rate) / (count - 1)
    return np.asarray(np.sqrt(np.maximum((squared * count).sum(axis=1) / count.sum(), 0.0)))


def log_loss(chance: Floats, good: Flags) -> float:
    """Mean -log of the chance of what came true; no chance counts as below one in a million."""
    if not len(good):
        return np.nan
    true = np.clip(np.where(good, chance, 1 - chance), _NEVER, 1.0)
    return float(-np.log(true).mean())


def brier(chance: Floats, good: Flags) -> float:
    """Mean squared distance of the chance from what came true."""
    return float(((chance - good) ** 2).mean()) if len(good) else np.nan
