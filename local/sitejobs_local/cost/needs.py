"""Whether the template has enough memory and storage for a site of a given size: match-scores' needs grow with it."""

from collections.abc import Iterable, Iterator, Mapping

from sitejobs_local.cost.estimate import Machine
from sitejobs_local.cost.paging import paging
from sitejobs_local.cost.schedules import Schedule

JOB = "match-scores"


def too_small_for(users: int, machines: Mapping[str, Machine], schedules: Iterable[Schedule]) -> Iterator[str]:
    """What is too small for so many users, with the largest pages that a schedule asks for."""
    from sitejobs.matching.options import PART_USERS
    from sitejobs.matching.snapshot.needs import Room, needed, too_small

    machine = machines[JOB]
    given = [schedule.paging.get(JOB, {}) for schedule in schedules if JOB in schedule.jobs]
    largest = max(paging(machine.entry, options).largest(users) for options in given or [{}])
    storage = int(machine.plan.environment.get("WORK_STORAGE_MB", 0))
    there = Room(machine.plan.memory, machine.batch.memory, storage)
    return too_small(there, needed(users, largest, PART_USERS), users)
