"""Tables as PostgreSQL's binary COPY stream, a chunk of rows at a time, without a Python loop over rows."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.model import Column, Kind, Table

# https://www.postgresql.org/docs/current/sql-copy.html: signature, flags, length of the header's extension.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
ROWS_PER_CHUNK = 65_536

_EPOCH = np.datetime64("2000-01-01")
_NEGATIVE = 0x4000

Bytes = NDArray[np.uint8]


def encoded(table: Table, rows_per_chunk: int = ROWS_PER_CHUNK) -> Iterator[tuple[int, bytes]]:
    """The table's rows as COPY tuples, without header and trailer.

    Yields
    ------
    (number of rows, their bytes) : at most `rows_per_chunk` rows each.
    """
    for start in range(0, table.rows, rows_per_chunk):
        stop = min(start + rows_per_chunk, table.rows)
        yield stop - start, _chunk(table, start, stop)


def _chunk(table: Table, start: int, stop: int) -> bytes:
    """Rows start..stop-1: for each row the number of fields, then each field's length and bytes."""
    fields = [_field(column, start, stop) for column in table.columns.values()]
    sizes = np.full(stop - start, 2, dtype=np.int64)
    for lengths, _ in fields:
        sizes += 4 + np.maximum(lengths, 0)
    ends = np.cumsum(sizes)
    out = np.empty(int(ends[-1]), dtype=np.uint8)
    at = ends - sizes
    at = _put(out, at, _big_endian(np.full(stop - start, len(fields)), ">i2"))
    for lengths, flat in fields:
        at = _put(out, at, _big_endian(lengths, ">i4"))
        at = _put_ragged(out, at, lengths, flat)
    return out.tobytes()


def _put(out: Bytes, at: NDArray[np.int64], payload: Bytes) -> NDArray[np.int64]:
    """Write one row of `payload` (rows x width) at each position; return the positions behind them."""
    width = payload.shape[1]
    out[at[:, None] + np.arange(width)] = payload
    behind: NDArray[np.int64] = at + width
    return behind


def _put_ragged(out: Bytes, at: NDArray[np.int64], lengths: NDArray[np.int64], flat: Bytes) -> NDArray[np.int64]:
    """Write consecutive pieces of `flat` at the positions; lengths are given, -1 for none."""
    widths = np.maximum(lengths, 0)
    sources = np.cumsum(widths) - widths
    out[np.repeat(at - sources, widths) + np.arange(len(flat))] = flat
    return at + widths


def _field(column: Column, start: int, stop: int) -> tuple[NDArray[np.int64], Bytes]:
    """The lengths of a column's values (-1: null), and the bytes of those that are not null, end to end."""
    values = column.values[start:stop]
    if column.kind in (Kind.TEXT, Kind.JSON):
        return _texts(values, b"\x01" if column.kind is Kind.JSON else b"")
    if column.present is None:
        payload = _FIXED[column.kind](values)
        return np.full(len(values), payload.shape[1], dtype=np.int64), payload.ravel()
    present = column.present[start:stop]
    payload = _FIXED[column.kind](values[present])
    return np.where(present, payload.shape[1], -1).astype(np.int64), payload.ravel()


def _texts(values: NDArray[Any], prefix: bytes) -> tuple[NDArray[np.int64], Bytes]:
    """Texts in UTF-8; `prefix` is jsonb's version byte."""
    pieces = [None if value is None else prefix + value.encode() for value in values.tolist()]
    lengths = np.array([-1 if piece is None else len(piece) for piece in pieces], dtype=np.int64)
    return lengths, np.frombuffer(b"".join(filter(None, pieces)), dtype=np.uint8)


def _big_endian(values: NDArray[Any], dtype: str) -> Bytes:
    """Numbers in network order, one row of bytes each."""
    array = np.ascontiguousarray(values.astype(dtype))
    return array.view(np.uint8).reshape(len(array), array.dtype.itemsize)


def _numeric(hundredths: NDArray[Any]) -> Bytes:
    """numeric: two base-10000 digits, one before and one behind the point, sign and scale."""
    magnitude = np.abs(hundredths)
    signs = np.where(hundredths < 0, _NEGATIVE, 0)
    words = np.stack(
        [
            np.full_like(magnitude, 2),
            np.zeros_like(magnitude),
            signs,
            np.full_like(magnitude, 2),
            magnitude // 100,
            magnitude % 100 * 100,
        ],
        axis=1,
    )
    return _big_endian(words.ravel(), ">i2").reshape(len(magnitude), 12)


_FIXED: dict[Kind, Callable[[NDArray[Any]], Bytes]] = {
    Kind.BIGINT: lambda values: _big_endian(values, ">i8"),
    Kind.INTEGER: lambda values: _big_endian(values, ">i4"),
    Kind.DOUBLE: lambda values: _big_endian(values, ">f8"),
    Kind.BOOLEAN: lambda values: _big_endian(values, "u1"),
    Kind.TIMESTAMP: lambda values: _big_endian((values.astype("M8[us]") - _EPOCH).astype(np.int64), ">i8"),
    Kind.DATE: lambda values: _big_endian((values.astype("M8[D]") - _EPOCH).astype(np.int64), ">i4"),
    Kind.HUNDREDTHS: _numeric,
}
