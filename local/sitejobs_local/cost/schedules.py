"""The schedules of a template: which jobs they run, with which input, and how often."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from sitejobs.aliases import JsonObject
from sitejobs.errors import InvalidInput
from sitejobs.options import parse_options
from sitejobs.workflows.options import AllOptions

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_UNITS = {"minute": 1, "hour": 60, "day": 1440}
_YEAR = [date(2026, 1, 1) + timedelta(days) for days in range(365)]
_EVERY = {1: "every minute", 60: "hourly", 1440: "daily", 10_080: "weekly"}


@dataclass(frozen=True)
class Schedule:
    """A rule that starts `all`: the jobs that this runs, how often, in words or as the expression has it.

    paging : options of single jobs, as the rule's input has them.
    """

    jobs: tuple[str, ...]
    incremental: bool
    when: str
    runs_a_month: float
    paging: Mapping[str, JsonObject] = field(default_factory=dict)


def paging_of(schedules: Iterable[Schedule], job: str, *, incremental: bool) -> JsonObject:
    """The options with which the first of these schedules starts such runs of a job, or else any runs of it."""
    found = [it for it in schedules if job in it.jobs]
    chosen = [it for it in found if it.incremental is incremental] or found
    return dict(chosen[0].paging.get(job, {})) if chosen else {}


def schedules_of(document: Mapping[str, Any]) -> Iterator[Schedule]:
    """The schedules of a template as `read_template` gives it, as if they were switched on.

    Raises
    ------
    InvalidInput : an expression cannot be reckoned with.
    """
    for resource in document["Resources"].values():
        rule = resource.get("Properties") or {}
        if resource["Type"] != "AWS::Events::Rule" or "ScheduleExpression" not in rule:
            continue
        expression = rule["ScheduleExpression"]
        starts = starts_of(expression)
        for target in rule["Targets"]:
            options = parse_options(AllOptions, json.loads(target["Input"]))
            when = _words(starts) or expression
            yield Schedule(options.jobs(), options.incremental, when, len(starts) / 12, options.paging)


def starts_of(expression: str) -> list[int]:
    """The minutes of a year of 365 days at which an expression of EventBridge (`rate`, `cron`) starts something.

    Raises
    ------
    InvalidInput : it is neither, or has one of cron's `L`, `W` and `#`.
    """
    rate = re.fullmatch(r"rate\(([1-9][0-9]*) (minute|hour|day)s?\)", expression)
    if rate:
        return list(range(0, len(_YEAR) * 1440, int(rate[1]) * _UNITS[rate[2]]))
    cron = re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", expression)
    try:
        if not cron:
            raise ValueError("neither rate nor cron")
        minutes, hours = _field(cron[1], 0, 59), _field(cron[2], 0, 23)
        days, months = _field(cron[3], 1, 31), _field(cron[4], 1, 12, _MONTHS)
        weekdays = _field(cron[5], 1, 7, _WEEKDAYS)
    except ValueError as error:
        raise InvalidInput(f"the schedule {expression!r} cannot be reckoned with: {error}") from None
    return [
        at * 1440 + hour * 60 + minute
        for at, day in enumerate(_YEAR)
        if day.day in days and day.month in months and day.isoweekday() % 7 + 1 in weekdays
        for hour in sorted(hours)
        for minute in sorted(minutes)
    ]


def _field(text: str, low: int, high: int, names: Sequence[str] = ()) -> set[int]:
    """What a field of a cron expression stands for: `*`, `?`, `5`, `1-5`, `5/15`, `SUN`, and lists of them."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = (str(low), "-", str(high)) if span in ("*", "?") else span.partition("-")
        begin = _value(first, low, names)
        end = _value(last, low, names) if last else high if step else begin
        found |= set(range(begin, end + 1, int(step or 1)))
    if not found or min(found) < low or max(found) > high:
        raise ValueError(f"{text} is not between {low} and {high}")
    return found


def _value(text: str, low: int, names: Sequence[str]) -> int:
    return names.index(text) + low if text in names else int(text)


def _words(starts: Sequence[int]) -> str | None:
    """How often it starts, in words, if the starts are evenly spaced."""
    gaps = {later - earlier for earlier, later in pairwise(starts)}
    if len(gaps) != 1:
        return None
    [gap] = gaps
    if gap in _EVERY:
        return _EVERY[gap]
    unit = next(unit for unit in ("day", "hour", "minute") if gap % _UNITS[unit] == 0)
    return f"every {gap // _UNITS[unit]} {unit}s"
