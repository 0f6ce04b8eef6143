"""What a paged job is: two functions, `plan` and `batch`, that the handlers call for every job alike."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, cast

from sitejobs.aliases import JsonObject
from sitejobs.jobs.entry import JobEntry
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.options import JobOptions, Options
from sitejobs.postgres.connection import Database
from sitejobs.workstore import WorkStore

PAGES_A_CHAPTER = 500
"""Most pages of one Map state: its results stay far below the 256 KB that Step Functions allows."""

PAGES_A_DRY_CHAPTER = 250
"""The same of a dry run, whose pages report more."""


Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Run:
    """What all pages of a run share. It is part of every payload, so it stays small."""

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
    """Up to `PAGES_A_CHAPTER` pages, and the cursor of the next chapter (None: this is the last).

    context : what all pages from this chapter on share. Of a later chapter it may be empty: then it stays as it was.
    """

    pages: list[JsonObject]
    cursor: Any = None
    planned_pages: int = 0
    planned_users: int = 0
    context: JsonObject = field(default_factory=dict)
    message: str | None = None


@dataclass
class PageSummary:
    """Counts of one page.

    reasons : why records, or parts of them, were skipped or failed; code -> count.
    compared : of a dry run: counts of `jobs/comparison.py`.
    """

    processed: int = 0
    written: int = 0
    skipped: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)

    def skip(self, reason: SkipReason, count: int = 1) -> None:
        """Count records that get no result, and should not."""
        if count:
            self.skipped += count
            self.reasons[reason] += count

    def fail(self, reason: str, count: int = 1) -> None:
        """Count records that failed because of their own data."""
        if count:
            self.failed += count
            self.reasons[reason] += count

    def note(self, reason: str, count: int = 1) -> None:
        """Count parts of records that were passed over; the records themselves have a result."""
        if count:
            self.reasons[reason] += count

    def add(self, other: "PageSummary") -> None:
        """Add the counts of another part of the page."""
        self.processed += other.processed
        self.written += other.written
        self.skipped += other.skipped
        self.failed += other.failed
        self.reasons.update(other.reasons)
        self.compared.update(other.compared)


class Memory:
    """What one page made and the next may use: the last thing of each kind, with the key that it was made for.

    `things` are there from the start, with the key None.
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
        """The thing of this kind if its key is equal; otherwise a new one, which replaces it."""
        known = self._slots.get(kind)
        if known is None or known[0] != key:
            self._slots.pop(kind, None)  # frees the old one's memory before the new one is made
            known = self._slots[kind] = (key, make())
        value = known[1]
        assert isinstance(value, kind)
        return value

    def holds(self, kind: type, key: object) -> bool:
        """Whether there is a thing of this kind with an equal key."""
        return kind in self._slots and self._slots[kind][0] == key

    def forget(self) -> None:
        """Forget everything."""
        self._slots.clear()


@dataclass(frozen=True)
class Resources:
    """What a job may use: the database, the work files, the settings.

    `memory` lives as long as the execution environment.
    `max_loss_percent`: percentage of a table's rows that a run may remove because their source has gone.
    """

    database: Database
    work: WorkStore
    environment: Mapping[str, str]
    memory: Memory = field(default_factory=Memory)
    max_loss_percent: int = 20


class PagedJob(Protocol):
    """What the handlers require of a job.

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


def is_dry(options: JobOptions) -> bool:
    """Whether the run compares its results with what is stored instead of writing them."""
    return bool(getattr(options, "dry_run", False))


def pages_a_chapter(options: JobOptions) -> int:
    """Most pages of one Map state in a run with these options."""
    return PAGES_A_DRY_CHAPTER if is_dry(options) else PAGES_A_CHAPTER


def scope_of(options: JobOptions) -> str:
    """What a run is about, e.g. `user:8`. Runs of the same job and scope must not overlap.

    A dry run has a scope of its own: it hinders no run that writes, and no later run takes it for one that wrote.
    """
    about = "all"
    for noun in ("user", "post", "media"):
        key = getattr(options, f"{noun}_id", None)
        if key is not None:
            about = f"{noun}:{key}"
    return f"dry-run:{about}" if is_dry(options) else about
