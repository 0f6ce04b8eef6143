"""What lowers the month's bill, each beside what the bill would be without it alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sitejobs_local.cost.estimate import Machine, month, watching
from sitejobs_local.cost.prices import Prices
from sitejobs_local.cost.rates import Rates
from sitejobs_local.cost.schedules import Schedule

PLENTY_MB = 1769
"""Memory with which a function has a whole processor: what one takes who does not look at the bill."""
COUNTS = ("processed", "written", "skipped", "failed", "timeUsed", "runsSucceeded", "failedPages")
"""What else might be a metric of each job."""


@dataclass(frozen=True)
class Lever:
    """Dollars of a month of the schedules and of watching: without it, and as it is."""

    name: str
    without: float
    now: float


def levers(
    schedules: Sequence[Schedule],
    machines: Mapping[str, Machine],
    rates: Rates,
    resources: Mapping[str, Any],
    users: int,
    changed: float,
    prices: Prices,
) -> list[Lever]:
    """Each lever for a site of this size. Of a range of dollars it is the higher end."""

    def runs(given: Iterable[Schedule], on: Mapping[str, Machine] = machines) -> float:
        return sum(each.dollars.high for each in month(given, on, rates, users, changed, prices))

    watched = watching(resources, len(machines), prices).dollars
    now = runs(schedules) + watched
    whole = [replace(schedule, incremental=False) for schedule in schedules]
    small = [replace(schedule, paging={}) for schedule in schedules]
    plenty = {
        name: replace(machine, batch=replace(machine.batch, memory=max(machine.batch.memory, PLENTY_MB)))
        for name, machine in machines.items()
    }
    more_metrics = prices["metric"].of(len(COUNTS) * len(machines))
    return [
        Lever("schedules that compute only what changed", runs(whole) + watched, now),
        Lever("large pages: fewer state transitions and calls", runs(small) + watched, now),
        Lever("memory as it is needed, not a processor for each function", runs(schedules, plenty) + watched, now),
        Lever("rows counted in the logs, not in metrics of each job", now + more_metrics, now),
    ]
