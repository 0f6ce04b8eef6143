"""The functions' CloudWatch metrics. The stack's dashboard and alarms use these names.

Each series is paid for by the month, so there is one by job only where an alarm or the dashboard reads it by job.
Counts of rows are in the log, where the dashboard sums them up.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext

RUN_SECONDS = "runSeconds"
TIME_USED, NEAR_TIME_LIMIT = "timeUsed", "nearTimeLimit"

NEAR = 0.8
"""Share of a function's time limit from which on an invocation counts as near it."""

EVERY_SERVICE = "all"
"""Stands for every service: an alarm watches one series, so the functions share this one."""

WORKFLOWS = "workflows"
"""Stands for all workflows, where failures are counted by job."""


def count(name: str, job: str | None = None) -> None:
    """Add one to a metric of the function's service; with `job` to the job's own."""
    _report(name, 1, MetricUnit.Count, job=job)


def report_seconds(job: str, seconds: float) -> None:
    """Report how long a run took that succeeded. How often this is reported, is how many runs did."""
    _report(RUN_SECONDS, seconds, MetricUnit.Seconds, job=job)


@contextmanager
def timed(context: LambdaContext) -> Iterator[None]:
    """Report the share of the time limit that an invocation took; one near the limit is counted for the alarm."""
    limit = context.get_remaining_time_in_millis()
    try:
        yield
    finally:
        used = 1 - context.get_remaining_time_in_millis() / limit if limit > 0 else 1.0
        _report(TIME_USED, round(100 * used, 1), MetricUnit.Percent, service=EVERY_SERVICE)
        if used >= NEAR:
            _report(NEAR_TIME_LIMIT, 1, MetricUnit.Count, service=EVERY_SERVICE)


def _report(name: str, value: float, unit: MetricUnit, *, job: str | None = None, service: str | None = None) -> None:
    with single_metric(name=name, unit=unit, value=value) as metric:
        if job is not None:
            metric.add_dimension(name="job", value=job)
        if service is not None:
            metric.add_dimension(name="service", value=service)
