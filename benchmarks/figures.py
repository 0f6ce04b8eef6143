"""What is measured, as plain data that goes through JSON."""

from dataclasses import asdict, dataclass
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
class PartFigures:
    """What one thread needs for the parts of a run.

    read_seconds, snapshot_seconds : reading the population; that and making the snapshot's file.
    page_seconds : processor time of the search and the encoding of one page of `page_viewers` viewers, segments ready.
    segment_seconds : processor time of making one candidate's place on a segment.
    touched : share of the candidates on segments that a page needs. looked_at, scored: shares of pairs.
    plain_seconds : the plain screening for everyone, of which `plain_viewers` were measured.
    cell_bytes, cell_seconds : memory and processor time of a viewer and a block when bounds are compared.
    """

    viewers: int
    candidates: int
    read_seconds: float
    snapshot_seconds: float
    snapshot_bytes: int
    pages: int
    page_viewers: int
    page_seconds: float
    segment_seconds: float
    touched: float
    looked_at: float
    scored: float
    plain_seconds: float
    plain_viewers: int
    cell_bytes: float
    cell_seconds: float


@dataclass(frozen=True)
class SizeFigures:
    """All figures of one site. Whole runs begin with an empty table; there is one entry a repetition."""

    users: int
    load_seconds: float
    whole: list[RunFigures]
    unpaused: list[RunFigures]
    raw: list[float]
    row_bytes: float
    user: UserFigures
    changes: ChangeFigures
    parts: PartFigures

    @property
    def whole_seconds(self) -> float:
        return median(run.seconds for run in self.whole)

    @property
    def unpaused_seconds(self) -> float:
        return median(run.seconds for run in self.unpaused)

    @property
    def raw_seconds(self) -> float:
        return median(self.raw)

    @property
    def rows(self) -> int:
        return self.whole[-1].rows

    @property
    def batch_peak_kb(self) -> int:
        return max(run.batch_peak_kb for run in (*self.whole, *self.unpaused))

    @property
    def plan_peak_kb(self) -> int:
        return max(run.plan_peak_kb for run in (*self.whole, *self.unpaused))


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
    runs = {name: [RunFigures(**run) for run in value[name]] for name in ("whole", "unpaused")}
    nested = {
        "user": UserFigures(**value["user"]),
        "changes": ChangeFigures(
            RunFigures(**changes["nothing"]), RunFigures(**changes["some"]), changes["users"], changes["viewers"]
        ),
        "parts": PartFigures(**value["parts"]),
    }
    return SizeFigures(**(value | runs | nested))
