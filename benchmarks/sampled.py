"""A run of which only some pages are taken, one call after another in this process.

It tells what a run costs on a site where a whole one takes hours.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from psycopg import Connection

from benchmarks.figures import PhasedRun, PhaseFigures, SearchFigures
from benchmarks.hourly import Folder, busy_seconds, server_process, wal_bytes
from benchmarks.phases import EMPTY, MERGE, PAGES, PARTS, PLAN, page_viewers, stored_sizes, together_mb
from benchmarks.site import in_one_thread
from benchmarks.watching import forget_peak, status_mb
from sitejobs.jobs import runs
from sitejobs.jobs.job import Chapter, Resources, Run
from sitejobs.matching.match_scores.job import JOB
from sitejobs.options import parse_options
from sitejobs.postgres.connection import Database, connect


def sampled_run(
    url: str, environ: Mapping[str, str], users: int, options: Mapping[str, Any], pages: int, folder: Path
) -> PhasedRun:
    """A run with these options: the whole snapshot, then so many pages from all over it, for real, counted for all.

    `users`: of the site, by which it is called. `folder`: a place for the work files.
    """
    with connect(url) as connection, tempfile.TemporaryDirectory(dir=folder) as work:
        connection.execute(EMPTY)
        connection.execute("CHECKPOINT")
        sampled = _Sampled(connection, Resources(Database(url), Folder(Path(work)), environ), dict(options))
        chapter = sampled.prepare()
        planned, size = chapter.planned_users, page_viewers(users, options)
        starts = [int(start) // size * size for start in np.linspace(0, planned, 2 * pages + 1)[1::2]]
        sampled.warm_up(starts[0], size)
        connection.execute(EMPTY)
        wal = wal_bytes(connection)
        for number, start in enumerate(starts, 2):
            sampled.take(PAGES, {"page": number, "start": start, "stop": start + size})
        wal, share = wal_bytes(connection) - wal, planned / (size * len(starts))
        server_mb = together_mb(sampled.server)
        sampled.close()
        viewers, rows, database, tables = stored_sizes(connection)
        snapshot = Path(work) / sampled.run.context["snapshot"]
        search = in_one_thread("benchmarks.parts", str(snapshot), environ={**environ, "DATABASE_URL": url})
        return PhasedRun(
            users=users,
            viewers=round(viewers * share),
            rows=round(rows * share),
            seconds=0.0,
            page_viewers=size,
            phases=sampled.phases(share),
            server_mb=server_mb,
            wal_bytes=round(wal * share),
            table_bytes=round(tables * share),
            database_bytes=round(database + tables * (share - 1)),
            snapshot_bytes=snapshot.stat().st_size,
            search=SearchFigures(**search),
            sampled_pages=len(starts),
        )


_FIRST = "first page"


@dataclass(frozen=True)
class _Call:
    """What one call took, as `PhaseFigures` has it."""

    seconds: float
    functions: float
    server: float
    peak_mb: float
    own_mb: float


@dataclass
class _Sampled:
    """A run under way."""

    connection: Connection
    resources: Resources
    given: dict[str, Any]
    calls: dict[str, list[_Call]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server = server_process(self.connection)
        self.options = parse_options(JOB.options, self.given)
        opened = runs.open_run(
            self.resources.database.connection(), job=JOB.entry.name, scope="all", execution=os.urandom(8).hex(),
            trigger="api", options=self.given, stale_seconds=1800,
        )  # fmt: skip
        assert isinstance(opened, runs.OpenRun)
        self.run = Run(opened.id, JOB.entry.name, opened.started_at.astimezone(UTC), self.given, opened.context)

    def prepare(self) -> Chapter:
        """Make the snapshot; returns the first chapter of pages."""
        cursor = None
        while True:
            with self._measured(MERGE if PARTS in self.calls else PLAN):
                chapter = JOB.plan(self.resources, self.run, self.options, cursor)
            if chapter.context and chapter.context != self.run.context:
                self.run = replace(self.run, context=chapter.context)
                runs.set_context(self.resources.database.connection(), self.run.id, chapter.context)
            if "snapshot" in self.run.context:
                return chapter
            cursor = chapter.cursor
            for page in chapter.pages:
                self.take(PARTS, page)

    def take(self, phase: str, page: dict[str, Any]) -> None:
        with self._measured(phase):
            JOB.batch(self.resources, self.run, self.options, page)

    def warm_up(self, start: int, size: int) -> None:
        """Take a page that does not count: the first one of an environment fetches the snapshot."""
        self.take(_FIRST, {"page": 1, "start": start, "stop": start + size})
        del self.calls[_FIRST]

    def close(self) -> None:
        runs.close_run(self.resources.database.connection(), self.run.id, None)
        self.resources.database.close()

    def phases(self, share: float) -> dict[str, PhaseFigures]:
        """The figures of each phase; pages for all of them."""
        found = {}
        for name, calls in self.calls.items():
            times = share if name == PAGES else 1.0
            seconds = [call.seconds for call in calls]
            found[name] = PhaseFigures(
                calls=round(len(calls) * times),
                seconds=sum(seconds) * times,
                call_seconds=float(np.median(seconds)),
                longest_seconds=max(seconds),
                functions=sum(call.functions for call in calls) * times,
                server=sum(call.server for call in calls) * times,
                peak_mb=max(call.peak_mb for call in calls),
                own_mb=max(call.own_mb for call in calls),
            )
        return found

    @contextmanager
    def _measured(self, phase: str) -> Iterator[None]:
        forget_peak()
        started, busy, server = time.perf_counter(), time.process_time(), busy_seconds(self.server)
        yield
        call = _Call(
            seconds=time.perf_counter() - started,
            functions=time.process_time() - busy,
            server=busy_seconds(self.server) - server,
            peak_mb=status_mb(psutil.Process(), "VmHWM"),
            own_mb=status_mb(psutil.Process(), "RssAnon"),
        )
        self.calls.setdefault(phase, []).append(call)
