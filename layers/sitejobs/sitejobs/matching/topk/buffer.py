"""The best keys seen so far of each viewer, in fixed arrays that are thinned out when they fill up."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Floats, Indices, Singles
from sitejobs.matching.scoring.pair_scores import TIE_DECIMALS

Rescore = Callable[[int, Indices], tuple[Floats, Indices]]
"""Row of a viewer and p positions -> (p,) exact keys and the candidates' ids."""

EXTRA = 256
"""Places beyond K for keys that rounding may have put in the wrong order."""


ENOUGH = 80
"""Keys beyond K at which the threshold is raised. Raising it earlier leaves out more, but each raise costs a pass."""


class TopKBuffer:
    """Keeps, for each of v viewers, every key that may belong to its best `top_k`.

    `most_at_once`: most keys of one viewer that one call adds together. `rescore`: exact keys of a viewer's candidates.
    `margin`: largest difference between a key and the exact one.
    """

    def __init__(self, viewers: int, top_k: int, most_at_once: int, rescore: Rescore, margin: float) -> None:
        self._margin = margin
        self._top_k = top_k
        self._rescore = rescore
        self._kept = top_k + EXTRA
        self._most_at_once = most_at_once
        self._enough = top_k + ENOUGH
        width = self._kept + 2 * most_at_once
        self._keys = np.full((viewers, width), -np.inf, np.float32)
        self._positions = np.zeros((viewers, width), np.int64)
        self._fill = np.zeros(viewers, np.int64)
        self.threshold = np.full(viewers, -np.inf, np.float32)
        """(v,) a key below it cannot be among the viewer's best: the K-th best so far, less rounding."""
        self._expected, self._proved = self.threshold.copy(), self.threshold.copy()

    def expect(self, threshold: Singles) -> None:
        """Start with estimated thresholds, (v,); `disproved` returns the viewers for whom they were too high."""
        self.threshold = np.maximum(self.threshold, threshold)
        self._expected = threshold

    def disproved(self) -> Indices:
        """Viewers whose expected threshold was too high: fewer than K keys reach it."""
        return np.flatnonzero(~np.isneginf(self._expected) & (self._proved < self._expected))

    def forget(self, rows: Indices) -> None:
        """Empty the buffers of these viewers, and drop their thresholds."""
        self._keys[rows], self._fill[rows] = -np.inf, 0
        self.threshold[rows] = self._proved[rows] = self._expected[rows] = -np.inf

    def add(self, viewer: Indices, keys: Singles, positions: Indices) -> None:
        """Take the keys of p > 0 pairs, (p,) each: viewers in ascending order, candidates by position."""
        first = np.concatenate([[0], np.flatnonzero(viewer[1:] != viewer[:-1]) + 1])
        counts = np.diff(first, append=len(viewer))
        if counts.max() > self._most_at_once:
            late = np.arange(len(viewer)) - np.repeat(first, counts) >= self._most_at_once
            for part in (~late, late):
                self.add(viewer[part], keys[part], positions[part])
            return
        rows = viewer[first]
        crowded = rows[self._fill[rows] + counts > self._keys.shape[1]]
        if len(crowded):
            self._thin_out(crowded)
        slots = np.repeat(self._fill[rows] - first, counts) + np.arange(len(viewer))
        self._keys[viewer, slots] = keys
        self._positions[viewer, slots] = positions
        self._fill[rows] += counts
        # The first threshold is set at K keys: without one nothing can be skipped.
        full = np.where(np.isneginf(self.threshold[rows]), self._top_k, self._enough)
        risen = rows[self._fill[rows] >= full]
        if len(risen):
            self._thin_out(risen)

    def raise_thresholds(self) -> None:
        """Bring every threshold up to what the keys seen so far allow."""
        self._thin_out(np.flatnonzero(self._fill > self._top_k))

    def found(self) -> tuple[Indices, Indices]:
        """Viewers and positions of all keys that may belong to the best, by viewer."""
        self._thin_out(np.arange(len(self._fill)))
        row, slot = np.nonzero(np.arange(self._keys.shape[1]) < self._fill[:, None])
        return row, self._positions[row, slot]

    def _thin_out(self, rows: Indices) -> None:
        """Drop what can no longer be among the best, and raise the threshold."""
        width = int(self._fill[rows].max(initial=0))
        if width <= self._top_k:
            return
        keys = self._keys[rows, :width]
        last = np.partition(keys, width - self._top_k, axis=1)[:, width - self._top_k]
        threshold = last - np.float32(2 * self._margin)
        self._proved[rows] = np.maximum(self._proved[rows], threshold)
        self.threshold[rows] = np.maximum(self.threshold[rows], threshold)
        kept = (keys >= threshold[:, None]) & np.isfinite(keys)
        counts = kept.sum(axis=1)
        for index in np.flatnonzero(counts > self._kept):
            kept[index] = self._without_late_ties(rows[index], keys[index], kept[index], float(last[index]))
        counts = kept.sum(axis=1)
        row, slot = np.nonzero(kept)
        target = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._positions[rows[row], target] = self._positions[rows[row], slot]
        values = keys[row, slot]
        self._keys[rows, :width] = -np.inf
        self._keys[rows[row], target] = values
        self._fill[rows] = counts

    def _without_late_ties(
        self, viewer: np.int64, keys: Singles, kept: NDArray[np.bool_], last: float
    ) -> NDArray[np.bool_]:
        """If more near ties straddle the K-th place than fit, score them exactly and keep the best."""
        result = kept & (keys > last + 2 * self._margin)
        tied = np.flatnonzero(kept & ~result)
        exact, ids = self._rescore(int(viewer), self._positions[viewer, tied])
        order = np.lexsort((ids, -exact.round(TIE_DECIMALS)))
        result[tied[order[: self._kept - int(result.sum())]]] = True
        return result
