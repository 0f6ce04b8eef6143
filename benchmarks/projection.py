"""What sites of millions would take on AWS, from the parts measured on smaller ones.

Where the measured points leave room there is a range: from what the growth so far suggests to the worst case.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import SizeFigures
from sitejobs.jobs import PAGES_A_CHAPTER
from sitejobs.matching.match_scores import JOB
from sitejobs.matching.options import MatchScoresOptions
from sitejobs.matching.snapshot_file import READ_BYTES
from sitejobs.matching.world import READY_USERS, SHELF_USERS
from sitejobs_local.template import Function, load_template

ROOT = Path(__file__).resolve().parent.parent
STEPS_A_PAGE = 2
"""Batch, and the end of the page's own execution, to be on the safe side."""
STEPS_A_CHAPTER = 5
"""Plan, Planned?, Pages, Record, More?"""
STEPS_A_RUN = 5


@dataclass(frozen=True)
class Price:
    """Dollars for `unit`."""

    what: str
    unit: str
    dollars: float
    source: str


PRICES_OF = "2026-11-23"
"""List prices of us-east-1 as noted on this day, without free tiers and discounts."""
GB_SECOND = Price("Lambda, x86", "GB-second", 0.0000166667, "https://aws.amazon.com/lambda/pricing/")
REQUEST = Price("Lambda", "million requests", 0.20, "https://aws.amazon.com/lambda/pricing/")
TRANSITION = Price(
    "Step Functions, standard", "million state transitions", 25.0, "https://aws.amazon.com/step-functions/pricing/"
)
GET = Price("S3 GET", "thousand requests", 0.0004, "https://aws.amazon.com/s3/pricing/")
PRICES = (GB_SECOND, REQUEST, TRANSITION, GET)


@dataclass(frozen=True)
class Range:
    """From the lower to the higher estimate."""

    low: float
    high: float

    def __add__(self, more: float) -> "Range":
        return Range(self.low + more, self.high + more)

    def __mul__(self, factor: float) -> "Range":
        return Range(self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Projection:
    """A whole run. Seconds, MB and dollars.

    lambda_seconds : for all pages, were the database never in the way. database_seconds: for all rows at the speed of
        one connection on the machine at hand. Dollars are for the template's memory, or what is needed if that is more.
    """

    users: int
    concurrency: int
    pages: int
    page_cpu: Range
    page_seconds: Range
    plan_seconds: float
    lambda_seconds: Range
    run_seconds: Range
    batch_mb: float
    plan_mb: float
    storage_mb: float
    rows: float
    rows_a_second: float
    database_seconds: float
    database_gb: float
    database_rows_a_second: Range
    lambda_dollars: Range
    transition_dollars: float
    get_dollars: float

    @property
    def dollars(self) -> Range:
        return self.lambda_dollars + (self.transition_dollars + self.get_dollars)


def project(sizes: Sequence[SizeFigures], users: int, concurrency: int) -> Projection | None:
    """A whole run with the default options but for its concurrency; None without two sizes to see growth from."""
    known = sorted(sizes, key=lambda size: size.users)
    if len(known) < 2:
        return None
    largest = known[-1]
    options = MatchScoresOptions()
    growth = users / largest.users
    pages = math.ceil(users / options.batch_size)
    rows, rows_a_second = largest.rows * growth, largest.rows / largest.raw_seconds
    plan_seconds = _line(known, lambda size: size.parts.snapshot_seconds, users)
    page_cpu = _page_cpu(known, users)
    page_seconds = page_cpu + (rows / pages / rows_a_second + options.pause_ms / 1000)
    database_seconds = rows / rows_a_second
    working = page_seconds * (pages / concurrency)
    run_seconds = Range(max(working.low, database_seconds), max(working.high, database_seconds)) + plan_seconds
    snapshot = largest.parts.snapshot_bytes * growth
    chapters = math.ceil(pages / PAGES_A_CHAPTER)
    batch, plan = functions()
    batch_mb, plan_mb = _batch_mb(known, users), _line(known, lambda size: size.plan_peak_kb / 1024, users)
    batch_gb, plan_gb = max(batch.memory, batch_mb) / 1024, max(plan.memory, plan_mb) / 1024
    requests = pages + 2 * chapters + 1
    transitions = STEPS_A_PAGE * pages + STEPS_A_CHAPTER * chapters + STEPS_A_RUN
    gets = concurrency * (snapshot / READ_BYTES + users / SHELF_USERS + 3)
    fixed = plan_seconds * plan_gb * GB_SECOND.dollars + requests / 1e6 * REQUEST.dollars
    return Projection(
        users=users,
        concurrency=concurrency,
        pages=pages,
        page_cpu=page_cpu,
        page_seconds=page_seconds,
        plan_seconds=plan_seconds,
        lambda_seconds=working,
        run_seconds=run_seconds,
        batch_mb=batch_mb,
        plan_mb=plan_mb,
        storage_mb=snapshot / 2**20,
        rows=rows,
        rows_a_second=rows_a_second,
        database_seconds=database_seconds,
        database_gb=rows * largest.row_bytes / 2**30,
        database_rows_a_second=Range(rows / run_seconds.high, rows / run_seconds.low),
        lambda_dollars=page_seconds * (pages * batch_gb * GB_SECOND.dollars) + fixed,
        transition_dollars=transitions / 1e6 * TRANSITION.dollars,
        get_dollars=gets / 1000 * GET.dollars,
    )


def functions() -> tuple[Function, Function]:
    """Batch and Plan as the template has them."""
    template = load_template(ROOT / "template.yaml")
    machine = template.state_machine(JOB.entry.name)
    by_handler = {function.handler: function for function in template.functions_of(machine)}
    return by_handler["app.batch"], by_handler["app.plan"]


def _page_cpu(known: Sequence[SizeFigures], users: int) -> Range:
    """Low: the search's time has grown by a power of the size, and goes on so; the shelves are always ready.

    High: it grows along a line, and every page makes the shelves anew that it touches and cannot keep. Comparing
    bounds grows with the number of blocks in any case, and was measured for as many.
    """
    power = _power(known, users)
    line = _line(known, lambda size: size.parts.page_seconds, users)
    parts = known[-1].parts
    cells = parts.page_viewers * users / MatchScoresOptions().candidate_batch_size * parts.cell_seconds
    low, high = sorted((max(power, cells), max(line, cells)))
    touched = parts.touched * users
    anew = touched * parts.shelf_seconds if touched > READY_USERS else 0.0
    return Range(low, high + anew)


def _batch_mb(known: Sequence[SizeFigures], users: int) -> float:
    """What grows with the candidates that are ready, and the bounds of all blocks. Pages of the mapped file beyond
    those may be dropped by the system, and are not counted."""
    ready = _line(known, lambda size: size.batch_peak_kb / 1024, min(users, READY_USERS))
    parts = known[-1].parts
    cells = parts.page_viewers * users / MatchScoresOptions().candidate_batch_size
    return ready + cells * parts.cell_bytes / 2**20


def _power(known: Sequence[SizeFigures], users: int) -> float:
    """Least squares through the logarithms of the pages' times."""
    xs = [math.log(size.users) for size in known]
    ys = [math.log(size.parts.page_seconds) for size in known]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
    return math.exp(y + slope * (math.log(users) - x))


def _line(known: Sequence[SizeFigures], value: Callable[[SizeFigures], float], users: int) -> float:
    """Along the line through the two largest sites, never below the largest one's."""
    before, last = known[-2], known[-1]
    slope = (value(last) - value(before)) / (last.users - before.users)
    return value(last) + max(slope, 0.0) * (users - last.users)
