"""What sites of millions would take on AWS, from runs on smaller ones.

Where the measured points leave room there is a range: from what the growth so far suggests to the worst case.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.figures import MergeFigures, PhasedRun
from benchmarks.parts import BLOCK_USERS
from sitejobs.jobs.job import PAGES_A_CHAPTER
from sitejobs.matching.match_scores.job import JOB
from sitejobs.matching.options import PART_USERS
from sitejobs_local.cost.estimate import work_requests
from sitejobs_local.cost.prices import prices
from sitejobs_local.cost.ranges import Range
from sitejobs_local.cost.steps import chapters_of, requests_of, transitions_of
from sitejobs_local.template.resources import Function
from sitejobs_local.template.template import load_template

ROOT = Path(__file__).resolve().parent.parent

CORES, INSTANCE = 16, "db.r7g.4xlarge"
"""Processors of the database that is assumed, each as fast as one here."""
S3_MB_A_SECOND = 75
"""Between one function and S3, assumed."""
CHAPTER_SECONDS = 3
"""Of Plan, Record and the start of a Map, for each 500 pages, assumed."""
LARGE = 100_000
"""Users from which on growth is extrapolated: on smaller sites everybody is looked at."""

Known = TypeVar("Known", PhasedRun, MergeFigures)


@dataclass(frozen=True)
class Call:
    """One call of a function: seconds of processor time of it and of the database, in all, and MB of memory."""

    functions: Range
    server: Range
    seconds: Range
    mb: float


@dataclass(frozen=True)
class Projection:
    """A whole run. Seconds, MB, GB and dollars.

    parts_seconds : of all parts. lambda_seconds: of all pages, were the database never in the way; database_seconds:
    were the functions never. Dollars are for the template's memory, or what is needed if that is more.
    """

    users: int
    concurrency: int
    parts: int
    pages: int
    page_viewers: int
    storage_mb: float
    part: Call
    merge: Call
    page: Call
    parts_seconds: float
    lambda_seconds: Range
    database_seconds: Range
    rows: float
    database_gb: float
    wal_gb: float
    requests: float
    lambda_dollars: Range
    transition_dollars: float
    s3_dollars: float

    @property
    def pages_seconds(self) -> Range:
        """The slower one of the functions and the database."""
        one, other = self.lambda_seconds, self.database_seconds
        return Range(max(one.low, other.low), max(one.high, other.high))

    @property
    def run_seconds(self) -> Range:
        return self.pages_seconds + self.merge.seconds + self.parts_seconds

    @property
    def wal_mb_a_second(self) -> Range:
        """While pages are written."""
        return Range(*(self.wal_gb * 1000 / seconds for seconds in (self.pages_seconds.high, self.pages_seconds.low)))

    @property
    def dollars(self) -> Range:
        return self.lambda_dollars + (self.transition_dollars + self.s3_dollars)


def project(runs: Sequence[PhasedRun], merges: Sequence[MergeFigures], users: int, concurrency: int) -> Projection:
    """A whole run with the options of the runs but for the concurrency.

    runs : of two sizes at least; the snapshot of the largest was made of parts. merges: of two sizes at least.
    """
    known = sorted(runs, key=lambda run: run.users)
    largest = known[-1]
    growth, parts, pages = users / largest.users, math.ceil(users / PART_USERS), math.ceil(users / largest.page_viewers)
    snapshot = largest.snapshot_bytes * growth
    fetching = snapshot / 2**20 / S3_MB_A_SECOND
    part, merge, page = _part(largest, fetching / parts), _merge(merges, fetching, users), _page(known, users)
    gets, puts = work_requests(snapshot, users, concurrency, parts)
    listed = prices()
    return Projection(
        users=users,
        concurrency=concurrency,
        parts=parts,
        pages=pages,
        page_viewers=largest.page_viewers,
        storage_mb=snapshot / 2**20,
        part=part,
        merge=merge,
        page=page,
        parts_seconds=max(part.seconds.high * math.ceil(parts / concurrency), parts * part.server.high / CORES),
        lambda_seconds=page.seconds * _rounds(pages, concurrency) + (CHAPTER_SECONDS * chapters_of(pages) + fetching),
        database_seconds=page.server * (pages / CORES),
        rows=largest.rows * growth,
        database_gb=largest.table_bytes * growth / 1e9,
        wal_gb=largest.wal_bytes * growth / 1e9,
        requests=gets + puts,
        lambda_dollars=_dollars(parts, part, merge, pages, page, concurrency * fetching),
        transition_dollars=listed["transition"].of(transitions_of(pages, parts)),
        s3_dollars=listed["get"].of(gets) + listed["put"].of(puts),
    )


def functions() -> tuple[Function, Function]:
    """Batch and Plan as the template has them."""
    template = load_template(ROOT / "template.yaml")
    machine = template.state_machine(JOB.entry.name)
    by_handler = {function.handler: function for function in template.functions_of(machine)}
    return by_handler["match_scores.app.batch"], by_handler["match_scores.app.plan"]


def _part(largest: PhasedRun, storing: float) -> Call:
    """As measured: a part is as large on every site."""
    phase = largest.phases["parts"]
    computes, waits = _just(phase.functions / phase.calls), _just(phase.server / phase.calls)
    return Call(computes, waits, computes + waits + storing, phase.peak_mb)


def _merge(merges: Sequence[MergeFigures], fetching: float, users: int) -> Call:
    """Along a line, and the time in which the parts come and the snapshot goes."""
    computes = _just(_line(merges, lambda it: it.seconds, users))
    return Call(computes, _just(0.0), computes + 2 * fetching, _line(merges, lambda it: it.peak_mb, users))


def _page(known: Sequence[PhasedRun], users: int) -> Call:
    """What it computes, and the database, for which it waits: growing on as a power of the size, or along a line."""
    largest, viewers = known[-1], known[-1].page_viewers
    computes = _grown(known, lambda run: run.pages.functions / run.users, users) * viewers
    server = _grown(known, lambda run: run.pages.server / run.users, users) * viewers
    # One segment after the other is in memory, however many there are; of all blocks there are the viewers' bounds.
    more = (users - largest.users) / BLOCK_USERS * largest.search.cell_bytes * viewers / 2**20
    return Call(computes, server, computes + server, largest.pages.own_mb + more)


def _rounds(pages: int, concurrency: int) -> int:
    """How many pages follow each other: each chapter waits for its last ones."""
    whole, rest = divmod(pages, PAGES_A_CHAPTER)
    return whole * math.ceil(PAGES_A_CHAPTER / concurrency) + math.ceil(rest / concurrency)


def _dollars(parts: int, part: Call, merge: Call, pages: int, page: Call, fetching: float) -> Range:
    """Of Lambda: GB-seconds and requests. `fetching`: seconds in which all environments fetch the snapshot."""
    batch, plan = functions()
    batch_gb, plan_gb = max(batch.memory, page.mb, part.mb) / 1024, max(plan.memory, merge.mb) / 1024
    gb_seconds = (page.seconds * pages + part.seconds * parts + fetching) * batch_gb + merge.seconds * plan_gb
    listed = prices()
    return gb_seconds * listed["gb_second"].dollars + listed["request"].of(requests_of(pages, parts))


def _grown(known: Sequence[PhasedRun], value: Callable[[PhasedRun], float], users: int) -> Range:
    """From growth as a power of the users to growth along a line, in either order; as measured where it was.

    A value too small for the processor's clock was measured as nothing, which has no power: the line alone is left.
    """
    if users == known[-1].users:
        return _just(value(known[-1]))
    large = [run for run in known if run.users >= LARGE] if len(known) > 2 else known
    line = _line(large, value, users)
    if any(value(run) <= 0 for run in large):
        return _just(line)
    return Range(*sorted((_power(large, value, users), line)))


def _power(known: Sequence[PhasedRun], value: Callable[[PhasedRun], float], users: int) -> float:
    """Least squares through the logarithms."""
    xs = [math.log(run.users) for run in known]
    ys = [math.log(value(run)) for run in known]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
    return math.exp(y + slope * (math.log(users) - x))


def _line(known: Sequence[Known], value: Callable[[Known], float], users: int) -> float:
    """Linear extrapolation through the two largest, never below the largest one's value beyond it."""
    before, last = sorted(known, key=lambda it: it.users)[-2:]
    slope = (value(last) - value(before)) / (last.users - before.users)
    return value(last) + max(slope, 0.0) * (users - last.users)


def _just(value: float) -> Range:
    return Range(value, value)
