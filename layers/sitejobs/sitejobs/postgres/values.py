"""Values of the site's columns as SQL: what a type can hold and nobody can use counts as none."""

from typing import LiteralString

AFTER_ALL_TIMES: LiteralString = "'10000-01-01'"
"""From here on a time is none: neither infinity nor the year 10000 is one that anything was made at."""


def moment(column: LiteralString) -> LiteralString:
    """A date or time of the years 1 to 9999, else NULL: infinity is none, and Python knows no others."""
    return f"CASE WHEN {column} >= '0001-01-01' AND {column} < {AFTER_ALL_TIMES} THEN {column} END"


def of_later_run(time: LiteralString) -> LiteralString:
    """Whether a run that began after this one, at %(now)s, wrote this time. A time still to come is a wrong clock's."""
    return f"({time} > %(now)s AND {time} <= clock_timestamp())"


def finite(column: LiteralString, kept: LiteralString) -> LiteralString:
    """`kept`, SQL made of the number, where it is one; NULL for NaN, infinity and what no double holds."""
    return f"CASE WHEN {column} BETWEEN -1e300 AND 1e300 THEN {kept} END"


def number(column: LiteralString, low: LiteralString = "-1e300", high: LiteralString = "1e300") -> LiteralString:
    """A number of any type as double precision; NULL for NaN, infinity, what no double holds, and beyond the bounds."""
    return f"""CASE WHEN {column} BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN {column} BETWEEN {low} AND {high} THEN {column}::float8 END"""
