"""Stops runs that would remove much of what is stored: its source is more often unreadable than gone.

A job says in SQL how many of its stored rows have lost their source. Plan counts them before anything is removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from sitejobs.errors import SuspiciousLoss
from sitejobs.jobs.job import Resources, Run
from sitejobs.options import PagedOptions

LEAST_ROWS: Final = 100
"""Fewer rows than this may always be removed: a large share of a small table is little."""

SAMPLE: Final = 1000
"""Users whose stored rows are read where reading everyone's would take as long as the job itself."""

_BEGIN: Final[LiteralString] = """SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL jit = off"""


@dataclass(frozen=True)
class Loss:
    """The rows of a table that a run would remove because their source has gone.

    Attributes
    ----------
    rows : what the rows are called, the table's name first.
    count : SQL of one row of two numbers: the stored rows without a source, and all stored rows. It may use the job's
        parameters. Rows removed by age, by an option or for a new algorithm version are intended: they do not count.
    """

    rows: str
    count: LiteralString


def lost(table: LiteralString, source: LiteralString, *, only: LiteralString = "true", name: str | None = None) -> Loss:
    """The rows `s` of a table for which the query `source` has no row; `only`: a condition on the rows counted."""
    return Loss(
        name or table,
        f"""
        SELECT (SELECT count(*) FROM "{table}" s WHERE {only} AND NOT EXISTS ({source})),
               (SELECT count(*) FROM "{table}" s WHERE {only})
        """,
    )


def guard(resources: Resources, run: Run, options: PagedOptions, losses: Sequence[Loss], values: Any) -> None:
    """Stop a run for everyone that would remove more than MAX_LOSS_PERCENT of a table's rows.

    Raises
    ------
    SuspiciousLoss : names job, table, how many rows would go of how many, and how to allow it.
    """
    if not losses or options.allow_loss:
        return
    percent = resources.max_loss_percent
    connection = resources.database.connection()
    with connection.transaction():
        connection.execute(_BEGIN)
        for loss in losses:
            row = connection.execute(loss.count, values).fetchone()
            assert row is not None  # counts are always one row
            gone, held = map(int, row)
            if gone >= LEAST_ROWS and gone * 100 > percent * held:
                raise SuspiciousLoss(
                    f"{run.job} would remove {gone:,} of the {held:,} rows of {loss.rows}, since what they were made of"
                    f" has gone or cannot be read: more than MAX_LOSS_PERCENT={percent} allows. Nothing was removed."
                    f" If it is meant, run it once with --allowLoss (allowLoss: true)"
                )
