"""Who said yes to whom, as arrays: what a model is trained on."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.parameters import SLACK

KIND_NAMES = ("attractive", "smart", "funny", "interesting")
"""Ratings of one person by another."""

KINDS = len(KIND_NAMES)


@dataclass(frozen=True)
class Decisions:
    """d decisions between people numbered from 0. The arrays may be another's: they can be large, nothing changes them.

    viewer, candidate, liked : (d,) who said yes or no to whom. features : (d, 4) of the pair.
    rated, own : (o,) rising rows beside which the viewer rated the candidate, and (o, 4) these ratings: the standing
        that a model reads leaves them out.
    counted : (d,) those to learn from; None: all.
    """

    viewer: NDArray[np.int32]
    candidate: NDArray[np.int32]
    liked: Flags
    features: Singles
    rated: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    own: Singles = field(default_factory=lambda: np.zeros((0, KINDS), np.float32))
    counted: Flags | None = None


@dataclass(frozen=True)
class Received:
    """The ratings that n people received: their sums (n, 4) and numbers (n,), and the site's means (4,)."""

    sums: Singles
    counts: NDArray[np.int32]
    means: Floats

    @classmethod
    def of(cls, sums: Singles, counts: NDArray[np.int32]) -> "Received":
        """With the means over all ratings; without any, standing is 0 whatever the mean."""
        total = int(counts.sum())
        return cls(sums, counts, sums.sum(axis=0, dtype=np.float64) / total if total else np.zeros(KINDS))

    def standing(self) -> Floats:
        """(n, 4) mean ratings beside the site's, drawn towards it: (sum + 2 m) / (n + 2) - m."""
        return self._shrunk(self.sums.astype(np.float64), self.counts)

    def without(self, people: NDArray[np.int32], own: Singles) -> Floats:
        """(p, 4) the standing of `people`, each without one rating: `own`, NaN where there is none to leave out."""
        there = ~np.isnan(own[:, 0])
        sums = self.sums[people] - np.where(there[:, None], own, np.float32(0))
        return self._shrunk(sums.astype(np.float64), self.counts[people] - there)

    def _shrunk(self, sums: Floats, counts: NDArray[np.int32]) -> Floats:
        return (sums + SLACK * self.means) / (counts[:, None] + SLACK) - self.means
