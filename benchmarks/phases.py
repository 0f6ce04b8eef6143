"""A whole run phase by phase: Plan, the snapshot's parts, their merge, the pages.

What each phase takes of a clock, of the functions' and of the server's processors, and of memory.
"""

import resource
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, LiteralString

import numpy as np
import psutil
from psycopg import Connection

from benchmarks.figures import PhasedRun, PhaseFigures, SearchFigures
from benchmarks.hourly import busy_seconds, server_process, wal_bytes
from benchmarks.site import in_one_thread
from benchmarks.watching import handler_of, status_mb
from sitejobs.matching.match_scores.job import JOB as MATCH_SCORES
from sitejobs.matching.match_scores.paging import viewers_a_page
from sitejobs.matching.snapshot.file import MAGIC
from sitejobs.options import parse_options
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.invocations import Event
from sitejobs_local.cost.schedules import paging_of, schedules_of
from sitejobs_local.database.target import open_target
from sitejobs_local.places import TEMPLATE
from sitejobs_local.runs.runner import execute, workshop_of
from sitejobs_local.template.loops import read_template

JOB = "match-scores"
PLAN, PARTS, MERGE, PAGES = "plan", "parts", "merge", "pages"
TABLES = ("MatchList", "MatchListChange", "MatchScoreViewer")
_FUNCTIONS = {PLAN: "plan", PARTS: "batch", MERGE: "plan", PAGES: "batch"}
_LOOK_SECONDS = 1.0

EMPTY: Final[LiteralString] = """TRUNCATE "MatchList", "MatchListChange", "MatchScoreViewer" """
_STORED: Final[LiteralString] = """
SELECT count(*) FILTER (WHERE "rows" > 0), COALESCE(sum("rows"), 0)::bigint FROM "MatchScoreViewer"
"""
_SIZES: Final[LiteralString] = """
SELECT pg_database_size(current_database()), sum(pg_total_relation_size(quote_ident(name)))::bigint
FROM unnest(%s::text[]) AS of_job (name)
"""


def scheduled_options() -> dict[str, Any]:
    """The options with which the stack's schedule starts a run for everybody."""
    return paging_of(schedules_of(read_template(TEMPLATE)), JOB, incremental=False)


def page_viewers(users: int, given: Mapping[str, Any]) -> int:
    """Viewers of a page of a run for everybody with these options."""
    options = parse_options(MATCH_SCORES.options, given)
    return viewers_a_page(users, options.batch_size, options.max_concurrency)


def phased_run(environ: Mapping[str, str], users: int, options: Mapping[str, Any]) -> PhasedRun:
    """A run with these options into empty tables of the site of so many users that `environ` points at."""
    with open_target(environ) as target, connect(target.url) as connection:
        workshop, calls = workshop_of(target, environ, JOB), _Calls()
        connection.execute(EMPTY)
        connection.execute("CHECKPOINT")
        wal, begun = wal_bytes(connection), time.time()
        with _watched(connection) as looks:
            started = time.perf_counter()
            ended = execute(
                JOB,
                {**options, "trigger": "cli"},
                f"bench-{uuid.uuid4()}",
                target=target,
                workshop=workshop,
                environ=environ,
                listen=lambda _, event: calls.hear(event),
            )
            seconds = time.perf_counter() - started
        if ended.status != "SUCCEEDED":
            raise RuntimeError(f"the run ended {ended.status}: {ended.error}: {ended.cause}")
        wal = wal_bytes(connection) - wal
        viewers, rows, database, tables = stored_sizes(connection)
        snapshot = snapshot_since(workshop.work_folder, begun)
        of_pages = {**environ, "DATABASE_URL": target.url}
        return PhasedRun(
            users=users,
            viewers=viewers,
            rows=rows,
            seconds=seconds,
            page_viewers=page_viewers(users, options),
            phases={name: _figures(name, some, looks) for name, some in calls.by_phase().items()},
            server_mb=max(look.server_mb for look in looks),
            wal_bytes=wal,
            table_bytes=tables,
            database_bytes=database,
            snapshot_bytes=snapshot.stat().st_size,
            search=SearchFigures(**in_one_thread("benchmarks.parts", str(snapshot), environ=of_pages)),
        )


@dataclass(frozen=True)
class _Call:
    """One call of Plan, or of a page: when on the performance counter, and the process's most memory so far in MB."""

    started: float
    ended: float
    peak_mb: float


@dataclass
class _Calls:
    """The calls of each phase, as the machine tells of them."""

    done: dict[str, list[_Call]] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        given = event.event
        if event.kind != "finished" or event.seconds is None or not isinstance(given, dict):
            return
        phase = self._phase(given)
        if phase is not None:
            now, peak = time.perf_counter(), event.peak_memory_kb or 0
            self.done.setdefault(phase, []).append(_Call(now - event.seconds, now, peak / 1024))

    def by_phase(self) -> dict[str, list[_Call]]:
        return {name: self.done[name] for name in _FUNCTIONS if name in self.done}

    def _phase(self, given: Mapping[str, Any]) -> str | None:
        if "page" in given:
            return PARTS if "part" in given["page"] else PAGES
        if "cursor" not in given or PAGES in self.done:
            return None  # another function, or Plan between two chapters of pages
        return MERGE if PARTS in self.done else PLAN


@dataclass(frozen=True)
class _Look:
    """At one moment: processor time so far in seconds, and memory in MB.

    own_mb : of a process of each function the most that is its own, without mapped files.
    """

    at: float
    functions: float
    server: float
    own_mb: dict[str, float]
    server_mb: float


@contextmanager
def _watched(connection: Connection) -> Iterator[list[_Look]]:
    """Look at the functions' processes and the server's until the block ends; the list is whole after it."""
    server, done = server_process(connection), threading.Event()
    looks = [_look(server)]

    def watch() -> None:
        while not done.wait(_LOOK_SECONDS):
            with suppress(psutil.Error, OSError):  # a process has ended meanwhile
                looks.append(_look(server))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield looks
    finally:
        done.set()
        thread.join()
        looks.append(_look(server))


def _look(server: psutil.Process) -> _Look:
    busy, own = functions_so_far()
    return _Look(time.perf_counter(), busy, busy_seconds(server), own, together_mb(server))


def functions_so_far() -> tuple[float, dict[str, float]]:
    """Seconds of processor time of the functions' processes, and of each function the most memory of its own in MB.

    Every process that has ended counts, as the system counts those that were waited for: seldom is it no function's.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = ended.ru_utime + ended.ru_stime
    own: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error, OSError):
            has_ended = process.status() == psutil.STATUS_ZOMBIE
            handler = None if has_ended else handler_of(process)
            if handler is not None:
                function = handler.rpartition(".")[2]
                own[function] = max(own.get(function, 0.0), status_mb(process, "RssAnon"))
            if has_ended or handler is not None:
                used = process.cpu_times()
                busy += used.user + used.system
    return busy, own


def together_mb(server: psutil.Process) -> float:
    """Memory of a server's processes, that which they share once."""
    total = 0
    for process in (server, *server.children()):
        with suppress(OSError):
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _figures(name: str, calls: Sequence[_Call], looks: Sequence[_Look]) -> PhaseFigures:
    started, ended = min(call.started for call in calls), max(call.ended for call in calls)
    within = [look for look in looks if started <= look.at <= ended]
    return PhaseFigures(
        calls=len(calls),
        seconds=ended - started,
        call_seconds=float(np.median([call.ended - call.started for call in calls])),
        longest_seconds=max(call.ended - call.started for call in calls),
        functions=_between(started, ended, looks, [look.functions for look in looks]),
        server=_between(started, ended, looks, [look.server for look in looks]),
        peak_mb=max(call.peak_mb for call in calls),
        own_mb=max((look.own_mb.get(_FUNCTIONS[name], 0.0) for look in within), default=0.0),
    )


def _between(started: float, ended: float, looks: Sequence[_Look], values: Sequence[float]) -> float:
    """What a growing value grew by, with lines between the looks.

    An environment that is waited for during a look may be missing in it: its time so far counts on.
    """
    grown = np.maximum.accumulate(values)
    low, high = np.interp([started, ended], [look.at for look in looks], grown)
    return float(high - low)


def stored_sizes(connection: Connection) -> tuple[int, int, int, int]:
    """Viewers with matches and their matches; bytes of the database and of the job's tables."""
    found: list[int] = []
    for query, given in ((_STORED, None), (_SIZES, [list(TABLES)])):
        row = connection.execute(query, given).fetchone()
        assert row is not None
        found += map(int, row)
    viewers, rows, database, tables = found
    return viewers, rows, database, tables


def snapshot_since(folder: Path, moment: float) -> Path:
    """The snapshot among the files that a run has written since then. The rows that it kept may be a larger one."""
    for file in folder.rglob("*.data"):
        about = file.stat()
        with file.open("rb") as opened:
            opened.seek(max(about.st_size - len(MAGIC), 0))
            if about.st_mtime >= moment and opened.read() == MAGIC:
                return file
    raise FileNotFoundError(f"no snapshot of a run in {folder}")
