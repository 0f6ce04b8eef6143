"""`sitejobs cost`: what runs and a month of the schedules would cost on AWS."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from sitejobs_local.commands.common import output
from sitejobs_local.commands.values import JOB
from sitejobs_local.tables import plain, print_plain

if TYPE_CHECKING:
    from rich.table import Table

    from sitejobs_local.cost.estimate import RunEstimate, Scheduled, Watching
    from sitejobs_local.cost.prices import Prices
    from sitejobs_local.cost.ranges import Range
    from sitejobs_local.cost.rates import Rates


@click.command(short_help="what runs and a month would cost on AWS")
@click.option("--users", metavar="<n>", type=click.IntRange(1, 100_000_000), required=True, help="size of the site")
@click.option(
    "--changed",
    metavar="<percent>",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="share of the users that changes between two incremental runs",
)
@click.option("--job", metavar="<name>", type=JOB, help="this job only")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object on stdout")
def cost(users: int, changed: float, job: str | None, as_json: bool) -> None:
    """Estimate what a run of each job and a month of the schedules would cost on AWS, for a site of so many users.

    It follows from the settings of template.yaml, list prices, and what runs took on a machine at home. Not in it: the
    database, the network (NAT, endpoints), traces, taxes, free tiers and discounts.
    """
    from sitejobs.catalog import JOBS
    from sitejobs_local.cost.estimate import first_run, incremental_run, machines_of, month, watching
    from sitejobs_local.cost.needs import too_small_for
    from sitejobs_local.cost.prices import prices
    from sitejobs_local.cost.rates import read_rates
    from sitejobs_local.cost.schedules import paging_of, schedules_of
    from sitejobs_local.places import TEMPLATE
    from sitejobs_local.template.loops import read_template
    from sitejobs_local.template.template import load_template

    listed, rates = prices(), read_rates()
    wanted = {name: entry for name, entry in JOBS.items() if job in (None, name)}
    machines = machines_of(load_template(TEMPLATE), wanted)
    unknown = sorted(set(machines) - set(rates.jobs))
    document = read_template(TEMPLATE)
    schedules = list(schedules_of(document))
    full, incremental = [], []
    for name in (name for name in machines if name in rates.jobs):
        sizes = rates.jobs[name]
        full.append(first_run(machines[name], sizes, users, listed))
        given = paging_of(schedules, name, incremental=True)
        incremental.append(incremental_run(machines[name], sizes, users, changed / 100, listed, given))
    scheduled = list(month(schedules, machines, rates, users, changed / 100, listed))
    watched = watching(document["Resources"], len(JOBS), listed)
    short = list(too_small_for(users, machines, schedules)) if "match-scores" in machines else []
    found = _Costs(users, changed, listed, rates, full, incremental, scheduled, watched, unknown, short)
    if as_json:
        click.echo(json.dumps(_as_json(found)))
    else:
        _print(found)


@dataclass(frozen=True)
class _Costs:
    """All estimates that the command shows; `unknown` are the jobs without measured rates.

    `short`: what the template has too little of for such a site.
    """

    users: int
    changed: float
    prices: "Prices"
    rates: "Rates"
    full: "list[RunEstimate]"
    incremental: "list[RunEstimate]"
    scheduled: "list[Scheduled]"
    watched: "Watching"
    unknown: list[str]
    short: list[str]


def _as_json(costs: _Costs) -> dict[str, object]:
    return {
        "users": costs.users,
        "prices": {"date": costs.prices.date, "region": costs.prices.region},
        "rates": {"date": costs.rates.date, "machine": costs.rates.machine},
        "runs": {
            "full": [asdict(run) for run in costs.full],
            "incremental": [asdict(run) for run in costs.incremental],
        },
        "month": [{**asdict(each), "dollars": asdict(each.dollars)} for each in costs.scheduled],
        "watching": asdict(costs.watched),
        "notMeasured": costs.unknown,
        "tooSmall": costs.short,
    }


def _print(costs: _Costs) -> None:
    console = output()
    for title, runs in (
        (f"a first full run, {costs.users:,} users", costs.full),
        (f"an incremental run as schedules start it, {costs.changed:g} % changed", costs.incremental),
    ):
        print_plain(console, _runs(title, runs), spare="calls")
    print_plain(console, _month(costs.scheduled, costs.watched))
    for each in costs.short:
        console.print(f"too small for match-scores: {each}", style="bold", markup=False, highlight=False)
    if costs.unknown:
        console.print(f"not measured, so not estimated: {', '.join(costs.unknown)}", markup=False, highlight=False)
    console.print(_sources(costs.prices, costs.rates), style="dim", markup=False, highlight=False)


def _runs(title: str, runs: "list[RunEstimate]") -> "Table":
    table = plain(title, "job", "pages", "transitions", "calls", "GB-seconds", "$")
    for run in runs:
        figures = (run.pages, run.transitions, run.requests)
        table.add_row(run.job, *(f"{figure:,}" for figure in figures), _span(run.gb_seconds, 0), _span(run.dollars, 2))
    return table


def _month(scheduled: "list[Scheduled]", watched: "Watching") -> "Table":
    from sitejobs_local.cost.ranges import Range

    table = plain("a month of the schedules", "job", "when", "runs", "$", texts=("when",))
    total = Range(watched.dollars, watched.dollars)
    for each in scheduled:
        table.add_row(each.job, each.when, f"{each.runs:,.0f}", _span(each.dollars, 2))
        total = total + each.dollars
    table.add_row(
        "watching", f"{watched.alarms} alarms, about {watched.metrics} metrics", "", f"{watched.dollars:,.2f}"
    )
    table.add_row("together", "", "", _span(total, 2))
    return table


def _span(value: "Range", digits: int) -> str:
    millions = not digits and value.high >= 1_000_000
    low, high = (f"{it / 1e6:,.1f}" if millions else f"{it:,.{digits}f}" for it in (value.low, value.high))
    return (low if low == high else f"{low} to {high}") + (" M" if millions else "")


def _sources(listed: "Prices", rates: "Rates") -> str:
    return (
        f"List prices of {listed.region} on {listed.date}, without free tiers; times of {rates.date} on"
        f" {rates.machine}, extrapolated. Not in it: the database, the network, traces."
        " docs/cost.md says how it is reckoned."
    )
