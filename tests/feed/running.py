"""Whole runs of a job over posts or users in this process: Plan and Batch called as the state machine calls them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PagedJob, PageSummary, Resources, Run
from sitejobs.options import parse_options
from tests.databases import warm_database
from tests.fakes import FolderWorkStore
from tests.job_runs import through_json

NO_FILES = Path("nowhere")
"""These jobs keep no work files."""


@dataclass
class Finished:
    """What a run did: its pages as planned, and its summed counters."""

    pages: list[JsonObject] = field(default_factory=list)
    chapters: int = 0
    planned: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    message: str | None = None

    @property
    def refreshed(self) -> int:
        """Number of keys that were not skipped as fresh."""
        return self.counts["processed"] - self.reasons["fresh"]


def run(
    url: str,
    job: PagedJob,
    at: datetime,
    meanwhile: Callable[[], object] = lambda: None,
    environment: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> Finished:
    """Run the job at `at`; `meanwhile` is called between the last Plan and the first Batch."""
    parsed = parse_options(job.options, options)
    started = Run("1", job.entry.name, at, options)
    finished = Finished()
    cursor: Any = None
    with warm_database(url) as database:
        resources = Resources(database, FolderWorkStore(NO_FILES), environment)
        while not finished.chapters or cursor is not None:
            chapter = job.plan(resources, started, parsed, cursor)
            if cursor is None:
                started = Run.from_json(through_json(Run("1", job.entry.name, at, options, chapter.context).to_json()))
                finished.message, finished.planned = chapter.message, chapter.planned_users
            finished.chapters += 1
            cursor = through_json(chapter.cursor)
            finished.pages += through_json(chapter.pages)
        meanwhile()
        for page in finished.pages:
            summary = job.batch(resources, started, parsed, page)
            add(finished, summary)
    return finished


def add(finished: Finished, summary: PageSummary) -> None:
    finished.counts.update({name: getattr(summary, name) for name in ("processed", "written", "skipped", "failed")})
    finished.reasons.update(summary.reasons)
    finished.compared.update(summary.compared)


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


def versions(connection: Connection, table: str) -> dict[int, str]:
    """First column of each row -> the transaction that wrote it; a different one means that the row was rewritten."""
    return {row[0]: row[-1] for row in rows(connection, f'SELECT t.*, t.xmin::text FROM "{table}" t')}


def back_to_rows(connection: Connection) -> None:
    """Store all segments as they were before cards were stored apart."""
    connection.execute('INSERT INTO "FeedPresortedRow" SELECT * FROM "FeedPresorted"')
    connection.execute('DELETE FROM "FeedSegment"')
