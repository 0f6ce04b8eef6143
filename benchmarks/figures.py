"""What is measured, as plain data that goes through JSON."""

from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any


@dataclass(frozen=True)
class RunFigures:
    """A run of the command. Seconds are those of the whole command; peaks are of the functions' processes, in KiB."""

    seconds: float
    rows: int
    pages: int
    batch_peak_kb: int = 0
    plan_peak_kb: int = 0


@dataclass(frozen=True)
class PhaseFigures:
    """A phase of a run: its `calls` of a function, from the start of the first to the end of the last in `seconds`.

    call_seconds, longest_seconds : the median call, and the longest one.
    functions, server : seconds of processor time of the functions and of the database server meanwhile.
    peak_mb : most memory that a function's process had so far, with mapped files.
    own_mb : the most without these, as seen in passing.
    """

    calls: int
    seconds: float
    call_seconds: float
    longest_seconds: float
    functions: float
    server: float
    peak_mb: float
    own_mb: float


@dataclass(frozen=True)
class SearchFigures:
    """What one thread needs for a sample of pages from all over a snapshot.

    page_seconds : processor time of the search and the encoding of one page of `page_viewers` viewers, segments ready.
    segment_seconds : processor time of making one candidate's place on a segment.
    touched : candidates on the segments that a page needs, the mean. looked_at, scored: shares of pairs.
    cell_bytes, cell_seconds : memory and processor time of a viewer and a block when a group's bounds are made.
    """

    pages: int
    page_viewers: int
    page_seconds: float
    segment_seconds: float
    touched: float
    looked_at: float
    scored: float
    cell_bytes: float
    cell_seconds: float


@dataclass(frozen=True)
class PartFigures:
    """What one thread needs for a snapshot in one piece, and for every viewer against every candidate.

    read_seconds, snapshot_seconds : reading the population; that and making the snapshot's file.
    plain_seconds : the plain screening for everyone, of which `plain_viewers` were measured.
    """

    viewers: int
    candidates: int
    read_seconds: float
    snapshot_seconds: float
    snapshot_bytes: int
    plain_seconds: float
    plain_viewers: int


@dataclass(frozen=True)
class PhasedRun:
    """A run into empty tables, phase by phase.

    viewers, rows : who has matches, and how many. server_mb: most memory that the server's processes had together.
    table_bytes : of the job's tables. database_bytes: of the whole site.
    sampled_pages : how many pages were taken, if not all; all that depends on them is then counted for all.
    """

    users: int
    viewers: int
    rows: int
    seconds: float
    page_viewers: int
    phases: dict[str, PhaseFigures]
    server_mb: float
    wal_bytes: int
    table_bytes: int
    database_bytes: int
    snapshot_bytes: int
    search: SearchFigures
    sampled_pages: int = 0

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "PhasedRun":
        phases = {name: PhaseFigures(**phase) for name, phase in value["phases"].items()}
        return cls(**{**value, "phases": phases, "search": SearchFigures(**value["search"])})

    @property
    def pages(self) -> PhaseFigures:
        return self.phases["pages"]


@dataclass(frozen=True)
class Millions:
    """Runs on large sites. `machine` by parts: of the last one; `beside`: what else it did.

    samples : newer than the run of the same size.
    """

    machine: dict[str, str]
    beside: str
    runs: list[PhasedRun]
    samples: list[PhasedRun] = field(default_factory=list)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Millions":
        runs, samples = ([PhasedRun.from_json(run) for run in value.get(name, [])] for name in ("runs", "samples"))
        return cls(value["machine"], value["beside"], runs, samples)

    @property
    def newest(self) -> list[PhasedRun]:
        """Of each size the sample, if there is one, else the run; by size."""
        found = {run.users: run for run in (*self.runs, *self.samples)}
        return [found[users] for users in sorted(found)]

    def with_run(self, run: PhasedRun) -> "Millions":
        """The same with this run, which takes the place of those of its size: a sample only that of an older sample."""
        others = [sample for sample in self.samples if sample.users != run.users]
        if run.sampled_pages:
            return replace(self, samples=_by_size([*others, run]))
        return replace(self, runs=_by_size([*(it for it in self.runs if it.users != run.users), run]), samples=others)


def _by_size(runs: list[PhasedRun]) -> list[PhasedRun]:
    return sorted(runs, key=lambda run: run.users)


@dataclass(frozen=True)
class MergeFigures:
    """A snapshot of `parts` parts. Seconds of processor time; of a part, and of their merge."""

    users: int
    parts: int
    part_seconds: float
    part_peak_mb: float
    seconds: float
    peak_mb: float
    file_bytes: int


@dataclass(frozen=True)
class UserFigures:
    """A run for one user: the execution alone, from its start to its end, and the whole command. In seconds."""

    execution: float
    command: float


@dataclass(frozen=True)
class ChangeFigures:
    """Incremental runs: with nothing changed, and with `users` users changed: `viewers` were written."""

    nothing: RunFigures
    some: RunFigures
    users: int
    viewers: int


@dataclass(frozen=True)
class SizeFigures:
    """All figures of one site. Whole runs begin with an empty table; there is one entry a repetition.

    scheduled : a run with the options of the stack's schedule.
    """

    users: int
    load_seconds: float
    whole: list[RunFigures]
    scheduled: PhasedRun
    raw: list[float]
    row_bytes: float
    user: UserFigures
    changes: ChangeFigures
    parts: PartFigures

    @property
    def whole_seconds(self) -> float:
        return median(run.seconds for run in self.whole)

    @property
    def raw_seconds(self) -> float:
        return median(self.raw)

    @property
    def rows(self) -> int:
        return self.whole[-1].rows

    @property
    def batch_peak_kb(self) -> int:
        return max(run.batch_peak_kb for run in self.whole)

    @property
    def plan_peak_kb(self) -> int:
        return max(run.plan_peak_kb for run in self.whole)


@dataclass(frozen=True)
class Figures:
    """Everything, with the machine that it was measured on: its parts by name."""

    machine: dict[str, str]
    seed: int
    sizes: list[SizeFigures]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Figures":
        return cls(value["machine"], value["seed"], [_size(size) for size in value["sizes"]])


def _size(value: dict[str, Any]) -> SizeFigures:
    changes = value["changes"]
    nested = {
        "whole": [RunFigures(**run) for run in value["whole"]],
        "scheduled": PhasedRun.from_json(value["scheduled"]),
        "user": UserFigures(**value["user"]),
        "changes": ChangeFigures(
            RunFigures(**changes["nothing"]), RunFigures(**changes["some"]), changes["users"], changes["viewers"]
        ),
        "parts": PartFigures(**value["parts"]),
    }
    return SizeFigures(**(value | nested))
