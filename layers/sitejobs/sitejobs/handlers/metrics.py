"""The functions' CloudWatch metrics. The stack's dashboard and alarms use these names."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext

RUNS_SUCCEEDED, RUN_SECONDS, FAILED_PAGES = "runsSucceeded", "runSeconds", "failedPages"
TIME_USED, NEAR_TIME_LIMIT = "timeUsed", "nearTimeLimit"

NEAR = 0.8
"""Share of a function's time limit from which on an invocation counts as near it."""

EVERY_SERVICE = "all"
"""Stands for every service: an alarm watches one series, so the functions share this one."""

metrics = Metrics()


def count(name: str, value: float) -> None:
    """Add to a metric of the function's service, which has the job's name."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def count_of_job(name: str, job: str, value: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
    """Add to a metric of a job's runs: each job has its own series."""
    with single_metric(name=name, unit=unit, value=value) as metric:
        metric.add_dimension(name="job", value=job)


@contextmanager
def timed(context: LambdaContext) -> Iterator[None]:
    """Report the share of the time limit that an invocation took; one near the limit is counted for the alarm."""
    limit = context.get_remaining_time_in_millis()
    try:
        yield
    finally:
        used = 1 - context.get_remaining_time_in_millis() / limit if limit > 0 else 1.0
        metrics.add_metric(name=TIME_USED, unit=MetricUnit.Percent, value=round(100 * used, 1))
        if used >= NEAR:
            with single_metric(name=NEAR_TIME_LIMIT, unit=MetricUnit.Count, value=1) as metric:
                metric.add_dimension(name="service", value=EVERY_SERVICE)
