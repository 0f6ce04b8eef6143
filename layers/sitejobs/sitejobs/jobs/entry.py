"""A job as people know it."""

from dataclasses import dataclass

from sitejobs.options import JobOptions


@dataclass(frozen=True)
class JobEntry:
    """A job as people know it. `name` is also the name of its state machine; `noun`: what it goes through."""

    name: str
    group: str
    summary: str
    options: type[JobOptions]
    noun: str = "users"
