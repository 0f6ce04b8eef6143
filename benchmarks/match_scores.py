"""How long match-scores takes, beside what the machine can do: `make bench`.

    python -m benchmarks.match_scores --users 2000 10000 50000 100000 --seed 1

Everything of a size is measured in one go on one embedded PostgreSQL with the settings as shipped. With the standard
sizes the tables go into docs/benchmarks.md, else they are only printed.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.command import PAGE, add_sites, command_parser, keep_results, note
from benchmarks.figures import Figures, SizeFigures
from benchmarks.machine import describe_machine
from benchmarks.phases import phased_run, scheduled_options
from benchmarks.report import PARTS
from benchmarks.site import bench_site
from tools.docs import renewed

SIZES = (2000, 10_000, 50_000, 100_000)
FOR_SURE = 10_000
"""Sites up to this size are run `TIMES` times, and medians reported; larger ones once."""
TIMES = 3
SINGLE_USERS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the tables; returns the exit status."""
    given = _parser().parse_args(arguments)
    given.results.parent.mkdir(parents=True, exist_ok=True)
    if given.render:
        figures = Figures.from_json(json.loads(given.results.read_text()))
    else:
        figures = run(given.users, given.seed, given.folder, given.results, given.times)
    contents = {name: make(figures) for name, make in PARTS.items()}
    print("\n\n".join(contents.values()))
    page = given.docs or (PAGE if given.render or tuple(given.users) == SIZES else None)
    if page is not None:
        text = page.read_text()
        for name, content in contents.items():
            text = renewed(text, name, content)
        page.write_text(text)
        note(f"written to {page}")
    return 0


def run(
    sizes: Sequence[int],
    seed: int,
    folder: Path,
    results: Path,
    times: int | None = None,
    single_users: int = SINGLE_USERS,
    variables: Mapping[str, str] | None = None,
) -> Figures:
    """Measure each size; what is done is kept in the file `results`, should a later one fail.

    `variables`: more for the environment of all commands.
    """
    figures = Figures(describe_machine(), seed, [])
    for users in sizes:
        of_this_size = times or (TIMES if users <= FOR_SURE else 1)
        figures.sizes.append(measure(users, seed, folder, of_this_size, single_users, variables))
        results.write_text(json.dumps(figures.to_json(), indent=1))
    return figures


def measure(
    users: int, seed: int, folder: Path, times: int, single_users: int, variables: Mapping[str, str] | None = None
) -> SizeFigures:
    """All figures of one size."""
    note(f"{users:,} users: making the site")
    with bench_site(folder, users, seed, variables) as site:
        note("whole runs")
        whole = [site.whole_run() for _ in range(times)]
        note("the same rows raw")
        raw, row_bytes = site.raw_copies(times)
        note("a whole run as scheduled, phase by phase")
        scheduled = phased_run(site.environ, users, scheduled_options())
        # Before the runs for one user: an incremental run computes those users anew.
        note("incremental runs")
        changes = site.changes(seed, users)
        note("runs for one user")
        user = site.single_users(seed, single_users)
        note("parts, one by one")
        parts = site.parts()
        return SizeFigures(users, site.load_seconds, whole, scheduled, raw, row_bytes, user, changes, parts)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("match-scores", __doc__)
    add_sites(parser, SIZES)
    parser.add_argument("--times", type=int, help=f"repetitions, else {TIMES} up to {FOR_SURE:,} users and 1 beyond")
    keep_results(parser, "match-scores")
    return parser


if __name__ == "__main__":
    sys.exit(main())
