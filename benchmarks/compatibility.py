"""How long compatibility takes, beside a raw COPY of its rows: `python -m benchmarks.compatibility --users 2000 10000`.

match-scores runs first, on the same site, without pauses: its best matches are most of the targets.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.match_scores import disk
from benchmarks.site import BenchSite, bench_site
from sitejobs.database import connect
from tools.docs import table

JOB = "compatibility"
TABLE = "UserCompatibility"
SIZES = (2000, 10_000)

_EMPTY = """TRUNCATE "UserCompatibility", "UserCompatibilityViewer", "UserCompatibilityInput" """
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
    parser = argparse.ArgumentParser(prog="benchmarks.compatibility", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, nargs="+", default=list(SIZES), help="sizes of the sites")
    parser.add_argument("--seed", type=int, default=1, help="another seed: other sites")
    parser.add_argument("--times", type=int, default=3, help="repetitions of whole runs and raw copies")
    parser.add_argument("--folder", type=Path, default=disk(), help="where the database lives meanwhile: on a disk")
    given = parser.parse_args(arguments)
    print(shown([measure(users, given.seed, given.folder, given.times) for users in given.users]))
    return 0


def measure(users: int, seed: int, folder: Path, times: int) -> Figures:
    """All figures of one size."""
    with bench_site(folder, users, seed) as site:
        site.run("--pauseMs=0")
        runs = [_whole(site) for _ in range(times)]
        raw, row_bytes = site.raw_copies(times, TABLE)
        again = site.command(JOB, "--json")[1]
        nothing = site.command(JOB, "--json", "--incremental")[1]
        with connect(site.url) as connection:
            connection.execute(_CHANGE, {})
        summary, some, _ = site.command(JOB, "--json", "--incremental")
        return Figures(
            users=users,
            rows=runs[-1][0],
            row_bytes=row_bytes,
            raw=median(raw),
            whole=[seconds for _, seconds in runs],
            again=again,
            nothing=nothing,
            some=some,
            some_rows=int(summary["written"]),
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


def _whole(site: BenchSite) -> tuple[int, float]:
    """Rows and seconds of a run from an empty table."""
    with connect(site.url) as connection:
        connection.execute(_EMPTY)
        connection.execute("CHECKPOINT")
    summary, seconds, _ = site.command(JOB, "--json")
    return int(summary["written"]), seconds


if __name__ == "__main__":
    sys.exit(main())
