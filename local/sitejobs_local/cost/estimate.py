"""Time and costs of a run of each job on a site of a given size, and of a month of the schedules.

Counts (pages, state transitions, requests) follow from the definition; seconds are extrapolated from those measured on
two smaller sites. Lambda gives a function with less than 1,769 MB only part of a processor. The lower estimate takes
all of its time for waiting, which memory does not change, the higher one for computing.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sitejobs.jobs.entry import JobEntry
from sitejobs.jobs.keyed import LOOK, SCAN, ranges_a_page
from sitejobs_local.cost.prices import Prices
from sitejobs_local.cost.ranges import Range
from sitejobs_local.cost.rates import Rates, RunRate, SizeRate
from sitejobs_local.cost.schedules import Schedule
from sitejobs_local.cost.steps import chapters_of, requests_of, transitions_of
from sitejobs_local.template.resources import Function, Template

WHOLE_CORE_MB = 1769
"""Memory with which a function has one processor."""
METRICS_A_JOB, METRICS_OF_ALL = 12, 6
"""Series that a job's functions report (counts, its runs by outcome, its time), and those of all together."""
SMALL_CALL_SECONDS = 0.05
"""Of a call of Record or Finish: two short transactions."""


@dataclass(frozen=True)
class Machine:
    """A job's functions as template.yaml has them, with the default pause after a page in seconds."""

    plan: Function
    batch: Function
    small: Function
    pause_seconds: float
    concurrency: int


@dataclass(frozen=True)
class RunEstimate:
    """One run. Seconds and dollars; `gb_seconds` is what Lambda charges for all functions."""

    job: str
    keys: int
    pages: int
    transitions: int
    requests: int
    plan_seconds: float
    batch_seconds: float
    gb_seconds: Range
    gets: float
    puts: int
    log_gb: float
    dollars: Range


@dataclass(frozen=True)
class Scheduled:
    """A schedule's runs of one job in a month."""

    job: str
    when: str
    runs: float
    run: RunEstimate

    @property
    def dollars(self) -> Range:
        """Of a month."""
        return self.run.dollars * self.runs


@dataclass(frozen=True)
class Watching:
    """What a month costs whatever runs."""

    alarms: int
    dashboards: int
    metrics: int
    dollars: float


def machines_of(template: Template, jobs: Mapping[str, JobEntry]) -> dict[str, Machine]:
    """What each job runs on."""
    by_arn = {function.arn: function for function in template.functions.values()}
    found = {}
    for name, entry in jobs.items():
        given = template.state_machine(name).substitutions
        defaults = {field: info.default for field, info in entry.options.model_fields.items()}
        found[name] = Machine(
            plan=by_arn[given["PlanFunctionArn"]],
            batch=by_arn[given["BatchFunctionArn"]],
            small=by_arn[given["RecordFunctionArn"]],
            pause_seconds=defaults.get("pause_ms", 0) / 1000,
            concurrency=defaults.get("max_concurrency", 1),
        )
    return found


def full_run(job: str, machine: Machine, sizes: Sequence[SizeRate], users: int, prices: Prices) -> RunEstimate:
    """A run for everybody."""
    largest = sizes[-1]
    keys = math.ceil(largest.full.keys * users / largest.users)
    pages = math.ceil(keys * largest.full.pages / max(largest.full.keys, 1))
    plan = _line([(size.users, size.full.plan_seconds) for size in sizes], users)
    batch = keys * _power([(size.users, _a_key(size.full)) for size in sizes], users)
    return _estimate(job, machine, sizes, users, prices, keys, pages, plan, batch)


def incremental_run(
    job: str, machine: Machine, sizes: Sequence[SizeRate], users: int, changed: float, prices: Prices
) -> RunEstimate:
    """An incremental run: it scans all keys and computes the share `changed` of them as a full run does.

    A job without incremental runs has a full one.
    """
    full = full_run(job, machine, sizes, users, prices)
    fresh = [(size.users, size.fresh) for size in sizes if size.fresh is not None]
    if len(fresh) < len(sizes):
        return full
    looking = _looking(fresh[-1][1], full.keys, sizes[-1].full.keys, machine.concurrency)
    plan = _line([(size, rate.plan_seconds) for size, rate in fresh], users)
    batch = _line([(size, rate.batch_seconds) for size, rate in fresh], users) + changed * full.batch_seconds
    pages = looking + math.ceil(changed * (full.pages - _parts(sizes[-1], users)))
    return _estimate(job, machine, sizes, users, prices, full.keys, pages, plan, batch)


def _looking(rate: RunRate, keys: int, measured: int, functions: int) -> int:
    """Pages that look at so many keys, where `rate` is of a run that looked at those `measured`.

    Those of most keyed jobs grow with the site. A job that had more pages than these would has them of a fixed size.
    """
    if not 0 < rate.pages <= math.ceil(measured / LOOK):
        return rate.pages * keys // max(measured, 1)
    ranges = math.ceil(keys / LOOK)
    return math.ceil(ranges / ranges_a_page(ranges, SCAN // LOOK, functions))


def month(
    schedules: Iterable[Schedule],
    machines: Mapping[str, Machine],
    rates: Rates,
    users: int,
    changed: float,
    prices: Prices,
) -> Iterator[Scheduled]:
    """Every scheduled run of a job that was measured."""
    for schedule in schedules:
        for job in schedule.jobs:
            if job not in machines or job not in rates.jobs:
                continue
            machine, sizes = machines[job], rates.jobs[job]
            if schedule.incremental:
                run = incremental_run(job, machine, sizes, users, changed, prices)
            else:
                run = full_run(job, machine, sizes, users, prices)
            yield Scheduled(job, schedule.when, schedule.runs_a_month, run)


def watching(resources: Mapping[str, Any], jobs: int, prices: Prices) -> Watching:
    """Alarms, dashboards and metrics of a template's resources."""
    kinds = [resource["Type"] for resource in resources.values()]
    alarms, dashboards = kinds.count("AWS::CloudWatch::Alarm"), kinds.count("AWS::CloudWatch::Dashboard")
    metrics = METRICS_A_JOB * jobs + METRICS_OF_ALL
    dollars = prices["alarm"].of(alarms) + prices["dashboard"].of(dashboards) + prices["metric"].of(metrics)
    return Watching(alarms, dashboards, metrics, dollars)


def _estimate(
    job: str,
    machine: Machine,
    sizes: Sequence[SizeRate],
    users: int,
    prices: Prices,
    keys: int,
    pages: int,
    plan_seconds: float,
    batch_seconds: float,
) -> RunEstimate:
    largest = sizes[-1]
    parts = _parts(largest, users)
    waiting = machine.pause_seconds * (pages + parts)
    small = (chapters_of(pages, parts) + 1) * SMALL_CALL_SECONDS
    gb_seconds = (
        _billed(batch_seconds, machine.batch, waiting)
        + _billed(plan_seconds, machine.plan)
        + _billed(small, machine.small)
    )
    gets, puts = _storage(largest, users, machine.concurrency, parts)
    requests, transitions = requests_of(pages, parts), transitions_of(pages, parts)
    log_gb = largest.full.log_bytes / requests_of(largest.full.pages) * requests / 2**30
    counts = {"request": requests, "transition": transitions, "get": gets, "put": puts, "log_gb": log_gb}
    dollars = gb_seconds * prices["gb_second"].dollars + sum(prices[name].of(count) for name, count in counts.items())
    return RunEstimate(
        job=job,
        keys=keys,
        pages=pages + parts,
        transitions=transitions,
        requests=requests,
        plan_seconds=plan_seconds,
        batch_seconds=batch_seconds + waiting,
        gb_seconds=gb_seconds,
        gets=gets,
        puts=puts,
        log_gb=log_gb,
        dollars=dollars,
    )


def _billed(seconds: float, function: Function, waiting: float = 0.0) -> Range:
    slower = max(1.0, WHOLE_CORE_MB / function.memory)
    return Range(seconds + waiting, seconds * slower + waiting) * (function.memory / 1024)


def _parts(size: SizeRate, users: int) -> int:
    """Pages that take parts of the snapshot: none where Plan takes it in one piece."""
    from sitejobs.matching.options import PART_USERS

    return math.ceil(users / PART_USERS) if size.snapshot_bytes and users > PART_USERS else 0


def _storage(size: SizeRate, users: int, concurrency: int, parts: int) -> tuple[float, int]:
    """Requests that read and write a run's snapshot, and its parts."""
    from sitejobs.matching.snapshot.file import READ_BYTES

    if not size.snapshot_bytes:
        return 0.0, 0
    snapshot = size.snapshot_bytes * users / size.users
    gets, puts = snapshot_gets(snapshot, users, concurrency), math.ceil(snapshot / 2**23) + 2
    if parts:  # each of two files, which the merge reads once
        gets += snapshot / READ_BYTES + 4 * parts
        puts += math.ceil(snapshot / 2**23) + 4 * parts
    return gets, puts


def snapshot_gets(snapshot_bytes: float, users: int, concurrency: int) -> float:
    """GETs with which this many environments read a snapshot's files and the segments that they need."""
    from sitejobs.matching.snapshot.candidates import SEGMENT_USERS
    from sitejobs.matching.snapshot.file import READ_BYTES

    return concurrency * (snapshot_bytes / READ_BYTES + users / SEGMENT_USERS + 3)


def _a_key(rate: RunRate) -> float:
    return rate.batch_seconds / max(rate.keys, 1)


def _line(points: Sequence[tuple[int, float]], users: int) -> float:
    """Linear extrapolation through the two largest sites, never below the smaller one's value."""
    if len(points) == 1:
        return points[0][1] * users / points[0][0]
    (users_before, before), (users_last, last) = points[-2:]
    slope = max((last - before) / (users_last - users_before), 0.0)
    return last + slope * (users - users_last) if users > users_last else min(last, before + slope * users)


def _power(points: Sequence[tuple[int, float]], users: int) -> float:
    """Extrapolation as a power of the users through the two largest sites; a value that has not grown stays."""
    (users_before, before), (users_last, last) = points[0], points[-1]
    if last <= before or before <= 0 or users <= users_last:
        return last
    exponent = math.log(last / before) / math.log(users_last / users_before)
    return float(last * (users / users_last) ** min(exponent, 1.0))
