"""A snapshot in parts at sizes that no site here has: `make bench ARGS=merge`.

    python -m benchmarks merge --users 500000 1000000 4000000

Parts of random columns are encoded and stored, then merged, each size in a process of its own with one thread. The
figures are kept in benchmarks/kept/merge.json: the projection to millions of users is made of them.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.columns import random_columns
from benchmarks.command import KEPT, command_parser, note, tell
from benchmarks.figures import MergeFigures
from benchmarks.hourly import Folder
from benchmarks.site import in_one_thread, own_environ
from benchmarks.watching import own_peak_mb
from sitejobs.matching.options import PART_USERS, MatchScoresOptions
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.merging import merge_parts
from sitejobs.matching.snapshot.parts import store_part
from tools.docs import table

SIZES = (500_000, 1_000_000, 4_000_000)
PART = "snapshot parts"
FILE = KEPT / "merge.json"
_NOW = 1.71e9


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print, and with the standard sizes keep the figures and write the table; returns the exit status."""
    parser = command_parser("merge", __doc__)
    parser.add_argument("--users", type=int, nargs="+", default=list(SIZES), help="numbers of users, in growing order")
    parser.add_argument("--part-users", type=int, default=PART_USERS, help="users of a part")
    given = parser.parse_args(arguments)
    figures = measure(given.users, given.part_users, given.folder)
    standard = (tuple(given.users), given.part_users) == (SIZES, PART_USERS)
    if standard:
        FILE.write_text(json.dumps([asdict(it) for it in figures], indent=1) + "\n")
    tell(shown(figures), PART, standard=standard)
    return 0


def kept_merges() -> list[MergeFigures]:
    """The figures that are kept."""
    return [MergeFigures(**value) for value in json.loads(FILE.read_text())]


def measure(sizes: Sequence[int], part_users: int, folder: Path) -> list[MergeFigures]:
    """The figures of each size. A larger one begins with the parts of the one before."""
    found, there = [], 0
    with tempfile.TemporaryDirectory(dir=folder) as work:
        for users in sizes:
            note(f"{users:,} users: parts, then their merge")
            parts = users // part_users
            part = _in_a_process("part", work, there, parts, part_users)
            merge = _in_a_process("merge", work, 0, parts, part_users)
            seconds = part["seconds"] / (parts - there)
            file_bytes = int(merge["file_bytes"])
            found.append(
                MergeFigures(users, parts, seconds, part["peak_mb"], merge["seconds"], merge["peak_mb"], file_bytes)
            )
            there = parts
    return found


def shown(figures: Sequence[MergeFigures]) -> str:
    """A row a size."""
    head = ("users", "parts", "encode and store a part", "a part's peak", "merge, processor", "merge, peak", "file")
    return table(
        head,
        [
            (
                f"{it.users:,}",
                f"{it.parts:,}",
                f"{it.part_seconds:.1f} s",
                f"{it.part_peak_mb:,.0f} MB",
                f"{it.seconds:.1f} s",
                f"{it.peak_mb:,.0f} MB",
                f"{it.file_bytes / 2**20:,.0f} MB",
            )
            for it in figures
        ],
    )


def _in_a_process(step: str, *given: object) -> dict[str, float]:
    """Run a step alone, so that its peak is its own."""
    return in_one_thread("benchmarks.merging", step, *map(str, given), environ=own_environ())


def _part(store: Folder, first: int, stop: int, part_users: int) -> float:
    """Seconds of processor time to encode and store the parts first..stop-1."""
    seconds = 0.0
    for number in range(first, stop):
        columns = random_columns(number * part_users + 1, part_users)
        started = time.process_time()
        store_part(store, _key(number), columns, _NOW, Parameters())
        seconds += time.process_time() - started
    return seconds


def _merge(store: Folder, path: Path, parts: int) -> float:
    """Seconds of processor time to merge so many parts into `path`."""
    started, nobody = time.process_time(), np.empty(0, np.int64)
    block_users = MatchScoresOptions().candidate_batch_size
    merge_parts(store, [_key(number) for number in range(parts)], path, nobody, _NOW, Parameters(), block_users)
    return time.process_time() - started


def _key(number: int) -> str:
    return f"part-{number}"


def _step(arguments: Sequence[str]) -> int:
    """A step in its own process: prints its figures as JSON."""
    step, work, first, stop, part_users = arguments[0], Path(arguments[1]), *map(int, arguments[2:])
    store, path = Folder(work), work / "merged"
    seconds = _part(store, first, stop, part_users) if step == "part" else _merge(store, path, stop)
    size = path.stat().st_size if path.exists() else 0
    print(json.dumps({"seconds": seconds, "peak_mb": own_peak_mb(), "file_bytes": size}))
    return 0


PARTS: dict[str, Callable[[Sequence[MergeFigures]], str]] = {PART: shown}
"""The marked part of the page, and what makes it."""


if __name__ == "__main__":
    sys.exit(_step(sys.argv[1:]))
