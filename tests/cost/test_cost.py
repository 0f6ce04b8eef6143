"""`sitejobs cost`: counts as a real run has them, sums as the prices say."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sitejobs.catalog import JOBS
from sitejobs.jobs.job import PAGES_A_CHAPTER
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.cost.estimate import Machine, full_run, incremental_run, machines_of, month, watching
from sitejobs_local.cost.prices import Price, prices
from sitejobs_local.cost.rates import Rates, RunRate, SizeRate, read_rates
from sitejobs_local.cost.schedules import Schedule
from sitejobs_local.cost.steps import chapters_of, requests_of, transitions_of
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import TEMPLATE
from sitejobs_local.population import generate, load
from sitejobs_local.template.template import load_template
from tests.conftest import make_home
from tests.databases import site_database
from tests.limits import PATIENCE_S
from tests.local.command import environment, sitejobs
from tests.matching.random_sites import NOW
from tools.measure_rates import measure

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


# ---- sums

MEMORY_1GB = 1024


def rate(keys: int, pages: int, plan: float, batch: float) -> RunRate:
    return RunRate(keys, pages, plan, batch, log_bytes=1000 * requests_of(pages))


def sizes(exponent: float = 0.0) -> list[SizeRate]:
    """A job that takes 1 ms a user on a site of 1,000, 100 users a page."""
    return [
        SizeRate(
            users, rate(users, users // 100, 0.1, users / 1000 * (users / 1000) ** exponent), rate(users, 1, 0.1, 0.2)
        )
        for users in (1000, 4000)
    ]


def machine(memory: int = 2048, pause: float = 0.0) -> Machine:
    known = MACHINES["match-scores"]
    function = replace(known.batch, memory=memory)
    return replace(known, plan=function, batch=function, small=function, pause_seconds=pause)


def test_a_run_of_the_measured_size_takes_what_was_measured() -> None:
    run = full_run("any", machine(memory=2048), sizes(), 4000, prices())
    assert (run.keys, run.pages, run.transitions) == (4000, 40, transitions_of(40))
    assert run.batch_seconds == pytest.approx(4.0)
    small = 2 * 0.05
    assert run.gb_seconds.low == run.gb_seconds.high == pytest.approx((4.0 + 0.1 + small) * 2)
    expected = (
        run.gb_seconds.low * 0.0000166667
        + requests_of(40) * 0.20 / 1e6
        + transitions_of(40) * 25 / 1e6
        + 1000 * requests_of(40) / 2**30 * 0.50
    )
    assert run.dollars.low == run.dollars.high == pytest.approx(expected)


def test_a_large_sites_snapshot_is_taken_by_pages_and_a_small_ones_by_plan() -> None:
    measured = [replace(size, snapshot_bytes=700 * size.users) for size in sizes()]
    small = full_run("match-scores", machine(), measured, 100_000, prices())
    large = full_run("match-scores", machine(), measured, 400_000, prices())
    assert (small.pages, small.transitions, small.requests) == (1000, transitions_of(1000), requests_of(1000))
    assert (large.pages, large.transitions, large.requests) == (4004, transitions_of(4000, 4), requests_of(4000, 4))
    assert large.puts > 4 * small.puts
    nothing = incremental_run("match-scores", machine(), measured, 400_000, 0.0, prices())
    everything = incremental_run("match-scores", machine(), measured, 400_000, 1.0, prices())
    assert everything.pages - nothing.pages == 4000


def test_pages_grow_with_the_site_and_time_as_it_did_before() -> None:
    flat = full_run("any", machine(), sizes(), 400_000, prices())
    growing = full_run("any", machine(), sizes(0.5), 400_000, prices())
    assert (flat.pages, growing.pages) == (4000, 4000)
    assert flat.batch_seconds == pytest.approx(400)
    assert growing.batch_seconds == pytest.approx(400 * (400_000 / 1000) ** 0.5)


def test_time_that_shrank_by_chance_is_not_taken_to_shrink_further() -> None:
    assert full_run("any", machine(), sizes(-0.3), 400_000, prices()).batch_seconds == pytest.approx(
        100 * 4000 / 1000 * 4**-0.3
    )


def test_less_memory_than_a_core_has_makes_a_range() -> None:
    run = full_run("any", machine(memory=MEMORY_1GB), sizes(), 4000, prices())
    assert run.gb_seconds.high == pytest.approx(run.gb_seconds.low * 1769 / 1024)


def test_pauses_are_paid_for_and_need_no_processor() -> None:
    run = full_run("any", machine(memory=MEMORY_1GB, pause=1.0), sizes(), 4000, prices())
    without = full_run("any", machine(memory=MEMORY_1GB), sizes(), 4000, prices())
    assert run.gb_seconds.low - without.gb_seconds.low == pytest.approx(40)
    assert run.gb_seconds.high - without.gb_seconds.high == pytest.approx(40)


def test_an_incremental_run_looks_at_all_and_computes_what_changed() -> None:
    nothing = incremental_run("any", machine(), sizes(), 400_000, 0.0, prices())
    assert nothing.pages == 40  # of 10,000 users each
    some = incremental_run("any", machine(), sizes(), 400_000, 0.1, prices())
    assert some.pages == 40 + 400
    assert some.batch_seconds - nothing.batch_seconds == pytest.approx(40)
    without = [replace(size, fresh=None) for size in sizes()]
    assert incremental_run("any", machine(), without, 400_000, 0.1, prices()).pages == 4000


def test_pages_that_look_are_larger_on_a_larger_site_but_of_jobs_whose_pages_have_a_size() -> None:
    def pages(users: int, measured: int) -> int:
        given = [replace(size, fresh=rate(size.users, measured, 0.1, 0.2)) for size in sizes()]
        return incremental_run("any", machine(), given, users, 0.0, prices()).pages

    assert [pages(users, 2) for users in (4000, 40_000, 80_000, 160_000)] == [2, 8, 8, 16]  # 4 functions
    assert [pages(users, 4) for users in (4000, 40_000)] == [4, 40]
    assert pages(40_000, 0) == 0  # match-scores without a changed viewer


def test_a_month_has_the_runs_of_every_schedule_of_a_measured_job() -> None:
    rates = Rates("2026-01-01", "here", {"match-scores": sizes(), "build-user-traits": sizes()})
    schedules = [
        Schedule(("build-user-traits", "match-scores", "trending"), False, "daily", 30),
        Schedule(("match-scores", "compatibility"), True, "hourly", 730),
    ]
    found = list(month(schedules, MACHINES, rates, 10_000, 0.01, prices()))
    assert [(each.job, each.when, each.runs) for each in found] == [
        ("build-user-traits", "daily", 30),
        ("match-scores", "daily", 30),
        ("match-scores", "hourly", 730),
    ]
    assert found[1].dollars.low == pytest.approx(30 * found[1].run.dollars.low)
    assert found[2].run.dollars.low < found[1].run.dollars.low


def test_a_snapshot_is_written_and_read() -> None:
    with_snapshot = [replace(size, snapshot_bytes=size.users * 500) for size in sizes()]
    run = full_run("match-scores", machine(), with_snapshot, 1_000_000, prices())
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
    }
    found = watching(resources, 1, prices())
    assert (found.alarms, found.dashboards, found.metrics) == (2, 1, 18)
    assert found.dollars == pytest.approx(0.2 + 3.0 + 5.4)


# ---- rates and the command


def test_the_rates_are_of_jobs_that_there_are_and_of_two_sizes() -> None:
    rates = read_rates()
    assert set(rates.jobs) <= set(JOBS)
    for measured in rates.jobs.values():
        assert len(measured) == 2
        assert measured[0].users < measured[1].users
        assert all(size.full.pages > 0 for size in measured)


def test_rates_are_measured_and_come_back_from_their_file(tmp_path: Path) -> None:
    folder = make_home()
    try:
        rates = measure([30, 60], folder, ["match-scores", "build-user-traits"])
    finally:
        for child in folder.iterdir():
            assert not (child / "data").exists(), "the server's files are left"
    rates.write(tmp_path / "rates.json")
    assert read_rates(tmp_path / "rates.json") == rates
    assert [size.users for size in rates.jobs["match-scores"]] == [30, 60]
    small, large = rates.jobs["match-scores"]
    assert large.full.keys > small.full.keys > 0
    assert large.full.batch_seconds > 0
    assert large.snapshot_bytes > 0
    assert large.fresh is not None


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


def test_one_job_alone() -> None:
    as_json = json.loads(sitejobs("cost", "--users=5000", "--job=match-scores", "--json", env=environment()).stdout)
    assert [run["job"] for run in as_json["runs"]["full"]] == ["match-scores"]
    assert {each["job"] for each in as_json["month"]} == {"match-scores"}
