"""What the benchmarks' commands have in common: where they measure, what they keep, how they tell of it."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.docs import renewed

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
KEPT = ROOT / "benchmarks" / "kept"
"""Figures that take long to measure, kept with the code: others are made of them."""


def command_parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """A parser of `benchmarks NAME`, told by the first line of `about`, that knows --folder."""
    parser = argparse.ArgumentParser(prog=f"benchmarks {name}", description=(about or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=disk(), help="where the database lives meanwhile: on a disk")
    return parser


def add_sites(parser: argparse.ArgumentParser, sizes: Sequence[int]) -> None:
    """Add the options of a command that measures sites of several sizes."""
    parser.add_argument("--users", type=int, nargs="+", default=list(sizes), help="sizes of the sites")
    parser.add_argument("--seed", type=int, default=1, help="another seed: other sites")


def tell(content: str, part: str, *, standard: bool) -> None:
    """Print a table; if it is of the standard sizes, write it into the page's marked part."""
    print(content)
    if standard:
        PAGE.write_text(renewed(PAGE.read_text(), part, content))
        note(f"written to {PAGE}")


def keep_results(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the options of a command that keeps its figures in a file, to render them again."""
    results = ROOT / "build" / "benchmarks" / f"{name}.json"
    parser.add_argument("--results", type=Path, default=results, help="file that keeps the figures")
    parser.add_argument("--render", action="store_true", help="measure nothing: write what is in --results again")
    parser.add_argument("--docs", type=Path, help="page with the marked parts to write the tables into")


def disk() -> Path:
    """A temporary folder that is not kept in memory where there is one."""
    folder = Path("/var/tmp")
    return folder if folder.is_dir() else Path(tempfile.gettempdir())


def note(text: str) -> None:
    """Tell a person who waits what is under way."""
    print(text, file=sys.stderr, flush=True)
