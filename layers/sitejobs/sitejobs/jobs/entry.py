"""A job as people know it."""

from dataclasses import dataclass

from sitejobs.options import JobOptions


@dataclass(frozen=True)
class JobEntry:
    """A job as people know it. `name` is also its state machine's; `noun`: what it pages through.

    `all_stale`: one change may make every result stale, so that an incremental page looks at few batches.
    """

    name: str
    group: str
    summary: str
    options: type[JobOptions]
    noun: str = "users"
    all_stale: bool = False
