"""What a dry run should find, computed plainly, and what it must leave alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection, sql

from sitejobs.aliases import JsonObject

RECORDS = {"JobRun", "JobRunFailedPage"}
"""A dry run is recorded like any other; all other tables stay as they are."""

Lists = Mapping[int, Sequence[Any]]

_TABLES = """
SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1
"""


def contents(connection: Connection) -> dict[str, list[str]]:
    """Every row of every table with the transaction that wrote it, except those that record runs."""
    tables = [name for (name,) in connection.execute(_TABLES) if name not in RECORDS]
    assert len(tables) > 40
    query = sql.SQL("SELECT t.xmin::text || t::text FROM {} t ORDER BY 1")
    return {
        name: [row for (row,) in connection.execute(query.format(sql.Identifier(name)))] for name in tables
    }  # fmt: skip


def differences(stored: Lists, new: Lists, users: Sequence[int], written: int) -> JsonObject:
    """The summary of a dry run that looked at these users."""
    pairs = [(list(stored.get(user, ())), list(new.get(user, ()))) for user in users]
    both = [(old, now) for old, now in pairs if old and now]
    shifts = [abs(old.index(item) - now.index(item)) for old, now in pairs for item in now if item in old]
    first = [(set(old[:10]), set(now[:10])) for old, now in both]
    places = sum(max(len(old), len(now)) for old, now in first)
    return {
        "lists": len(pairs),
        "changed": sum(old != now for old, now in pairs),
        "appearing": sum(bool(now) and not old for old, now in pairs),
        "vanishing": sum(bool(old) and not now for old, now in pairs),
        "rows": {
            "stored": sum(len(old) for old, _ in pairs),
            "new": sum(len(now) for _, now in pairs),
            "entering": sum(len(set(now) - set(old)) for old, now in pairs),
            "leaving": sum(len(set(old) - set(now)) for old, now in pairs),
            "written": written,
        },
        "overlapAt10": _share(sum(len(old & now) for old, now in first), places),
        "otherFirst": sum(old[0] != now[0] for old, now in both),
        "mostlyOther": sum(2 * len(old & now) < max(len(old), len(now)) for old, now in first),
        "rankShift": {
            "mean": _share(sum(shifts), len(shifts)),
            "none": shifts.count(0),
            "upTo5": sum(0 < shift <= 5 for shift in shifts),
            "upTo20": sum(5 < shift <= 20 for shift in shifts),
            "more": sum(shift > 20 for shift in shifts),
        },
    }


def _share(part: int, whole: int) -> Any:
    return round(part / whole, 4) if whole else None
