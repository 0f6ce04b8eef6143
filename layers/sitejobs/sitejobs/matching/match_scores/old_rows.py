"""Matches of before there were lists: rows of "MatchScoreRow", which the views show of viewers without a list.

A page that writes a viewer's list thereby hides the viewer's rows. Once no viewer needs them, the table goes.
"""

from typing import TYPE_CHECKING, Any, Final, LiteralString

from psycopg import Connection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FORGET: Final[LiteralString] = """SELECT "forgetMatchRows"(%(ids)s)"""
"""Deletes the rows of viewers who have no list to hide them."""

_CAN_DROP: Final[LiteralString] = """
SELECT to_regclass('"MatchScoreRow"') IS NOT NULL AND to_regproc('"dropMatchRows"') IS NOT NULL
"""
"""Whether there is still a table of rows, and the function that drops it."""

_DROP: Final[LiteralString] = """SELECT "dropMatchRows"()"""
"""Drops the table if nobody needs it; returns whether it is gone."""


def forget_rows(connection: Connection, ids: "NDArray[np.int64]") -> None:
    """Remove the rows of viewers who have no matches any more, so that they do not come back."""
    if len(ids):
        connection.execute(_FORGET, {"ids": ids.tolist()})


def drop_rows(connection: Connection) -> bool:
    """Let the table go once every viewer's matches are lists; whether it went. Waits for no reader for long."""
    return _is_true(connection.execute(_CAN_DROP).fetchone()) and _is_true(connection.execute(_DROP).fetchone())


def _is_true(row: tuple[Any, ...] | None) -> bool:
    return row is not None and bool(row[0])
