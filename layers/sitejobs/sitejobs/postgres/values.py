"""SQL of usable values of the site's columns: infinity, NaN and other unusable values become NULL."""

from typing import LiteralString

AFTER_ALL_TIMES: LiteralString = "'10000-01-01'"
"""Times from here on, infinity included, count as NULL."""


def moment(column: LiteralString) -> LiteralString:
    """A date or time of the years 1 to 9999, else NULL: Python has no others."""
    return f"CASE WHEN {column} >= '0001-01-01' AND {column} < {AFTER_ALL_TIMES} THEN {column} END"


def of_later_run(time: LiteralString) -> LiteralString:
    """Whether a run that began after this one (at %(now)s) wrote this time. A future time came from a wrong clock."""
    return f"({time} > %(now)s AND {time} <= clock_timestamp())"


def finite(column: LiteralString, kept: LiteralString) -> LiteralString:
    """`kept`, SQL that uses the number, if it is finite; NULL for NaN, infinity and what no double holds."""
    return f"CASE WHEN {column} BETWEEN -1e300 AND 1e300 THEN {kept} END"


def number(column: LiteralString, low: LiteralString = "-1e300", high: LiteralString = "1e300") -> LiteralString:
    """A number of any type as double precision; NULL for NaN, infinity, what no double holds, and out of bounds."""
    return f"""CASE WHEN {column} BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN {column} BETWEEN {low} AND {high} THEN {column}::float8 END"""


def measure(column: LiteralString) -> LiteralString:
    """A number, or a text or enum that is one, as numeric; NULL for words, NaN and infinity."""
    text: LiteralString = f"{column}::text"
    return rf"""CASE WHEN {text} ~ '^[+-]?\d+(\.\d*)?([eE][+-]?\d{{1,3}})?$' AND length({text}) <= 1000
        THEN {text}::numeric END"""
