"""How long compatibility takes, beside a raw COPY of its rows: `make bench ARGS=compatibility`.

    python -m benchmarks compatibility --users 10000 --seed 1

Executions on a warm machine, from start to end, with the default options. match-scores runs first, on the same site:
its best matches are most of the targets.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.command import add_sites, command_parser, note, tell
from benchmarks.keyed_jobs import Benched, empty, settle, warm_machine
from benchmarks.site import bench_site
from sitejobs.postgres.connection import connect
from tools.docs import table

TABLE = "UserCompatibility"
JOB = Benched("compatibility", (TABLE, "UserCompatibilityViewer", "UserCompatibilityInput"), ())
SIZES = (10_000,)
PART = "compatibility"

_CHANGE = """
DELETE FROM "UserInterest" i USING (
    SELECT "userId", min("interestId") AS "interestId" FROM "UserInterest" WHERE "userId" %% 100 = 0 GROUP BY 1
) lost WHERE i."userId" = lost."userId" AND i."interestId" = lost."interestId"
"""


@dataclass(frozen=True)
class Figures:
    """One site's, in seconds. whole: from an empty table; again: a full run over rows as they should be; nothing and
    some: incremental runs with nothing changed, and with an interest less for a hundredth of the users."""

    users: int
    rows: int
    row_bytes: float
    raw: float
    whole: list[float]
    again: float
    nothing: float
    some: float
    some_rows: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = command_parser("compatibility", __doc__)
    add_sites(parser, SIZES)
    parser.add_argument("--times", type=int, default=3, help="repetitions of whole runs and raw copies")
    given = parser.parse_args(arguments)
    content = shown([measure(users, given.seed, given.folder, given.times) for users in given.users])
    tell(content, PART, standard=tuple(given.users) == SIZES)
    return 0


def measure(users: int, seed: int, folder: Path, times: int) -> Figures:
    """All figures of one size."""
    note(f"{users:,} users: making the site")
    with bench_site(folder, users, seed) as site, connect(site.url) as connection:
        site.run("--pauseMs=0")
        connection.execute("VACUUM (ANALYZE)")
        note(JOB.name)
        with warm_machine(site, JOB) as machine:
            machine.run(userId=1)  # starts the functions' processes
            whole, raw = [], []
            for _ in range(times):  # by turns: the machine's own speed drifts
                empty(connection, JOB)
                whole.append(machine.timed())
                copies, row_bytes = site.raw_copies(1, TABLE, TABLE)
                raw += copies
            settle(connection, JOB)
            again, _ = machine.timed()
            settle(connection, JOB)
            nothing, _ = machine.timed(incremental=True)
            connection.execute(_CHANGE, {})
            some, some_rows = machine.timed(incremental=True)
    return Figures(
        users=users,
        rows=whole[-1][1],
        row_bytes=row_bytes,
        raw=median(raw),
        whole=[seconds for seconds, _ in whole],
        again=again,
        nothing=nothing,
        some=some,
        some_rows=some_rows,
    )


def shown(sizes: Sequence[Figures]) -> str:
    """The figures as a Markdown table."""
    head = ("users", "rows", "bytes a row", "raw COPY", "whole run", "x raw", "again", "nothing changed", "1 % changed")
    rows = [
        (
            f"{it.users:,}",
            f"{it.rows:,}",
            f"{it.row_bytes:.0f}",
            f"{it.raw:.1f} s",
            f"{median(it.whole):.1f} s ({min(it.whole):.1f} to {max(it.whole):.1f})",
            f"{median(it.whole) / it.raw:.1f}",
            f"{it.again:.1f} s",
            f"{it.nothing:.1f} s",
            f"{it.some:.1f} s, {it.some_rows:,} rows",
        )
        for it in sizes
    ]
    return table(head, rows)


PARTS = {PART: shown}
"""The marked part of the page, and what makes it."""


if __name__ == "__main__":
    sys.exit(main())
