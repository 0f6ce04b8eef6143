"""Query results as numpy columns.

Each column arrives as one buffer: an `array_agg` in PostgreSQL's binary format. numpy reads 2.5 million rows a second
of it; fetching row by row reaches 0.6 million (measured with PostgreSQL 18 on a laptop-sized machine).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, LiteralString, cast, overload

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql
from psycopg.adapt import Dumper
from psycopg.pq import Format

Column = NDArray[Any]

# PostgreSQL's binary array: a header of 12 bytes, 8 bytes for its one dimension, then length and value of each element.
_HEADER_BYTES = 20
_HAS_NULLS = 7  # the last byte of the header's second number
_ELEMENT: dict[str, tuple[str, str]] = {
    "int8": (">i8", "i8"),
    "int4": (">i4", "i4"),
    "int2": (">i2", "i2"),
    "float8": (">f8", "f8"),
    "float4": (">f4", "f4"),
}
_SCALARS = frozenset({20, 21, 23, 700, 701})
"""Type ids of int8, int2, int4, float4 and float8."""


def fetch_columns(
    connection: Connection, query: LiteralString, params: dict[str, Any], types: dict[str, str]
) -> dict[str, Column]:
    """Run a query and return its columns. Their rows are in one common order, which the server chooses.

    Parameters
    ----------
    query : a SELECT whose output columns are named as in `types`; none of them may be NULL.
    types : column name -> int8, int4, int2, float8 or float4, to which it is cast; or bytea.

    Numpy arrays of int64 among the parameters are sent as bigint[], in binary.

    Returns
    -------
    One array a column, all of one length, in native byte order; of a bytea column the bytes of all rows, joined.
    """
    with connection.cursor(binary=True) as cursor:
        cursor.adapters.register_dumper(np.ndarray, _IdsDumper)
        result = cursor.execute(_statement(query, tuple(types.items())), params).pgresult
        assert result is not None
        return {
            name: _decode(result.get_value(0, index), type_name)
            for index, (name, type_name) in enumerate(types.items())
        }


class Arrays(Sequence[Column]):
    """Arrays of one column, a row each, decoded when they are asked for: one by one, or all of them joined."""

    def __init__(self, buffers: list[bytes], type_name: str, *, is_array: bool) -> None:
        self._buffers, self._type, self._is_array = buffers, type_name, is_array

    def __len__(self) -> int:
        return len(self._buffers)

    @overload
    def __getitem__(self, index: int) -> Column: ...
    @overload
    def __getitem__(self, index: slice) -> "Arrays": ...
    def __getitem__(self, index: int | slice) -> "Column | Arrays":
        if isinstance(index, slice):
            return Arrays(self._buffers[index], self._type, is_array=self._is_array)
        return Arrays([self._buffers[index]], self._type, is_array=self._is_array).joined()

    def take(self, rows: list[int]) -> "Arrays":
        """The arrays of these rows, in this order."""
        return Arrays([self._buffers[row] for row in rows], self._type, is_array=self._is_array)

    def sizes(self) -> NDArray[np.int64]:
        """How many values each has."""
        lengths = np.fromiter(map(len, self._buffers), np.int64, len(self._buffers))
        if not self._is_array:
            return np.ones_like(lengths)
        # An array without elements has no dimension, and a shorter header.
        size = 4 + np.dtype(_ELEMENT[self._type][0]).itemsize
        return np.maximum(lengths - _HEADER_BYTES, 0) // size

    def joined(self) -> Column:
        """The values of all, one after the other."""
        wire, native = _ELEMENT[self._type]
        if not self._is_array:
            return np.frombuffer(b"".join(self._buffers), wire).astype(native)
        if any(buffer[_HAS_NULLS] for buffer in self._buffers):
            raise ValueError(f"a {self._type} array has NULLs: coalesce them in the query")
        elements = b"".join([buffer[_HEADER_BYTES:] for buffer in self._buffers])
        return _decode(bytes(_HEADER_BYTES) + elements, self._type)


def fetch_lists(
    connection: Connection, query: LiteralString, params: dict[str, Any], types: dict[str, str]
) -> dict[str, Arrays]:
    """Run a query of array columns and return one array a row for each column, rows in one common order.

    `types`: column name -> the type of its arrays' elements. A column that is no array makes arrays of one value.
    Neither may be NULL, nor may elements be.
    """
    with connection.cursor(binary=True) as cursor:
        cursor.adapters.register_dumper(np.ndarray, _IdsDumper)
        result = cursor.execute(query, params).pgresult
        assert result is not None
        found: dict[str, Arrays] = {}
        for index, (name, type_name) in enumerate(types.items()):
            buffers = [result.get_value(row, index) for row in range(result.ntuples)]
            if None in buffers:
                raise ValueError(f"{name} is NULL in a row: coalesce it in the query")
            is_array = result.ftype(index) not in _SCALARS
            found[name] = Arrays(cast(list[bytes], buffers), type_name, is_array=is_array)
        return found


@cache
def _statement(query: LiteralString, types: tuple[tuple[str, str], ...]) -> bytes:
    # Composed once: a page runs it a dozen times, and psycopg caches its parse of a statement by its bytes.
    aggregates = sql.SQL(", ").join(
        sql.SQL("string_agg({}, ''::bytea)" if type_name == "bytea" else "array_agg({}::{})").format(
            sql.Identifier(name), *(() if type_name == "bytea" else (sql.SQL(type_name),))
        )
        for name, type_name in types
    )
    return sql.SQL("SELECT {} FROM ({}) AS rows").format(aggregates, sql.SQL(query)).as_bytes()


class _IdsDumper(Dumper):
    """Sends int64 arrays of one dimension as bigint[]: for a list psycopg takes 20 times as long."""

    format = Format.BINARY
    oid = 1016  # bigint[]

    def dump(self, obj: Column) -> bytes:
        if obj.dtype != np.int64 or obj.ndim != 1:
            raise TypeError(f"int64 arrays of one dimension only, not {obj.dtype} of {obj.ndim}")
        elements = np.empty(len(obj), [("length", ">i4"), ("value", ">i8")])
        elements["length"], elements["value"] = 8, obj
        dimensions = [len(obj), 1] if len(obj) else []
        header = np.array([1 if len(obj) else 0, 0, 20, *dimensions], ">i4")
        return header.tobytes() + elements.tobytes()


def _decode(buffer: bytes | None, type_name: str) -> Column:
    if type_name == "bytea":
        return np.frombuffer(buffer or b"", np.uint8)
    wire, native = _ELEMENT[type_name]
    if buffer is None:  # array_agg of no rows
        return np.empty(0, native)
    element = np.dtype([("length", ">i4"), ("value", wire)])
    if (len(buffer) - _HEADER_BYTES) % element.itemsize:
        raise ValueError(f"a {type_name} column has NULLs: coalesce them in the query")
    return np.frombuffer(buffer, element, offset=_HEADER_BYTES)["value"].astype(native)
