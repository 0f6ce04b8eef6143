"""Query results as numpy columns.

`array_agg` sent in PostgreSQL's binary format is one buffer a column: numpy reads 2.5 M rows/s of it, where
row by row fetching reaches 0.6 M (measured, PostgreSQL 18 on a laptop-sized machine).
"""

from functools import cache
from typing import Any, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql
from psycopg.adapt import Dumper
from psycopg.pq import Format

Column = NDArray[Any]

# PostgreSQL's binary array: a header of 12 bytes and 8 for its one dimension, then length + value each.
_HEADER_BYTES = 20
_ELEMENT: dict[str, tuple[str, str]] = {
    "int8": (">i8", "i8"),
    "int4": (">i4", "i4"),
    "int2": (">i2", "i2"),
    "float8": (">f8", "f8"),
    "float4": (">f4", "f4"),
}


def fetch_columns(
    connection: Connection, query: LiteralString, params: dict[str, Any], types: dict[str, str]
) -> dict[str, Column]:
    """Run a query and return its columns, rows in one common order of the server's choice.

    Parameters
    ----------
    query : a SELECT whose output columns are named as in `types`; none of them may be NULL.
    types : column name -> int8, int4, int2, float8 or float4: each is cast to it. Or bytea.

    Numpy arrays of int64 among the parameters are sent as bigint[], in binary.

    Returns
    -------
    One array a column, all of one length, in native byte order. Of a bytea column all bytes, one row's after the
    other's.
    """
    with connection.cursor(binary=True) as cursor:
        cursor.adapters.register_dumper(np.ndarray, _IdsDumper)
        result = cursor.execute(_statement(query, tuple(types.items())), params).pgresult
        assert result is not None
        return {
            name: _decode(result.get_value(0, index), type_name)
            for index, (name, type_name) in enumerate(types.items())
        }


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
    """int64 arrays of one dimension as bigint[]: psycopg takes 20 times as long for a list of them."""

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
