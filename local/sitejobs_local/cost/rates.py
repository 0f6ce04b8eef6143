"""What runs took on a machine at home, by job and size of the site: rates.json, made by tools/measure_rates.py."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RATES_FILE = Path(__file__).with_name("rates.json")


@dataclass(frozen=True)
class RunRate:
    """One run. Seconds are the sums over all calls of the functions Plan and Batch, in warm processes of a core each,
    without `pauseMs`; `log_bytes` is what all functions logged."""

    keys: int
    pages: int
    plan_seconds: float
    batch_seconds: float
    log_bytes: int


@dataclass(frozen=True)
class SizeRate:
    """A job on a synthetic site of so many users: a full run, and an incremental one after which nothing had changed.

    `fresh` is None for a job without incremental runs.
    """

    users: int
    full: RunRate
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


def _size(read: Mapping[str, object]) -> SizeRate:
    full, fresh = read["full"], read["fresh"]
    assert isinstance(full, dict)
    return SizeRate(
        users=int(str(read["users"])),
        full=RunRate(**full),
        fresh=RunRate(**fresh) if isinstance(fresh, dict) else None,
        snapshot_bytes=int(str(read["snapshot_bytes"])),
    )
