"""What sites of millions would take on AWS, from the parts measured on smaller ones.

Where the measured points leave room there is a range: from what the growth so far suggests to the worst case.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import SizeFigures
from sitejobs.matching.match_scores.job import JOB
from sitejobs.matching.options import MatchScoresOptions
from sitejobs.matching.snapshot.candidates import READY_USERS
from sitejobs_local.cost.estimate import snapshot_gets
from sitejobs_local.cost.prices import prices
from sitejobs_local.cost.ranges import Range
from sitejobs_local.cost.steps import requests_of, transitions_of
from sitejobs_local.template.resources import Function
from sitejobs_local.template.template import load_template

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Projection:
    """A whole run. Seconds, MB and dollars.

    lambda_seconds : for all pages without waiting for the database. database_seconds: for all rows at the speed of
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
    batch, plan = functions()
    batch_mb, plan_mb = _batch_mb(known, users), _line(known, lambda size: size.plan_peak_kb / 1024, users)
    batch_gb, plan_gb = max(batch.memory, batch_mb) / 1024, max(plan.memory, plan_mb) / 1024
    gets = snapshot_gets(snapshot, users, concurrency)
    listed = prices()
    a_gb_second = listed["gb_second"].dollars
    fixed = plan_seconds * plan_gb * a_gb_second + listed["request"].of(requests_of(pages))
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
        lambda_dollars=page_seconds * (pages * batch_gb * a_gb_second) + fixed,
        transition_dollars=listed["transition"].of(transitions_of(pages)),
        get_dollars=listed["get"].of(gets),
    )


def functions() -> tuple[Function, Function]:
    """Batch and Plan as the template has them."""
    template = load_template(ROOT / "template.yaml")
    machine = template.state_machine(JOB.entry.name)
    by_handler = {function.handler: function for function in template.functions_of(machine)}
    return by_handler["match_scores.app.batch"], by_handler["match_scores.app.plan"]


def _page_cpu(known: Sequence[SizeFigures], users: int) -> Range:
    """Low: the search's time grows on as a power of the size; the segments are always ready.

    High: it grows linearly, and every page makes anew the segments that it touches and cannot keep. Comparing
    bounds grows with the number of blocks in any case, and was measured for as many.
    """
    power = _power(known, users)
    line = _line(known, lambda size: size.parts.page_seconds, users)
    parts = known[-1].parts
    cells = parts.page_viewers * users / MatchScoresOptions().candidate_batch_size * parts.cell_seconds
    low, high = sorted((max(power, cells), max(line, cells)))
    touched = parts.touched * users
    anew = touched * parts.segment_seconds if touched > READY_USERS else 0.0
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
    """Linear extrapolation through the two largest sites, never below the largest one's value."""
    before, last = known[-2], known[-1]
    slope = (value(last) - value(before)) / (last.users - before.users)
    return value(last) + max(slope, 0.0) * (users - last.users)
