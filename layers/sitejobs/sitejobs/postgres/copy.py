"""Rows as PostgreSQL's binary COPY, encoded with numpy a page at a time."""

import itertools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"

NO_ID = -1
"""In an array of codes: no id."""

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
POSTGRES_EPOCH_MICROSECONDS = int(_POSTGRES_EPOCH.timestamp()) * 1_000_000
"""From 1970 to the year from which PostgreSQL counts."""

_ARRAY_HEADER = 20
_ARRAY_ELEMENT = 12
_INT8_OID = 20
_OIDS = {"?": 16, ">i8": _INT8_OID, ">i2": 21, ">i4": 23, ">f4": 700, ">f8": 701}
_NULL = struct.pack("!i", -1)

LAST_COLUMNS = ("algorithmVersion", "sharedInterestIds")


@dataclass(frozen=True)
class Values:
    """Values of one column; `present`: False where the value is NULL (None: never)."""

    values: Any
    present: NDArray[np.bool_] | None = None

    def take(self, rows: NDArray[np.int64]) -> "Values":
        """The values of these rows."""
        return Values(self.values[rows], None if self.present is None else self.present[rows])


def encode_table(
    columns: Mapping[str, str],
    values: Mapping[str, Values],
    algorithm_version: str,
    codes: NDArray[np.int64],
    ids: NDArray[np.int64],
) -> bytes:
    """Rows of any table of `columns` (name -> big-endian numpy type), followed by `LAST_COLUMNS`.

    The last column is a bigint array: `ids` at the row's `codes` (n, most ids of a row) except NO_ID; NULL if none is
    left. Every row is first laid out at full width. Then numpy drops the bytes of NULLs and of left-out ids of all
    rows at once.
    """
    version = algorithm_version.encode()
    dtype = _row_dtype(columns, len(version), codes.shape[1])
    rows = np.zeros(len(codes), dtype)
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
    _put_array(rows, kept, codes, ids)
    return rows.view(np.uint8).reshape(kept.shape)[kept].tobytes()


@dataclass(frozen=True)
class ArrayOf:
    """The values of a column of arrays. `kind`: a big-endian numpy type.

    `nullable`: an array without any value is NULL itself.
    """

    kind: str
    values: Values
    nullable: bool = False


def array_fields(columns: Sequence[ArrayOf], rows: int) -> list[memoryview]:
    """Consecutive columns of arrays as COPY has them, a piece for each row; every array has as many values.

    All rows are laid out at full width in one table. Then numpy drops the bytes of NULLs of all rows at once. Where
    one of the columns has NULLs, all values have 4 or 8 bytes.
    """
    length = len(columns[0].values.values) // rows if rows else 0
    parts: list[tuple[Any, ...]] = []
    for at, column in enumerate(columns):
        parts += [(f"head {at}", ">i4", (6,)), (f"array {at}", [("size", ">i4"), ("value", column.kind)], (length,))]
    dtype = np.dtype(parts)
    model = np.zeros(1, dtype)
    for at, column in enumerate(columns):
        size = dtype[f"array {at}"].base.itemsize
        model[f"head {at}"] = (_ARRAY_HEADER + length * size, 1, 0, _OIDS[column.kind], length, 1)
        model[f"array {at}"]["size"] = size - 4
    table = np.repeat(model, rows)
    for at, column in enumerate(columns):
        table[f"array {at}"]["value"] = np.reshape(column.values.values, (rows, length))
    kept = _without_nulls(table, columns, length)
    if kept is None:
        data, ends = table.view(np.uint8), np.arange(rows + 1) * dtype.itemsize
    else:
        data = np.compress(kept.ravel(), table.view(np.int32)).view(np.uint8)
        ends = np.append(0, 4 * np.cumsum(np.count_nonzero(kept, axis=1)))
    whole, edges = data.data, ends.tolist()
    return [whole[start:stop] for start, stop in itertools.pairwise(edges)]


def _without_nulls(table: NDArray[Any], columns: Sequence[ArrayOf], length: int) -> NDArray[np.bool_] | None:
    """Mark the NULLs in the table; which of each row's words of 4 bytes then stay, None for all."""
    kept: NDArray[np.bool_] | None = None
    for at, column in enumerate(columns):
        if column.values.present is None or column.values.present.all():
            continue
        if kept is None:
            kept = np.ones((len(table), table.dtype.itemsize // 4), bool)
        present = column.values.present.reshape(len(table), length)
        head, array = table[f"head {at}"], table[f"array {at}"]
        size = array.dtype.itemsize
        array["size"] = np.where(present, size - 4, -1)
        count = np.count_nonzero(present, axis=1)
        head[:, 0] = _ARRAY_HEADER + 4 * length + (size - 4) * count
        head[:, 2] = count < length
        first = _offset(table.dtype, f"array {at}") // 4
        for word in range(1, size // 4):
            kept[:, first + word : first + length * size // 4 : size // 4] = present
        if column.nullable:
            head[count == 0, 0] = -1
            kept[count == 0, first - 5 : first + length * size // 4] = False
    return kept


class ArrayColumn:
    """A column of arrays: consecutive values make a row's array, those that are not present are its NULLs.

    `kind` and `nullable` as in `ArrayOf`.
    """

    def __init__(self, kind: str, column: Values, *, nullable: bool = False) -> None:
        self._is_null = nullable and column.present is not None and not column.present.any()
        if self._is_null:
            return
        values = np.asarray(column.values)
        elements = np.empty(len(values), [("length", ">i4"), ("value", kind)])
        size = elements.dtype.itemsize
        elements["length"], elements["value"] = size - 4, values
        self._oid, self._nullable = _OIDS[kind], nullable
        self._ends: NDArray[np.int64] | None = None
        if column.present is not None and not column.present.all():
            elements["length"][~column.present] = -1
            kept = np.ones((len(values), size), bool)
            kept[:, 4:] = column.present[:, None]
            self._bytes = elements.view(np.uint8).reshape(kept.shape)[kept].tobytes()
            self._ends = np.concatenate([[0], np.cumsum(np.where(column.present, size, 4))])
        else:
            self._bytes = elements.tobytes()
        self._size = size

    def field(self, start: int, stop: int) -> bytes:
        """The array of the values from start to before stop, as a row of COPY has it."""
        if self._is_null:
            return _NULL
        if self._ends is None:
            data, nulls = self._bytes[start * self._size : stop * self._size], 0
        else:
            data = self._bytes[self._ends[start] : self._ends[stop]]
            nulls = int(len(data) < (stop - start) * self._size)
            if self._nullable and len(data) == (stop - start) * 4:
                return _NULL
        return struct.pack("!6i", _ARRAY_HEADER + len(data), 1, nulls, self._oid, stop - start, 1) + data

    def fields(self, edges: NDArray[np.int64]) -> list[bytes]:
        """The arrays of the values between these ascending edges, of few values each, one after the other."""
        counts = np.diff(edges)
        if self._is_null:
            return [_NULL] * len(counts)
        ends = edges * self._size if self._ends is None else self._ends[edges]
        lengths = np.diff(ends)
        heads = np.empty((len(counts), 6), ">i4")
        heads[:, 0], heads[:, 2], heads[:, 4] = _ARRAY_HEADER + lengths, lengths < counts * self._size, counts
        heads[:, 1], heads[:, 3], heads[:, 5] = 1, self._oid, 1
        first, data, size = heads.tobytes(), self._bytes, 6 * heads.itemsize
        found = [
            first[at : at + size] + data[start:stop]
            for at, (start, stop) in zip(range(0, len(first), size), itertools.pairwise(ends.tolist()), strict=True)
        ]
        if self._nullable and self._ends is not None:
            for at in np.flatnonzero(lengths == counts * 4).tolist():
                found[at] = _NULL
        return found


def field(data: bytes) -> bytes:
    """A value as a row of COPY has it."""
    return struct.pack("!i", len(data)) + data


def row(fields: Sequence[bytes]) -> bytes:
    """A row of COPY."""
    return struct.pack("!h", len(fields)) + b"".join(fields)


def microseconds(moment: datetime) -> float:
    """A timestamptz in COPY's format: microseconds since 2000."""
    return (moment - _POSTGRES_EPOCH).total_seconds() * 1_000_000


def small(values: NDArray[Any]) -> NDArray[Any]:
    """Counts limited to what a smallint holds."""
    return np.asarray(np.minimum(values, np.iinfo(np.int16).max))


def _row_dtype(columns: Mapping[str, str], version_length: int, most_ids: int) -> np.dtype[Any]:
    parts: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns.items():
        parts += [(f"{name} length", ">i4"), (name, kind)]
    parts += [("algorithmVersion length", ">i4"), ("algorithmVersion", f"S{version_length}")]
    parts += [("ids length", ">i4"), ("ids dimensions", ">i4"), ("ids nulls", ">i4"), ("ids oid", ">i4")]
    parts += [("ids count", ">i4"), ("ids low", ">i4")]
    for index in range(most_ids):
        parts += [(f"ids {index} length", ">i4"), (f"ids {index}", ">i8")]
    return np.dtype(parts)


def _offset(dtype: np.dtype[Any], name: str) -> int:
    assert dtype.fields is not None
    return int(dtype.fields[name][1])


def _put_array(rows: NDArray[Any], kept: NDArray[np.bool_], codes: NDArray[np.int64], ids: NDArray[np.int64]) -> None:
    count = (codes != NO_ID).sum(axis=1)
    rows["ids length"] = np.where(count > 0, _ARRAY_HEADER + _ARRAY_ELEMENT * count, -1)
    rows["ids dimensions"], rows["ids oid"], rows["ids low"] = 1, _INT8_OID, 1
    rows["ids count"] = count
    for index in range(codes.shape[1]):
        rows[f"ids {index} length"] = 8
        if len(ids):
            rows[f"ids {index}"] = ids[codes[:, index]]
    start = _offset(rows.dtype, "ids dimensions")
    present = np.arange(rows.dtype.itemsize - start)
    kept[:, start:] = present < np.where(count > 0, _ARRAY_HEADER + _ARRAY_ELEMENT * count, 0)[:, None]
