"""Times in SQL: those that a site's row may hold and nobody can show, and those that a wrong clock has written."""

from typing import LiteralString

AFTER_ALL_TIMES: LiteralString = "'10000-01-01'"
"""From here on a time is none: neither infinity nor the year 10000 is one that anything was made at."""


def usable(time: LiteralString) -> LiteralString:
    """The time, NULL if it is infinite or outside the years 1 to 9999, which Python cannot read."""
    return f"CASE WHEN {time} >= '0001-01-01' AND {time} < {AFTER_ALL_TIMES} THEN {time} END"


def of_later_run(time: LiteralString) -> LiteralString:
    """Whether a run that began after this one wrote this time; one that is still to come was a wrong clock's."""
    return f"({time} > %(now)s AND {time} <= clock_timestamp())"
