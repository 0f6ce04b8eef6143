"""Values of the site's columns as SQL: what a type can hold and nobody can use counts as none."""

from typing import LiteralString


def moment(column: LiteralString) -> LiteralString:
    """A date or time of the years 1 to 9999, else NULL: infinity is none, and Python knows no others."""
    return f"CASE WHEN {column} >= '0001-01-01' AND {column} < '10000-01-01' THEN {column} END"


def number(column: LiteralString) -> LiteralString:
    """A number of any type as double precision, NULL for NaN, infinity and what no double holds."""
    return f"""CASE WHEN {column} BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN {column} BETWEEN -1e300 AND 1e300 THEN {column}::float8 END"""
