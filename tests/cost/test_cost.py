"""`sitejobs cost`: counts as a real run has them, sums as the prices say."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rates import measure
from sitejobs.catalog import JOBS
from sitejobs.jobs.job import PAGES_A_CHAPTER
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.cost.estimate import (
    WHOLE_CORE_MB,
    Machine,
    RunEstimate,
    full_run,
    incremental_run,
    machines_of,
    month,
    watching,
)
from sitejobs_local.cost.paging import paging
from sitejobs_local.cost.prices import Price, prices
from sitejobs_local.cost.rates import Rates, RunRate, SizeRate, Taken, read_rates
from sitejobs_local.cost.schedules import Schedule
from sitejobs_local.cost.steps import (
    chapters_of,
    requests_of,
    requests_of_workflow,
    transitions_of,
    transitions_of_workflow,
)
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import TEMPLATE
from sitejobs_local.population import generate, load
from sitejobs_local.template.loops import read_template
from sitejobs_local.template.template import load_template
from tests.conftest import make_home
from tests.databases import site_database
from tests.limits import PATIENCE_S
from tests.local.command import environment, sitejobs
from tests.matching.random_sites import NOW

MACHINES = machines_of(load_template(TEMPLATE), JOBS)
USERS = PAGES_A_CHAPTER + 40


@pytest.fixture(scope="module")
def site_url(postgres_server: Server) -> Iterator[str]:
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            load(connection, generate(USERS, 1, NOW))
        yield url


def counted(
    url: str, folder: Path, job: str, options: dict[str, Any], variables: dict[str, str] | None = None
) -> tuple[Any, int, int]:
    """A run's summary, its state transitions as Step Functions charges them, and its calls of functions."""
    calls: Counter[str] = Counter()

    def count(event: Event) -> None:
        calls[event.kind] += 1

    with LocalMachine(
        TEMPLATE,
        database_url=url,
        log_file=folder / "log",
        on_event=count,
        work_folder=folder / "work",
        environment=variables,
    ) as machine:
        arn = machine.start(job, options)
        ended = machine.wait(arn, timeout=PATIENCE_S)
        assert ended.status == "SUCCEEDED", ended
        client = machine.client("stepfunctions")
        history = client.get_execution_history(executionArn=arn)["events"]
        steps = sum(event["type"].endswith("StateEntered") for event in history) + 1  # and the end
        for run in client.list_map_runs(executionArn=arn)["mapRuns"]:
            # A page that succeeded entered its one state, and ended.
            steps += 2 * client.describe_map_run(mapRunArn=run["mapRunArn"])["executionCounts"]["succeeded"]
    return ended.output, steps, calls["finished"]


@pytest.mark.parametrize(
    ("job", "options"),
    [
        ("match-scores", {"batchSize": 1, "topK": 1, "pauseMs": 0}),  # two chapters
        ("build-user-traits", {"batchSize": 100}),
    ],
)
def test_transitions_and_calls_are_those_of_a_real_run(
    site_url: str, tmp_path: Path, job: str, options: dict[str, Any]
) -> None:
    summary, steps, calls = counted(site_url, tmp_path, job, options)
    assert (transitions_of(summary["pages"]), requests_of(summary["pages"])) == (steps, calls)
    assert chapters_of(summary["pages"]) == (2 if job == "match-scores" else 1)


def test_pages_that_take_parts_of_a_snapshot_are_counted(site_url: str, tmp_path: Path) -> None:
    options = {"batchSize": 100, "topK": 1, "pauseMs": 0}
    variables = {"SNAPSHOT_PART_USERS": "50"}
    summary, steps, calls = counted(site_url, tmp_path, "match-scores", options, variables)
    parts = -(-USERS // 50)
    pages = summary["pages"] - parts
    assert (transitions_of(pages, parts), requests_of(pages, parts)) == (steps, calls)
    assert chapters_of(pages, parts) == 2


def test_steps_and_calls_of_a_workflow_are_those_of_a_real_run(site_url: str, tmp_path: Path) -> None:
    calls: Counter[str] = Counter()
    with LocalMachine(
        TEMPLATE,
        database_url=site_url,
        log_file=tmp_path / "log",
        on_event=lambda event: calls.update([event.function] if event.kind == "finished" else []),
        work_folder=tmp_path / "work",
    ) as machine:
        # One of them starts the other.
        arn = machine.start("all", {"only": ["content-features", "trending"]})
        ended = machine.wait(arn, timeout=PATIENCE_S)
        assert ended.status == "SUCCEEDED", ended
        client = machine.client("stepfunctions")
        steps = 0
        for name in ("all", "workflow-job"):
            machine_arn = machine.template.state_machine(name).arn
            for execution in client.list_executions(stateMachineArn=machine_arn)["executions"]:
                history = client.get_execution_history(executionArn=execution["executionArn"])["events"]
                steps += sum(event["type"].endswith("StateEntered") for event in history) + 1
    assert steps == transitions_of_workflow(2)
    assert calls["WorkflowsFunction"] == requests_of_workflow(2)


@pytest.mark.parametrize("options", [{}, {"maxConcurrency": 1}])
@pytest.mark.parametrize("job", ["match-scores", "compatibility", "trending", "profile-search-index", "feed-presort"])
def test_pages_are_those_of_a_real_run(site_url: str, tmp_path: Path, job: str, options: dict[str, Any]) -> None:
    size = "userBatchSize" if job == "profile-search-index" else "batchSize"
    given = {size: 70, **options}
    found = counted(site_url, tmp_path, job, given)[0]
    paged, keys = paging(JOBS[job], given), found["processed"]
    assert found["pages"] == paged.full(keys)
    if job != "match-scores":  # in which nothing has changed
        found = counted(site_url, tmp_path, job, given | {"incremental": True})[0]
        assert found["pages"] == paged.incremental(keys, 0.0)


# ---- sums

MEMORY_1GB = 1024


def rate(keys: int, pages: int, plan: float, batch: float, trips: float = 0) -> RunRate:
    """A run that computes as long as it waits."""
    return RunRate(keys, pages, Taken(plan / 2, plan / 2, 0), Taken(batch / 2, batch / 2, trips), 1000 * (pages + 1))


def sizes(exponent: float = 0.0, trips: float = 0.0) -> list[SizeRate]:
    """A job that takes 1 ms a user of 1,000: a tenth of it after a change, a twentieth when nothing changed."""
    found = []
    for users in (1000, 4000):
        seconds = users / 1000 * (users / 1000) ** exponent
        whole = rate(users, users // 100, 0.1, seconds, trips * users)
        found.append(
            SizeRate(users, whole, whole, rate(users, 1, 0.1, seconds / 10), rate(users, 1, 0.1, seconds / 20))
        )
    return found


def machine(job: str = "match-scores", memory: int = 2048) -> Machine:
    known = MACHINES[job]
    function = replace(known.batch, memory=memory)
    return replace(known, plan=function, batch=function, small=function)


NO_PAUSE = {"pauseMs": 0}


def full(
    users: int, measured: list[SizeRate], memory: int = 2048, options: dict[str, int] | None = None
) -> RunEstimate:
    return full_run(machine(memory=memory), measured, users, prices(), NO_PAUSE | (options or {}))


def incremental(users: int, changed: float, job: str = "trending", **options: int) -> RunEstimate:
    return incremental_run(machine(job), sizes(), users, changed, prices(), options)


def test_a_run_of_the_measured_size_takes_what_was_measured() -> None:
    run = full(4000, sizes())
    assert (run.keys, run.pages, run.transitions) == (4000, 40, transitions_of(40))
    assert run.batch_seconds == pytest.approx(4.0)
    small = 2 * 0.05
    assert run.gb_seconds.low == run.gb_seconds.high == pytest.approx((4.0 + 0.1 + small) * 2)
    expected = (
        run.gb_seconds.low * 0.0000166667
        + requests_of(40) * 0.20 / 1e6
        + transitions_of(40) * 25 / 1e6
        + 1350 * requests_of(40) / 2**30 * 0.50
    )
    assert run.dollars.low == run.dollars.high == pytest.approx(expected)


def test_a_large_sites_snapshot_is_taken_by_pages_and_a_small_ones_by_plan() -> None:
    measured = [replace(size, snapshot_bytes=700 * size.users) for size in sizes()]
    small, large = full(100_000, measured), full(400_000, measured)
    assert (small.pages, small.transitions, small.requests) == (100, transitions_of(100), requests_of(100))
    assert (large.pages, large.transitions, large.requests) == (204, transitions_of(200, 4), requests_of(200, 4))
    assert large.puts > 4 * small.puts


def test_pages_grow_with_the_site_and_time_as_it_did_before() -> None:
    flat, growing = full(400_000, sizes()), full(400_000, sizes(0.5))
    assert (flat.pages, growing.pages) == (200, 200)
    assert flat.batch_seconds == pytest.approx(400)
    assert growing.batch_seconds == pytest.approx(400 * (400_000 / 1000) ** 0.5)


def test_time_that_shrank_by_chance_is_not_taken_to_shrink_further() -> None:
    assert full(400_000, sizes(-0.3)).batch_seconds == pytest.approx(100 * 4000 / 1000 * 4**-0.3)


def test_less_memory_than_a_core_has_makes_computing_slower_and_waiting_cheaper() -> None:
    small, large = full(4000, sizes(), memory=512), full(4000, sizes(), memory=WHOLE_CORE_MB)
    of_small_calls = 2 * 0.05
    computed, waited = 2.05, 2.05
    assert large.gb_seconds.low == pytest.approx((computed + waited + of_small_calls) * WHOLE_CORE_MB / 1024)
    assert small.gb_seconds.low == pytest.approx(
        computed * WHOLE_CORE_MB / 1024 + (waited + of_small_calls) * 512 / 1024
    )


def test_the_way_to_the_database_makes_a_range() -> None:
    run = full(4000, sizes(trips=0.01), memory=MEMORY_1GB)
    assert run.gb_seconds.high - run.gb_seconds.low == pytest.approx(40 * 0.001)


def test_pauses_are_paid_for_and_need_no_processor() -> None:
    run, without = (full(4000, sizes(), MEMORY_1GB, {"pauseMs": pause}) for pause in (1000, 0))
    assert run.gb_seconds.low - without.gb_seconds.low == pytest.approx(40)
    assert run.gb_seconds.high - without.gb_seconds.high == pytest.approx(40)


def test_larger_pages_take_fewer_transitions() -> None:
    small, large = full(400_000, sizes()), full(400_000, sizes(), options={"batchSize": 4000})
    assert (small.pages, large.pages) == (200, 100)
    assert small.transitions - large.transitions == 2 * 100


def test_an_incremental_run_lies_between_those_that_were_measured() -> None:
    """After no change, after a hundredth of the users has changed, and of everybody."""
    seconds = [incremental(400_000, changed).batch_seconds for changed in (0.0, 0.005, 0.01, 0.505, 1.0)]
    assert seconds == pytest.approx([20, 30, 40, 220, 400])


def test_a_job_without_incremental_runs_has_full_ones() -> None:
    without = [replace(size, fresh=None, changed=None) for size in sizes()]
    run = incremental_run(machine("trending"), without, 400_000, 0.01, prices(), {})
    assert run == full_run(machine("trending"), without, 400_000, prices(), {})


def test_a_month_has_the_runs_of_every_schedule_of_a_measured_job() -> None:
    rates = Rates("2026-01-01", "here", {"match-scores": sizes(), "build-user-traits": sizes()})
    schedules = [
        Schedule(("build-user-traits", "match-scores", "trending"), False, "daily", 30),
        Schedule(("match-scores", "compatibility"), True, "hourly", 730, {"match-scores": {"batchSize": 500}}),
    ]
    found = list(month(schedules, MACHINES, rates, 10_000, 0.01, prices()))
    assert [(each.job, each.when, each.runs) for each in found] == [
        ("build-user-traits", "daily", 30),
        ("match-scores", "daily", 30),
        ("all", "daily", 30),
        ("match-scores", "hourly", 730),
        ("all", "hourly", 730),
    ]
    assert found[1].dollars.low == pytest.approx(30 * found[1].run.dollars.low)
    assert found[3].run.dollars.low < found[1].run.dollars.low
    assert found[3].run.pages == math.ceil(10_000 * (0.01 + 0.99 / 20) / 500)


def test_a_snapshot_is_written_and_read() -> None:
    run = full(1_000_000, [replace(size, snapshot_bytes=size.users * 500) for size in sizes()])
    assert run.puts >= 500 * 1_000_000 // 2**23
    assert run.gets > 0


def test_prices_are_for_a_unit() -> None:
    assert Price("x", "million requests", 0.2, "").of(5_000_000) == pytest.approx(1.0)
    assert Price("x", "thousand requests", 0.2, "").of(5000) == pytest.approx(1.0)
    assert Price("x", "GB-second", 0.2, "").of(5) == pytest.approx(1.0)


def test_every_price_has_its_source() -> None:
    assert all(price.source.startswith("https://aws.amazon.com/") for price in prices().by_name.values())
    assert all(price.dollars > 0 for price in prices().by_name.values())


def test_watching_counts_what_the_template_has() -> None:
    resources = {
        "A": {"Type": "AWS::CloudWatch::Alarm"},
        "B": {"Type": "AWS::CloudWatch::Alarm"},
        "C": {"Type": "AWS::CloudWatch::Dashboard"},
        "D": {"Type": "AWS::CloudWatch::CompositeAlarm"},
    }
    found = watching(resources, 1, prices())
    assert (found.alarms, found.dashboards, found.metrics) == (3, 1, 3)
    assert found.dollars == pytest.approx(0.2 + 0.5 + 3.0 + 0.9)


def test_watching_costs_less_than_fifteen_dollars_a_month() -> None:
    assert watching(read_template(TEMPLATE)["Resources"], len(JOBS), prices()).dollars < 15


# ---- rates and the command


def test_the_rates_are_of_jobs_that_there_are_and_of_two_sizes() -> None:
    rates = read_rates()
    assert set(rates.jobs) <= set(JOBS)
    for measured in rates.jobs.values():
        assert len(measured) == 2
        assert measured[0].users < measured[1].users
        assert all(size.full.pages > 0 for size in measured)
        for size in measured:
            for run in (size.first, size.full, size.changed, size.fresh):
                assert run is None or run.batch.computes + run.batch.waits > 0 or run.pages == 0


def test_rates_are_measured_and_come_back_from_their_file(tmp_path: Path) -> None:
    folder = make_home()
    rates = measure([30, 60], 1, folder, ["match-scores", "build-user-traits", "trending"])
    assert not list(folder.iterdir()), "the server's files are left"
    rates.write(tmp_path / "rates.json")
    assert read_rates(tmp_path / "rates.json") == rates
    assert [size.users for size in rates.jobs["match-scores"]] == [30, 60]
    small, large = rates.jobs["match-scores"]
    assert large.first.keys > small.first.keys > 0
    assert large.first.batch.computes > 0
    assert large.first.batch.trips > 0
    assert large.snapshot_bytes > 0
    assert large.fresh is not None
    assert large.changed is not None
    assert (large.fresh.pages, large.changed.pages) == (0, 1)


def test_the_command_tells_each_run_and_the_month_together() -> None:
    shown = sitejobs("cost", "--users=1000000", env=environment())
    assert shown.returncode == 0, shown.stderr
    as_json = json.loads(sitejobs("cost", "--users=1000000", "--json", env=environment()).stdout)
    assert {run["job"] for run in as_json["runs"]["full"]} | set(as_json["notMeasured"]) == set(JOBS)
    for run in as_json["runs"]["full"]:
        assert f"{run['transitions']:,}" in shown.stdout
    together = sum(each["dollars"]["low"] for each in as_json["month"]) + as_json["watching"]["dollars"]
    assert f"{together:,.2f} to" in shown.stdout
    assert prices().date in shown.stdout


def test_a_month_of_a_site_of_a_million_costs_two_hundred_dollars_at_most() -> None:
    as_json = json.loads(sitejobs("cost", "--users=1000000", "--json", env=environment()).stdout)
    together = sum(each["dollars"]["high"] for each in as_json["month"]) + as_json["watching"]["dollars"]
    assert together <= 200
    assert as_json["tooSmall"] == []


def test_what_is_too_small_for_a_site_is_told() -> None:
    shown = sitejobs("cost", "--users=10000000", env=environment()).stdout
    assert "too small for match-scores: temporary storage: 10,000,000 users" in shown
    [text] = json.loads(sitejobs("cost", "--users=10000000", "--json", env=environment()).stdout)["tooSmall"]
    assert text.endswith("raise WorkStorage")


def test_one_job_alone() -> None:
    as_json = json.loads(sitejobs("cost", "--users=5000", "--job=match-scores", "--json", env=environment()).stdout)
    assert [run["job"] for run in as_json["runs"]["full"]] == ["match-scores"]
    assert {each["job"] for each in as_json["month"]} == {"match-scores"}
