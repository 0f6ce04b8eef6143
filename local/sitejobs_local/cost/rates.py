"""What runs took on a machine at home, by job and size of the site: rates.json, made by `make bench ARGS=rates`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RATES_FILE = Path(__file__).with_name("rates.json")


@dataclass(frozen=True)
class Taken:
    """What all calls of a function took in a run.

    computes : seconds of processor time of the function. waits: the same of its database session meanwhile.
    trips : times that it waited for an answer of the database.
    """

    computes: float
    waits: float
    trips: float


@dataclass(frozen=True)
class RunRate:
    """One run, in a warm process, without `pauseMs`; `log_bytes` is what all functions logged."""

    keys: int
    pages: int
    plan: Taken
    batch: Taken
    log_bytes: int


@dataclass(frozen=True)
class SizeRate:
    """A job on a synthetic site of so many users.

    first : a full run with the default options, of a site without results. full: a full run as a schedule starts it,
    over results. changed: an incremental run as a schedule starts it, after a hundredth of the users has changed.
    fresh : the same when nothing has. A job without incremental runs has no `changed` and no `fresh`.
    """

    users: int
    first: RunRate
    full: RunRate
    changed: RunRate | None
    fresh: RunRate | None
    snapshot_bytes: int = 0


@dataclass(frozen=True)
class Rates:
    """All that was measured, each job's sizes in growing order."""

    date: str
    machine: str
    jobs: Mapping[str, Sequence[SizeRate]]

    def write(self, file: Path = RATES_FILE) -> None:
        """Keep them."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read_rates(file: Path = RATES_FILE) -> Rates:
    """The rates of a file."""
    read = json.loads(file.read_text(encoding="utf-8"))
    return Rates(
        read["date"], read["machine"], {job: [_size(size) for size in sizes] for job, sizes in read["jobs"].items()}
    )


def _size(read: Mapping[str, Any]) -> SizeRate:
    changed, fresh = read["changed"], read["fresh"]
    return SizeRate(
        users=int(read["users"]),
        first=_run(read["first"]),
        full=_run(read["full"]),
        changed=_run(changed) if changed else None,
        fresh=_run(fresh) if fresh else None,
        snapshot_bytes=int(read["snapshot_bytes"]),
    )


def _run(read: Mapping[str, Any]) -> RunRate:
    return RunRate(**{**read, "plan": Taken(**read["plan"]), "batch": Taken(**read["batch"])})
