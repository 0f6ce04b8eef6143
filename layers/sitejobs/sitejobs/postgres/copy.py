"""Rows as PostgreSQL's binary COPY, encoded with numpy a page at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.pair_scores import SHARED_SHOWN
from sitejobs.matching.scoring.users import MISSING

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_ARRAY_HEADER = 20
_ARRAY_ELEMENT = 12
_INT8_OID = 20

LAST_COLUMNS = ("algorithmVersion", "sharedInterestIds")


@dataclass(frozen=True)
class Values:
    """Values of one column and, where it may be NULL, who has one."""

    values: Any
    present: NDArray[np.bool_] | None = None


def encode_table(
    columns: Mapping[str, str],
    values: Mapping[str, Values],
    algorithm_version: str,
    shared: NDArray[np.int64],
    interest_ids: NDArray[np.int64],
) -> bytes:
    """Rows of any table of `columns` (name -> big-endian numpy type), followed by `LAST_COLUMNS`.

    `shared`: (n, SHARED_SHOWN) codes of shared interests, MISSING where there are fewer; `interest_ids`: their ids.
    Every row is laid out at its full width; then the bytes of NULLs and of interests that are not there are left out,
    which numpy does for all rows at once.
    """
    version = algorithm_version.encode()
    dtype = _row_dtype(columns, len(version))
    rows = np.zeros(len(shared), dtype)
    kept = np.ones((len(rows), dtype.itemsize), bool)
    rows["fields"] = len(columns) + len(LAST_COLUMNS)
    for name, column in values.items():
        rows[f"{name} length"] = dtype[name].itemsize
        rows[name] = column.values
        if column.present is not None:
            rows[f"{name} length"][~column.present] = -1
            at = _offset(dtype, name)
            kept[:, at : at + dtype[name].itemsize] = column.present[:, None]
    rows["algorithmVersion length"] = len(version)
    rows["algorithmVersion"] = version
    _put_shared(rows, kept, shared, interest_ids)
    return rows.view(np.uint8).reshape(kept.shape)[kept].tobytes()


def microseconds(moment: datetime) -> float:
    """A timestamptz as COPY takes it."""
    return (moment - _POSTGRES_EPOCH).total_seconds() * 1_000_000


def small(values: NDArray[Any]) -> NDArray[Any]:
    """Counts as smallint holds them."""
    return np.asarray(np.minimum(values, np.iinfo(np.int16).max))


def _row_dtype(columns: Mapping[str, str], version_length: int) -> np.dtype[Any]:
    parts: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns.items():
        parts += [(f"{name} length", ">i4"), (name, kind)]
    parts += [("algorithmVersion length", ">i4"), ("algorithmVersion", f"S{version_length}")]
    parts += [("shared length", ">i4"), ("shared dimensions", ">i4"), ("shared nulls", ">i4"), ("shared oid", ">i4")]
    parts += [("shared count", ">i4"), ("shared low", ">i4")]
    for index in range(SHARED_SHOWN):
        parts += [(f"shared {index} length", ">i4"), (f"shared {index}", ">i8")]
    return np.dtype(parts)


def _offset(dtype: np.dtype[Any], name: str) -> int:
    assert dtype.fields is not None
    return int(dtype.fields[name][1])


def _put_shared(
    rows: NDArray[Any], kept: NDArray[np.bool_], shared: NDArray[np.int64], interest_ids: NDArray[np.int64]
) -> None:
    count = (shared != MISSING).sum(axis=1)
    rows["shared length"] = np.where(count > 0, _ARRAY_HEADER + _ARRAY_ELEMENT * count, -1)
    rows["shared dimensions"], rows["shared oid"], rows["shared low"] = 1, _INT8_OID, 1
    rows["shared count"] = count
    for index in range(SHARED_SHOWN):
        rows[f"shared {index} length"] = 8
        if len(interest_ids):
            rows[f"shared {index}"] = interest_ids[shared[:, index]]
    start = _offset(rows.dtype, "shared dimensions")
    present = np.arange(rows.dtype.itemsize - start)
    kept[:, start:] = present < np.where(count > 0, _ARRAY_HEADER + _ARRAY_ELEMENT * count, 0)[:, None]
