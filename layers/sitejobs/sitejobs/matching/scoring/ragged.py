"""Rows of different lengths as two flat arrays: the building block of sets and vectors per user."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Indices


@dataclass(frozen=True)
class Ragged:
    """Row i is `values[offsets[i]:offsets[i + 1]]`."""

    offsets: Indices
    values: NDArray[Any]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> Indices:
        return np.diff(self.offsets)

    def row(self, index: int) -> NDArray[Any]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def owners(self) -> Indices:
        """For each value the row that it stands in."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, rows: Indices) -> "Ragged":
        """The rows of these indices, in this order."""
        if len(rows) == len(self) and np.array_equal(rows, np.arange(len(self))):
            return self
        lengths = self.lengths[rows]
        offsets = offsets_of(lengths)
        # Position within the taken values, moved to where the row starts in ours.
        positions = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
        return Ragged(offsets, self.values[positions])


def offsets_of(lengths: NDArray[Any]) -> Indices:
    """Where rows of these lengths begin, and where the last one ends."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def grouped(owners: NDArray[Any], values: NDArray[Any], rows: int) -> Ragged:
    """Collect values by the row that owns them; `owners` must be ascending."""
    return Ragged(offsets_of(np.bincount(owners, minlength=rows)), values)


def joined(parts: list[Ragged]) -> Ragged:
    """All rows of the first, then all of the second, and so on."""
    return Ragged(
        offsets_of(np.concatenate([part.lengths for part in parts])),
        np.concatenate([part.values for part in parts]),
    )
