"""Whole runs of a paged job in this process: chapter after chapter, each page as the state machine would call it."""

from collections import Counter
from collections.abc import Callable
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
class Done:
    """What a run did."""

    id: str
    pages: list[JsonObject] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    context: JsonObject = field(default_factory=dict)
    message: str | None = None


def run_job(
    job: PagedJob,
    url: str,
    folder: Path,
    at: datetime,
    options: JsonObject | None = None,
    environment: dict[str, str] | None = None,
    before_page: Callable[[JsonObject], object] = lambda page: None,
) -> Done:
    """Run the job over a site's database as of `at`; `folder` has its work files, `before_page` comes before each."""
    with warm_database(url) as database:
        resources = Resources(database, FolderWorkStore(folder), environment or {})
        return _run(job, resources, at, dict(options or {}), before_page)


def _run(
    job: PagedJob, resources: Resources, at: datetime, given: JsonObject, before_page: Callable[[JsonObject], object]
) -> Done:
    parsed, connection = parse_options(job.options, given), resources.database.connection()
    run = open_run(connection, job, given, parsed, at)
    done, cursor = Done(run.id), None
    results = []
    while not done.pages or cursor is not None:
        chapter = job.plan(resources, run, parsed, cursor)
        if chapter.context:
            run = Run(run.id, run.job, at, given, through_json(chapter.context))
            runs.set_context(connection, run.id, run.context)
        done.message = chapter.message or done.message
        for page in through_json(chapter.pages):
            before_page(page)
            summary = job.batch(resources, run, parsed, page)
            done.pages.append(page)
            done.reasons.update(summary.reasons)
            counts = {counter: getattr(summary, counter) for counter in runs.COUNTERS}
            done.counts.update(counts)
            results.append({"page": page["page"], **counts, "reasons": dict(summary.reasons)})
        cursor = through_json(chapter.cursor)
        if not done.pages:
            break
    runs.record_chapter(connection, run.id, 1, results)
    runs.close_run(connection, run.id, None)
    done.context = run.context
    return done
