"""What a paged job is: two functions, `plan` and `batch`, that the handlers call for every job alike."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, cast

from sitejobs.aliases import JsonObject
from sitejobs.jobs.entry import JobEntry
from sitejobs.options import JobOptions, Options
from sitejobs.postgres.connection import Database
from sitejobs.workstore import WorkStore

PAGES_A_CHAPTER = 500
"""Pages that one Map state fans out: its results stay far under Step Functions' 256 KB."""


Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Run:
    """What every page of a run shares; it travels in each payload, so it stays small."""

    id: str
    job: str
    started_at: datetime
    options: JsonObject = field(default_factory=dict)
    context: JsonObject = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        return {
            "id": self.id,
            "job": self.job,
            "startedAt": self.started_at.isoformat(),
            "options": self.options,
            "context": self.context,
        }

    @classmethod
    def from_json(cls, value: JsonObject) -> "Run":
        return cls(
            id=value["id"],
            job=value["job"],
            started_at=datetime.fromisoformat(value["startedAt"]),
            options=value["options"],
            context=value["context"],
        )


@dataclass(frozen=True)
class Chapter:
    """Up to `PAGES_A_CHAPTER` pages, and where the next chapter begins (None: there is none)."""

    pages: list[JsonObject]
    cursor: Any = None
    planned_pages: int = 0
    planned_users: int = 0
    context: JsonObject = field(default_factory=dict)
    message: str | None = None


@dataclass
class PageSummary:
    """Counts of one page. `reasons` says why records, or parts of them, were skipped or failed: code -> count."""

    processed: int = 0
    written: int = 0
    skipped: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count records that rightly end without a result."""
        if count:
            self.skipped += count
            self.reasons[reason] += count

    def fail(self, reason: str, count: int = 1) -> None:
        """Count records whose own data made them fail."""
        if count:
            self.failed += count
            self.reasons[reason] += count

    def note(self, reason: str, count: int = 1) -> None:
        """Count what was passed over within records: these have a result all the same."""
        if count:
            self.reasons[reason] += count

    def add(self, other: "PageSummary") -> None:
        """Count another part of the page."""
        self.processed += other.processed
        self.written += other.written
        self.skipped += other.skipped
        self.failed += other.failed
        self.reasons.update(other.reasons)


class Memory:
    """What one page opened and the next may use: the last thing of each kind, by the key that it was made for.

    `things`: what is there from the start, for the key None.
    """

    def __init__(self, *things: object) -> None:
        self._slots: dict[type, tuple[object, object]] = {type(thing): (None, thing) for thing in things}
        self._makers: dict[type, Callable[[], object]] = {}

    def promise(self, kind: type[Kind], make: Callable[[], Kind]) -> None:
        """Say how to make the thing of this kind that `promised` returns; it is made when it is first asked for."""
        self._makers[kind] = make

    def promised(self, kind: type[Kind]) -> Kind:
        """The one thing of this kind: there from the start, or made as promised."""
        return self.kept(kind, None, lambda: cast(Kind, self._makers[kind]()))

    def kept(self, kind: type[Kind], key: object, make: Callable[[], Kind]) -> Kind:
        """The thing of this kind made for an equal key, or a new one, which takes the last one's place."""
        known = self._slots.get(kind)
        if known is None or known[0] != key:
            self._slots.pop(kind, None)  # the last one's memory is free for the new one
            known = self._slots[kind] = (key, make())
        value = known[1]
        assert isinstance(value, kind)
        return value

    def holds(self, kind: type, key: object) -> bool:
        """Whether the thing of this kind was made for an equal key."""
        return kind in self._slots and self._slots[kind][0] == key

    def forget(self) -> None:
        """Forget everything."""
        self._slots.clear()


@dataclass(frozen=True)
class Resources:
    """What a job may use of the world: its database, the work files, and its settings.

    `memory` lives as long as the execution environment.
    `max_loss_percent`: share of a table, in percent, that a run may remove because its source has gone.
    """

    database: Database
    work: WorkStore
    environment: Mapping[str, str]
    memory: Memory = field(default_factory=Memory)
    max_loss_percent: int = 20


class PagedJob(Protocol):
    """What the handlers ask of a job.

    `plan(resources, run, options, cursor)` returns the next chapter; `batch(resources, run, options, page)`
    computes and writes one page in one transaction and may be called twice for the same page.
    """

    @property
    def entry(self) -> JobEntry: ...

    @property
    def options(self) -> type[Any]: ...

    @property
    def plan(self) -> Callable[[Resources, Run, Any, Any], Chapter]: ...

    @property
    def batch(self) -> Callable[[Resources, Run, Any, JsonObject], PageSummary]: ...


@dataclass(frozen=True)
class Job(Generic[Options]):
    """A paged job made of its two functions, as `PagedJob` describes them."""

    entry: JobEntry
    options: type[Options]
    plan: Callable[[Resources, Run, Options, Any], Chapter]
    batch: Callable[[Resources, Run, Options, JsonObject], PageSummary]


def scope_of(options: JobOptions) -> str:
    """What a run is about: runs of the same job and scope must not overlap."""
    for noun in ("user", "post", "media"):
        key = getattr(options, f"{noun}_id", None)
        if key is not None:
            return f"{noun}:{key}"
    return "all"
