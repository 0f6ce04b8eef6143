"""Full runs of match-scores by weighted parts (v1) and by a learned model (v2): `make bench ARGS="algorithms ..."`.

    python -m benchmarks algorithms --users 10000 100000

By turns on one site, whose model match-model has learned from the site's own likes.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.beside import Cost, full_run, least, shown
from benchmarks.command import add_sites, command_parser, note
from benchmarks.site import bench_site

SIZES = (10_000,)
ALGORITHMS = ("v1", "v2")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = command_parser("algorithms", __doc__)
    add_sites(parser, SIZES)
    parser.add_argument("--times", type=int, default=1, help="runs of each, of which the least figures count")
    given = parser.parse_args(arguments)
    for users in given.users:
        print(f"{users:,} users\n\n{shown(measure(users, given.seed, given.folder, given.times), {})}\n")
    return 0


def measure(users: int, seed: int, folder: Path, times: int) -> dict[str, Cost]:
    """What a full run takes by each algorithm."""
    costs: dict[str, Cost] = {}
    note(f"{users:,} users: making the site")
    with bench_site(folder, users, seed) as site:
        note("training")
        site.command("match-model", "--json")
        for turn in range(times):
            for name in ALGORITHMS:
                note(f"{name}: full run {turn + 1} of {times}")
                of_algorithm = replace(site, environ={**site.environ, "MATCH_ALGORITHM": name})
                costs[name] = least(costs.get(name), full_run(of_algorithm))
    return costs


if __name__ == "__main__":
    sys.exit(main())
