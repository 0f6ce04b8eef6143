"""Time and costs of a run of each job on a site of a given size, and of a month of the schedules.

Counts (pages, state transitions, requests) follow from the definitions; seconds are extrapolated from those measured on
two smaller sites. Lambda gives a function with less than 1,769 MB only part of a processor: what it computes takes
longer then, what it waits for the database does not.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sitejobs.jobs.entry import JobEntry
from sitejobs_local.cost.extrapolation import Work, work_of, work_of_change
from sitejobs_local.cost.paging import Paging, paging
from sitejobs_local.cost.prices import Prices
from sitejobs_local.cost.ranges import Range
from sitejobs_local.cost.rates import Rates, SizeRate, Taken
from sitejobs_local.cost.schedules import Schedule
from sitejobs_local.cost.steps import (
    chapters_of,
    requests_of,
    requests_of_workflow,
    transitions_of,
    transitions_of_workflow,
)
from sitejobs_local.template.resources import Function, Template

WHOLE_CORE_MB = 1769
"""Memory with which a function has one processor."""
METRICS_A_JOB, METRICS_OF_ALL = 1, 2
"""Series that are always reported: the time of each job's runs; the share of the time limit, and calls near it.

Those of failures are reported, and paid for, in hours with failures.
"""
SMALL_CALL_SECONDS = 0.05
"""Of a call of Record, Finish or a workflow's step: two short transactions."""
TRIP_SECONDS = 0.001
"""Between a function and a database in the same zone or a neighbouring one, at most."""
PLATFORM_LOG_BYTES = 350
"""What Lambda itself logs of a call: START, END and REPORT."""
WORKFLOW = "all"


@dataclass(frozen=True)
class Machine:
    """A job's functions as template.yaml has them."""

    entry: JobEntry
    plan: Function
    batch: Function
    small: Function


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
        found[name] = Machine(
            entry=entry,
            plan=by_arn[given["PlanFunctionArn"]],
            batch=by_arn[given["BatchFunctionArn"]],
            small=by_arn[given["RecordFunctionArn"]],
        )
    return found


def first_run(machine: Machine, sizes: Sequence[SizeRate], users: int, prices: Prices) -> RunEstimate:
    """A run for everybody with the default options, on a site that has no results yet."""
    work = work_of(sizes, users, lambda size: size.first)
    assert work is not None
    pages = paging(machine.entry, {})
    return _estimate(machine, sizes[-1], users, prices, work, pages, pages.full(work.keys))


def full_run(
    machine: Machine, sizes: Sequence[SizeRate], users: int, prices: Prices, options: Mapping[str, Any]
) -> RunEstimate:
    """A run for everybody over results, with these options for its pages."""
    work = work_of(sizes, users, lambda size: size.full)
    assert work is not None
    pages = paging(machine.entry, options)
    return _estimate(machine, sizes[-1], users, prices, work, pages, pages.full(work.keys))


def incremental_run(
    machine: Machine,
    sizes: Sequence[SizeRate],
    users: int,
    changed: float,
    prices: Prices,
    options: Mapping[str, Any],
) -> RunEstimate:
    """An incremental run after the share `changed` of the users has changed. A job without them has a full one."""
    work = work_of_change(sizes, users, changed)
    if work is None:
        return full_run(machine, sizes, users, prices, options)
    pages = paging(machine.entry, options)
    return _estimate(machine, sizes[-1], users, prices, work, pages, pages.incremental(work.keys, changed))


def month(
    schedules: Iterable[Schedule],
    machines: Mapping[str, Machine],
    rates: Rates,
    users: int,
    changed: float,
    prices: Prices,
) -> Iterator[Scheduled]:
    """Every scheduled run of a job that was measured, and of the workflow that starts them."""
    for schedule in schedules:
        known = [job for job in schedule.jobs if job in machines and job in rates.jobs]
        for job in known:
            machine, sizes, options = machines[job], rates.jobs[job], schedule.paging.get(job, {})
            if schedule.incremental:
                run = incremental_run(machine, sizes, users, changed, prices, options)
            else:
                run = full_run(machine, sizes, users, prices, options)
            yield Scheduled(job, schedule.when, schedule.runs_a_month, run)
        if all(job in machines for job in schedule.jobs):
            run = _workflow(machines[schedule.jobs[0]].small, len(schedule.jobs), prices)
            yield Scheduled(WORKFLOW, schedule.when, schedule.runs_a_month, run)


def watching(resources: Mapping[str, Any], jobs: int, prices: Prices) -> Watching:
    """Alarms, dashboards and metrics of a template's resources."""
    kinds = [resource["Type"] for resource in resources.values()]
    alarms, composite = kinds.count("AWS::CloudWatch::Alarm"), kinds.count("AWS::CloudWatch::CompositeAlarm")
    dashboards, metrics = kinds.count("AWS::CloudWatch::Dashboard"), METRICS_A_JOB * jobs + METRICS_OF_ALL
    dollars = prices["alarm"].of(alarms) + prices["composite_alarm"].of(composite)
    dollars += prices["dashboard"].of(dashboards) + prices["metric"].of(metrics)
    return Watching(alarms + composite, dashboards, metrics, dollars)


def _workflow(small: Function, jobs: int, prices: Prices) -> RunEstimate:
    """A run of `all` beside the runs of its jobs."""
    requests, transitions = requests_of_workflow(jobs), transitions_of_workflow(jobs)
    seconds = requests * SMALL_CALL_SECONDS
    gb_seconds = Range(seconds, seconds) * (small.memory / 1024)
    log_gb = requests * 2 * PLATFORM_LOG_BYTES / 2**30
    return _priced(WORKFLOW, 0, 0, transitions, requests, 0.0, seconds, gb_seconds, (0.0, 0), log_gb, prices)


def _estimate(
    machine: Machine, largest: SizeRate, users: int, prices: Prices, work: Work, paged: Paging, pages: int
) -> RunEstimate:
    parts = _parts(largest, users)
    requests, transitions = requests_of(pages, parts), transitions_of(pages, parts)
    pauses = paged.pause_seconds * (pages + parts)
    small = (chapters_of(pages, parts) + 1) * SMALL_CALL_SECONDS
    gb_seconds = _billed(work.batch, machine.batch) + _billed(work.plan, machine.plan)
    gb_seconds = gb_seconds + pauses * machine.batch.memory / 1024 + small * machine.small.memory / 1024
    storage = _storage(largest, users, paged.concurrency, parts)
    log_gb = (work.log_bytes_a_call + PLATFORM_LOG_BYTES) * requests / 2**30
    plan_seconds = work.plan.computes + work.plan.waits
    batch_seconds = work.batch.computes + work.batch.waits + pauses
    return _priced(
        machine.entry.name, work.keys, pages + parts, transitions, requests, plan_seconds, batch_seconds, gb_seconds,
        storage, log_gb, prices,
    )  # fmt: skip


def _priced(
    job: str,
    keys: int,
    pages: int,
    transitions: int,
    requests: int,
    plan_seconds: float,
    batch_seconds: float,
    gb_seconds: Range,
    storage: tuple[float, int],
    log_gb: float,
    prices: Prices,
) -> RunEstimate:
    gets, puts = storage
    counts = {"request": requests, "transition": transitions, "get": gets, "put": puts, "log_gb": log_gb}
    dollars = gb_seconds * prices["gb_second"].dollars + sum(prices[name].of(count) for name, count in counts.items())
    return RunEstimate(
        job, keys, pages, transitions, requests, plan_seconds, batch_seconds, gb_seconds, gets, puts, log_gb, dollars
    )


def _billed(taken: Taken, function: Function) -> Range:
    """GB-seconds, without and with the way to the database and back."""
    slower = max(1.0, WHOLE_CORE_MB / function.memory)
    seconds = taken.computes * slower + taken.waits
    return Range(seconds, seconds + taken.trips * TRIP_SECONDS) * (function.memory / 1024)


def _parts(size: SizeRate, users: int) -> int:
    """Pages that take parts of the snapshot: none where Plan takes it in one piece."""
    from sitejobs.matching.options import PART_USERS

    return math.ceil(users / PART_USERS) if size.snapshot_bytes and users > PART_USERS else 0


def _storage(size: SizeRate, users: int, concurrency: int, parts: int) -> tuple[float, int]:
    """Requests that read and write a run's snapshot, and its parts."""
    if not size.snapshot_bytes:
        return 0.0, 0
    return work_requests(size.snapshot_bytes * users / size.users, users, concurrency, parts)


def work_requests(snapshot_bytes: float, users: int, concurrency: int, parts: int) -> tuple[float, int]:
    """GETs and PUTs of a run with a snapshot of so many bytes, made of `parts` (0: in one piece)."""
    from sitejobs.matching.snapshot.file import READ_BYTES

    gets, puts = snapshot_gets(snapshot_bytes, users, concurrency), math.ceil(snapshot_bytes / 2**23) + 2
    if parts:  # each of two files, which the merge reads once
        gets += snapshot_bytes / READ_BYTES + 4 * parts
        puts += math.ceil(snapshot_bytes / 2**23) + 4 * parts
    return gets, puts


def snapshot_gets(snapshot_bytes: float, users: int, concurrency: int) -> float:
    """GETs with which this many environments read a snapshot's files and the segments that they need."""
    from sitejobs.matching.snapshot.candidates import SEGMENT_USERS
    from sitejobs.matching.snapshot.file import READ_BYTES

    return concurrency * (snapshot_bytes / READ_BYTES + users / SEGMENT_USERS + 3)
