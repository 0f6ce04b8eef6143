# ruff: noqa: T201 - a command: it prints
"""Measure what runs of every job take on this machine, for `sitejobs cost`: a few minutes on a quiet machine.

    python tools/measure_rates.py [--users 2000 10000]

Each size is a synthetic site in an embedded PostgreSQL of its own; every job runs whole, then incrementally with
nothing changed. What the functions take is kept in local/sitejobs_local/cost/rates.json.
"""

import argparse
import platform
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sitejobs.catalog import JOBS
from sitejobs.jobs.entry import JobEntry
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.cost.rates import RATES_FILE, Rates, RunRate, SizeRate
from sitejobs_local.database import migrations
from sitejobs_local.database.postgres import reset, running_postgres
from sitejobs_local.places import TEMPLATE
from sitejobs_local.population import generate, load

SIZES = (2000, 10_000)
FIRST = ("build-user-traits", "match-scores")
"""Jobs that others need; the rest in the order of the catalog."""


def measure(sizes: Sequence[int], folder: Path, jobs: Sequence[str] | None = None) -> Rates:
    """Run the jobs (all of the catalog, unless named) on sites of these sizes, in growing order."""
    names = sorted(jobs or JOBS, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    measured: dict[str, list[SizeRate]] = defaultdict(list)
    for users in sorted(sizes):
        home = folder / str(users)
        home.mkdir(mode=0o711)
        with running_postgres(home) as server:
            with connect(server.url) as connection:
                migrations.apply_site_schema(connection)
                migrations.apply(connection)
                load(connection, generate(users, 1, datetime.now(UTC)))
                connection.execute("ANALYZE")
            for name in names:
                rate = _measured(JOBS[name], users, server.url, home)
                if rate is not None:
                    measured[name].append(rate)
        reset(home)
    return Rates(
        f"{datetime.now(UTC):%Y-%m-%d}", f"{platform.machine()}, Python {platform.python_version()}", dict(measured)
    )


def _measured(entry: JobEntry, users: int, url: str, home: Path) -> SizeRate | None:
    """A job's full and incremental run; None when the synthetic site has nothing for it to do."""
    work = home / "work"
    fields = entry.options.model_fields
    options: dict[str, Any] = {"pauseMs": 0} if "pause_ms" in fields else {}
    try:
        full = _run(entry.name, options, url, work, home / "log")
    except RuntimeError as error:
        print(f"{entry.name}: not measured: {error}")
        return None
    if not full.keys:
        print(f"{entry.name}: not measured: the synthetic site has nothing for it")
        return None
    fresh = _run(entry.name, options | {"incremental": True}, url, work, home / "log")
    snapshots = [file.stat().st_size for file in work.rglob("*") if file.is_file()] if work.is_dir() else []
    print(f"{entry.name}: {users:,} users: {full.batch_seconds:.1f} s, nothing changed {fresh.batch_seconds:.1f} s")
    of_snapshot = max(snapshots, default=0) if entry.name == "match-scores" else 0
    return SizeRate(users, full, fresh, of_snapshot)


def _run(job: str, options: dict[str, Any], url: str, work: Path, log: Path) -> RunRate:
    seconds = {"plan": 0.0, "batch": 0.0}

    def count(event: Event) -> None:
        if event.kind != "finished" or event.seconds is None or not isinstance(event.result, dict):
            return
        if "planned" in event.result:
            seconds["plan"] += event.seconds
        elif "processed" in event.result and "page" in event.result:
            seconds["batch"] += event.seconds

    log.unlink(missing_ok=True)
    # One page at a time: beside each other they would wait for this machine's few processors.
    given = {**options, "maxConcurrency": 1, "trigger": "cli"}
    with LocalMachine(
        TEMPLATE, database_url=url, log_file=log, on_event=count, prewarm=(job,), work_folder=work
    ) as machine:
        ended = machine.run(job, given)
    if ended.status != "SUCCEEDED":
        raise RuntimeError(f"{ended.status} {ended.error}")
    summary = ended.output
    return RunRate(summary["processed"], summary["pages"], seconds["plan"], seconds["batch"], log.stat().st_size)


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description="measure what runs take, for `sitejobs cost`")
    parser.add_argument("--users", type=int, nargs=2, default=SIZES)
    parser.add_argument("--rates", type=Path, default=RATES_FILE)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sitejobs-rates-"))
    folder.chmod(0o711)
    try:
        measure(given.users, folder).write(given.rates)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
