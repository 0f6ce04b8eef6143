"""How often the schedules of the template start what."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sitejobs.errors import InvalidInput
from sitejobs.workflows.options import AllOptions
from sitejobs_local.cost.schedules import Schedule, schedules_of, starts_of
from sitejobs_local.places import TEMPLATE
from sitejobs_local.template.loops import read_template

DOCUMENT = read_template(TEMPLATE)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday


def test_the_templates_schedules_are_reckoned_with_as_they_are() -> None:
    found = list(schedules_of(DOCUMENT))
    assert found[2].paging == {"feed-presort": {"batchSize": 1000, "maxConcurrency": 8}}
    assert [replace(it, paging={}) for it in found] == [
        Schedule(AllOptions().jobs(), False, "daily", 365 / 12),
        Schedule(("match-model", "match-scores", "compatibility"), True, "hourly", 730),
        Schedule(("feed-presort",), True, "every 15 minutes", 2920),
        Schedule(("content-features", "trending"), True, "hourly", 730),
        Schedule(("media-metadata-batch",), False, "hourly", 730),
        Schedule(("match-model", "feed-presort-cleanup"), False, "weekly", 52 / 12),
    ]


def test_an_irregular_schedule() -> None:
    rule = DOCUMENT["Resources"]["DailyRule"]
    irregular = {**rule, "Properties": {**rule["Properties"], "ScheduleExpression": "cron(0 6,18 ? * MON-FRI *)"}}
    [found] = schedules_of({"Resources": {"DailyRule": irregular}})
    assert found.when == "cron(0 6,18 ? * MON-FRI *)"
    assert found.runs_a_month == pytest.approx(261 * 2 / 12)


@pytest.mark.parametrize(
    ("expression", "first", "count"),
    [
        ("rate(1 minute)", "01-01 00:00", 365 * 24 * 60),
        ("rate(6 hours)", "01-01 00:00", 365 * 4),
        ("rate(1 day)", "01-01 00:00", 365),
        ("cron(0 0 * * ? *)", "01-01 00:00", 365),
        ("cron(5/15 * * * ? *)", "01-01 00:05", 365 * 24 * 4),
        ("cron(*/20 8-10 * * ? *)", "01-01 08:00", 365 * 3 * 3),
        ("cron(30 12 1,15 * ? *)", "01-01 12:30", 24),
        ("cron(0 4 ? * SUN *)", "01-04 04:00", 52),
        ("cron(0 4 ? * 2-6 *)", "01-01 04:00", 261),
        ("cron(0 4 31 * ? *)", "01-31 04:00", 7),
        ("cron(0 4 1 JAN-MAR/2 ? *)", "01-01 04:00", 2),
    ],
)
def test_the_starts_of_a_year(expression: str, first: str, count: int) -> None:
    starts = starts_of(expression)
    assert len(starts) == len(set(starts)) == count
    assert starts == sorted(starts)
    assert (NEW_YEAR + timedelta(minutes=starts[0])).strftime("%m-%d %H:%M") == first
    assert starts[-1] < 365 * 24 * 60


@pytest.mark.parametrize(
    "expression",
    ["cron(0 0 L * ? *)", "cron(0 0 ? * 6#3 *)", "cron(60 0 * * ? *)", "cron(0 0 * *)", "rate(0 days)", "at noon"],
)
def test_what_is_not_understood_is_named(expression: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        starts_of(expression)
    assert f"the schedule {expression!r} cannot be reckoned with" in str(refused.value)
