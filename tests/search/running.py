"""Whole runs of the search jobs in this process: Plan and Batch called as the state machine calls them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sitejobs.aliases import JsonObject
from sitejobs.jobs import runs
from sitejobs.jobs.job import PagedJob, Resources, Run
from sitejobs.options import parse_options
from tests.databases import warm_database
from tests.fakes import FolderWorkStore
from tests.job_runs import open_run, through_json


@dataclass
class Finished:
    """What a run did: its summed counters and reasons, and the message that its summary ends with."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    message: str | None = None
    pages: list[JsonObject] = field(default_factory=list)

    @property
    def refreshed(self) -> int:
        """Number of keys that were not skipped as fresh."""
        return self.counts["processed"] - self.reasons["fresh"]


def run(
    url: str,
    job: PagedJob,
    at: datetime,
    options: JsonObject | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run a job from `at` on, page by page."""
    with warm_database(url) as database:
        return _run(Resources(database, FolderWorkStore(Path("unused")), environment or {}), job, at, options or {})


def _run(resources: Resources, job: PagedJob, at: datetime, given: JsonObject) -> Finished:
    options = parse_options(job.options, given)
    connection = resources.database.connection()
    now = open_run(connection, job, given, options, at)
    finished, cursor, chapters = Finished(), None, 0
    while not chapters or cursor is not None:
        chapter = job.plan(resources, now, options, cursor)
        if cursor is None:
            now = Run(now.id, now.job, now.started_at, now.options, chapter.context)
            kept = chapter.context | ({"message": chapter.message} if chapter.message else {})
            runs.set_context(connection, now.id, kept)
        cursor, chapters = through_json(chapter.cursor), chapters + 1
        finished.pages += chapter.pages
    results = []
    for page in through_json(finished.pages):
        summary = job.batch(resources, Run.from_json(through_json(now.to_json())), options, page)
        counts = {name: getattr(summary, name) for name in runs.COUNTERS}
        results.append({"page": page["page"], **counts, "reasons": dict(summary.reasons)})
        finished.counts.update(counts)
        finished.reasons.update(summary.reasons)
    runs.record_chapter(connection, now.id, 1, results)
    finished.message = runs.close_run(connection, now.id, None)["message"]
    return finished
