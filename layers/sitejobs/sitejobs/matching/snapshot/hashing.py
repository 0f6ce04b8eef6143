"""64-bit hashes of columns, the same in every process: two snapshots are compared by them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Hash = NDArray[np.uint64]

# splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mixed(*columns: NDArray[Any]) -> Hash:
    """Hash rows of columns: (n,) each -> (n,)."""
    result = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        result = _mix(result + _bits(column) + _GAMMA)
    return result


def summed(owners: NDArray[np.int64], hashes: Hash, rows: int) -> Hash:
    """Hash the multiset of each row's values: order does not matter. -> (rows,)"""
    result = np.zeros(rows, np.uint64)
    np.add.at(result, owners, hashes)
    return result


def _mix(value: Hash) -> Hash:
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


def _bits(column: NDArray[Any]) -> Hash:
    if column.dtype == np.uint64:
        return column
    if np.issubdtype(column.dtype, np.floating):
        values = column.astype(np.float64) + 0.0  # -0.0 and 0.0 are the same value
        return np.where(np.isnan(values), np.nan, values).view(np.uint64)
    return column.astype(np.int64).view(np.uint64)
