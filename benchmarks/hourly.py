"""What incremental runs of match-scores cost beside a run for everybody: `make bench ARGS=hourly`.

    python -m benchmarks hourly --users 10000 --seed 1

Pages run one by one in this process. What is measured hardly depends on what else the machine does: processor time of
the functions and of the server, write-ahead log, lists written.
"""

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path

import psutil
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.command import add_sites, command_parser, note, tell
from benchmarks.site import LOSE_INTEREST, MOVE, TURN_TRAIT, bench_site, some_users
from sitejobs.jobs import runs
from sitejobs.jobs.job import Resources, Run
from sitejobs.matching.match_scores.job import JOB
from sitejobs.options import parse_options
from sitejobs.postgres.connection import Database, connect
from tools.docs import table

SIZES = (10_000, 100_000)
PART = "hourly"
SHARES = (0.001, 0.01)
FULL_RUNS = 3
"""Runs for everybody that are measured, after a first one into empty tables."""

MANY_USERS = 50_000
"""From so many users on one is measured: a run takes minutes."""

_TOUCH = """
UPDATE "Profile" SET "updatedAt" = CURRENT_TIMESTAMP AT TIME ZONE 'UTC' WHERE "userId" = ANY(%(ids)s)
RETURNING "userId"
"""
KINDS = {"moved": MOVE, "an interest": LOSE_INTEREST, "a trait": TURN_TRAIT, "updatedAt": _TOUCH}


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds of processor time of the functions and of the server, and bytes of write-ahead log.

    lists : those written. reasons: all counters of the run.
    """

    functions: float
    server: float
    wal: int
    lists: int
    reasons: Counter[str]

    @property
    def processor(self) -> float:
        return self.functions + self.server


@dataclass(frozen=True)
class Figures:
    """One site's: of the runs for everybody that write all lists anew the cheapest, and the incremental runs."""

    users: int
    full: Cost
    runs: dict[tuple[str, float], Cost]


class Folder:
    """The work bucket as a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_file(self, key: str, path: Path) -> None:
        (self._folder / key).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, self._folder / key)

    def size(self, key: str) -> int:
        return (self._folder / key).stat().st_size

    def read(self, key: str, start: int, length: int) -> bytes:
        with (self._folder / key).open("rb") as file:
            file.seek(start)
            return file.read(length)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print, and with the standard sizes write the table; returns the exit status."""
    parser = command_parser("hourly", __doc__)
    add_sites(parser, SIZES)
    given = parser.parse_args(arguments)
    content = shown([measure(users, given.seed, given.folder) for users in given.users])
    tell(content, PART, standard=tuple(given.users) == SIZES)
    return 0


def measure(users: int, seed: int, folder: Path) -> Figures:
    """All figures of one size. Each incremental run has a copy of the site as a run for everybody has left it."""
    note(f"{users:,} users: making the site")
    with bench_site(folder, users, seed) as site, tempfile.TemporaryDirectory() as work:
        runner, found = Runner(site.url, Path(work)), {}
        runner.cost({"rewriteEpsilon": 0})
        full = [runner.cost({"rewriteEpsilon": 0}) for _ in range(1 if users >= MANY_USERS else FULL_RUNS)]
        note(f"  full runs: {full}")
        for share in SHARES:
            for number, (kind, change) in enumerate(KINDS.items()):
                with _copied(site.url, Path(work)) as copy:
                    with connect(copy.url) as connection:
                        ids = some_users(connection, seed + number, max(1, round(users * share)))
                        connection.execute(change, {"ids": ids})
                    found[kind, share] = copy.cost({"incremental": True})
                note(f"  {share:.1%} {kind}: {found[kind, share]}")
        return Figures(users, min(full, key=lambda cost: cost.processor), found)


@contextmanager
def _copied(url: str, work: Path) -> Iterator["Runner"]:
    """A runner on a copy of the database, on the same server, and of the work files."""
    copy, source = sql.Identifier("copy"), sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
    with connect(make_conninfo(url, dbname="postgres")) as server, tempfile.TemporaryDirectory() as folder:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, source))
        try:
            files = Path(folder) / "work"
            shutil.copytree(work, files)
            yield Runner(make_conninfo(url, dbname="copy"), files)
        finally:
            server.execute(sql.SQL("DROP DATABASE {}").format(copy))


class Runner:
    """Runs in this process, in one environment as a function has it."""

    def __init__(self, url: str, work: Path) -> None:
        self.url, self._work = url, Folder(work)

    def cost(self, given: dict[str, object]) -> Cost:
        """Run, and say what it took."""
        with connect(self.url) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
            server, wal, own = server_seconds(connection), wal_bytes(connection), sum(os.times()[:2])
            resources = Resources(Database(self.url), self._work, {})
            reasons = self._run(resources, given)
            own = sum(os.times()[:2]) - own
            # Before the connection ends: a process that has just ended is in nobody's account for a moment.
            server, wal = server_seconds(connection) - server, wal_bytes(connection) - wal
            resources.database.close()
            return Cost(own, server, wal, reasons["processed"] - reasons["skipped"], reasons)

    def _run(self, resources: Resources, given: dict[str, object]) -> Counter[str]:
        options = parse_options(JOB.options, given)
        connection = resources.database.connection()
        opened = runs.open_run(
            connection, job=JOB.entry.name, scope="all", execution=os.urandom(8).hex(), trigger="api", options=given,
            stale_seconds=1800,
        )  # fmt: skip
        assert isinstance(opened, runs.OpenRun)
        run = Run(opened.id, JOB.entry.name, opened.started_at.astimezone(UTC), given, opened.context)
        cursor, results, chapters = None, [], 0
        reasons: Counter[str] = Counter()
        while not chapters or cursor is not None:
            chapter = JOB.plan(resources, run, options, cursor)
            if chapter.context and chapter.context != run.context:
                run = replace(run, context=chapter.context)
                runs.set_context(connection, run.id, chapter.context)
            for page in chapter.pages:
                summary = JOB.batch(resources, run, options, page)
                counts = {name: getattr(summary, name) for name in runs.COUNTERS}
                results.append({"page": page["page"], **counts, "reasons": dict(summary.reasons)})
                reasons.update(summary.reasons)
                reasons.update(counts)
            cursor, chapters = chapter.cursor, chapters + 1
        runs.record_chapter(connection, run.id, 1, results)
        runs.close_run(connection, run.id, None)
        return reasons


def server_process(connection: Connection) -> psutil.Process:
    """The server's main process, parent of all others."""
    row = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert row is not None
    return psutil.Process(int(row[0].split()[0]))


def server_seconds(connection: Connection) -> float:
    """Processor time of all the server's processes so far, ended ones included."""
    return busy_seconds(server_process(connection))


def busy_seconds(process: psutil.Process) -> float:
    """Processor time of a process and its children so far, ended ones included."""
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children():
        own = child.cpu_times()
        total += own.user + own.system
    return float(total)


def wal_bytes(connection: Connection) -> int:
    """Bytes of write-ahead log so far."""
    row = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").fetchone()
    assert row is not None
    return int(row[0])


def shown(sizes: Sequence[Figures]) -> str:
    """A row a kind of change and a share of changed users."""
    head = ("users", "changed", "share", "processor", "of a full run's", "WAL", "of a full run's", "lists written")
    rows = []
    for it in sizes:
        rows.append((f"{it.users:,}", "full run", "", f"{it.full.processor:.1f} s", "", _mb(it.full.wal), "", ""))
        for (kind, share), cost in it.runs.items():
            rows.append(
                (
                    f"{it.users:,}",
                    kind,
                    f"{share:.1%}",
                    f"{cost.processor:.1f} s ({cost.functions:.1f} + {cost.server:.1f})",
                    f"{cost.processor / it.full.processor:.1%}",
                    _mb(cost.wal),
                    f"{cost.wal / it.full.wal:.1%}",
                    f"{cost.lists:,}",
                )
            )
    return table(head, rows)


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


PARTS: dict[str, Callable[[Sequence[Figures]], str]] = {PART: shown}
"""The marked part of the page, and what makes it."""


if __name__ == "__main__":
    sys.exit(main())
