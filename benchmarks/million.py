"""A whole run of match-scores on sites that take long, for real: `make bench ARGS=million`.

    python -m benchmarks million --users 100000 1000000 --seed 1

The run has the options of the stack's daily schedule, its functions are processes on this machine. With the standard
sizes the figures are kept in benchmarks/kept/million.json: the projection is made of them. With --home there is one
site, which stays there.
"""

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.command import KEPT, add_sites, command_parser, note, tell
from benchmarks.figures import Millions, PhasedRun
from benchmarks.machine import describe_machine
from benchmarks.merging import kept_merges
from benchmarks.phases import phased_run, scheduled_options
from benchmarks.projection_table import projected
from benchmarks.sampled import sampled_run
from benchmarks.site import BenchSite, bench_site, kept_site
from tools.docs import table

SIZES = (100_000, 1_000_000)
FILE = KEPT / "million.json"
_PHASES = {
    "plan": "Plan cuts parts, or takes the snapshot of a small site",
    "parts": "a part of the snapshot",
    "merge": "Plan merges the parts",
    "pages": "pages",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print, and with --keep keep the figures and write the tables; returns the exit status."""
    parser = command_parser("million", __doc__)
    add_sites(parser, SIZES)
    parser.add_argument("--home", type=Path, help="folder of one site that stays, made if there is none")
    parser.add_argument("--pages", type=int, default=0, help="take so many pages alone, from all over the site")
    parser.add_argument("--keep", action="store_true", help="keep the figures, beside those of other sizes")
    parser.add_argument("--beside", default="nothing", help="what else the machine did meanwhile, for the table")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the table of what is kept")
    given = parser.parse_args(arguments)
    if given.render:
        return _tell(kept_runs(), keep=True)
    keep = given.keep or tuple(given.users) == SIZES
    figures = kept_runs() if keep else Millions({}, "nothing", [])
    for users in given.users:
        note(f"{users:,} users")
        with _site(given.home, given.folder, users, given.seed) as site:
            options = scheduled_options()
            if given.pages:
                run = sampled_run(site.url, site.environ, users, options, given.pages, given.folder)
            else:
                run = phased_run(site.environ, users, options)
        figures = replace(figures.with_run(run), machine=describe_machine(), beside=given.beside)
    if keep:
        FILE.write_text(json.dumps(asdict(figures), indent=1) + "\n")
    return _tell(figures, keep=keep)


def _site(home: Path | None, folder: Path, users: int, seed: int) -> AbstractContextManager[BenchSite]:
    return bench_site(folder, users, seed) if home is None else kept_site(home, users, seed)


def kept_runs() -> Millions:
    """The figures that are kept; none before the first time."""
    if not FILE.exists():
        return Millions({}, "nothing", [])
    return Millions.from_json(json.loads(FILE.read_text()))


def shown(figures: Millions) -> str:
    """A row a phase of each size, and what there is at the end."""
    head = (
        "users", "phase", "calls", "time", "a call, the longest", "processor of the functions", "of the server",
        "a function's memory", "its own",
    )  # fmt: skip
    phases = [
        (
            _size(run),
            _PHASES[name],
            f"{it.calls:,}",
            _time(it.seconds),
            f"{it.call_seconds:.1f} s, {it.longest_seconds:.1f} s",
            f"{it.functions:,.0f} s",
            f"{it.server:,.0f} s",
            f"{it.peak_mb:,.0f} MB",
            f"{it.own_mb:,.0f} MB",
        )
        for run in (*figures.runs, *figures.samples)
        for name, it in run.phases.items()
    ]
    whole = (
        "users", "whole run", "viewers with matches", "rows", "write-ahead log", "tables of match-scores",
        "whole database", "snapshot", "the server's memory",
    )  # fmt: skip
    if not figures.newest:
        return "None is kept."
    machine = f"{figures.machine['processor']}, {figures.machine['memory']}, {figures.machine['date']}"
    return "\n\n".join(
        [
            table(whole, [_whole(run) for run in (*figures.runs, *figures.samples)]),
            table(head, phases),
            f"The last one on {machine}. What else it did meanwhile: {figures.beside}.",
        ]
    )


def _whole(run: PhasedRun) -> tuple[str, ...]:
    return (
        _size(run),
        f"not run: {run.sampled_pages} pages of it" if run.sampled_pages else _time(run.seconds),
        f"{run.viewers:,}",
        f"{run.rows:,}",
        f"{run.wal_bytes / 1e9:.1f} GB",
        f"{run.table_bytes / 1e9:.1f} GB",
        f"{run.database_bytes / 1e9:.1f} GB",
        f"{run.snapshot_bytes / 1e6:,.0f} MB",
        f"{run.server_mb:,.0f} MB",
    )


def _size(run: PhasedRun) -> str:
    return f"{run.users:,}{', a sample' if run.sampled_pages else ''}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _projection(figures: Millions) -> str:
    """Millions of users on AWS."""
    runs = figures.newest
    if len(runs) < 2 or "parts" not in runs[-1].phases:
        return "There is no projection: it takes two runs, the larger one with its snapshot made of parts."
    return projected(runs, kept_merges())


PARTS: dict[str, Callable[[Millions], str]] = {"million": shown, "projection": _projection}
"""The marked parts of the page, and what makes them."""


def _tell(figures: Millions, *, keep: bool) -> int:
    for name, make in PARTS.items():
        tell(make(figures), name, standard=keep)
    return 0


if __name__ == "__main__":
    sys.exit(main())
