"""What a run takes on a larger site, from what it took on two smaller ones."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from sitejobs_local.cost.rates import RunRate, SizeRate, Taken

MEASURED_CHANGE = 0.01
"""Share of the users that had changed before `SizeRate.changed`."""


@dataclass(frozen=True)
class Work:
    """A run on a site of a given size."""

    keys: int
    plan: Taken
    batch: Taken
    log_bytes_a_call: float


def work_of(sizes: Sequence[SizeRate], users: int, run: Callable[[SizeRate], RunRate | None]) -> Work | None:
    """The work of such a run, None if it was not measured.

    Plan's grows linearly with the site, that of a key as a power of the users.
    """
    measured = [(size.users, rate) for size in sizes if (rate := run(size)) is not None]
    if len(measured) < len(sizes):
        return None
    last_users, last = measured[-1]
    keys = math.ceil(last.keys * users / last_users)
    return Work(
        keys=keys,
        plan=_each(lambda name: _line([(size, getattr(rate.plan, name)) for size, rate in measured], users)),
        batch=_each(
            lambda name: (
                keys * _power([(size, getattr(rate.batch, name) / max(rate.keys, 1)) for size, rate in measured], users)
            )
        ),
        log_bytes_a_call=last.log_bytes / max(last.pages + 1, 1),
    )


def work_of_change(sizes: Sequence[SizeRate], users: int, changed: float) -> Work | None:
    """The work of an incremental run after this share of the users has changed.

    It lies on the line from a run after no change to one after the change that was measured, and beyond it on the line
    to a run for everybody. None for a job without incremental runs.
    """
    fresh = work_of(sizes, users, lambda size: size.fresh)
    some = work_of(sizes, users, lambda size: size.changed)
    full = work_of(sizes, users, lambda size: size.full)
    if fresh is None or some is None or full is None:
        return None
    if changed <= MEASURED_CHANGE:
        return _between(fresh, some, changed / MEASURED_CHANGE)
    return _between(some, full, (changed - MEASURED_CHANGE) / (1 - MEASURED_CHANGE))


def _between(low: Work, high: Work, share: float) -> Work:
    def mixed(early: Taken, late: Taken) -> Taken:
        return _each(lambda name: (1 - share) * getattr(early, name) + share * getattr(late, name))

    return Work(high.keys, mixed(low.plan, high.plan), mixed(low.batch, high.batch), high.log_bytes_a_call)


def _each(value: Callable[[str], float]) -> Taken:
    return Taken(*(value(field.name) for field in fields(Taken)))


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
