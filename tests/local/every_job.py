"""Every job of the catalog run in this process: Plan and Batch called as the state machine calls them."""

from collections import Counter
from pathlib import Path
from typing import Any

from sitejobs.aliases import JsonObject
from sitejobs.jobs import runs
from sitejobs.jobs.job import Memory, PagedJob, Resources, Run
from sitejobs.media import media_metadata
from sitejobs.media.checking import Checker
from sitejobs.media.parser_host import ParserHost
from sitejobs.media.rules import read_rules
from sitejobs.options import parse_options
from sitejobs.postgres.connection import Database
from tests.databases import warm_database
from tests.fakes import FolderWorkStore
from tests.job_runs import open_run, through_json
from tests.jobs import JOBS_IN_ORDER
from tests.media.sources import Bucket

__all__ = ["JOBS_IN_ORDER", "modes_of", "run_job"]


def modes_of(job: PagedJob) -> list[dict[str, bool]]:
    """Options of every kind of run that a job has: full and incremental, or the only one."""
    if "incremental" not in job.options.model_fields:
        return [{}]
    return [{"incremental": False}, {"incremental": True}]


def run_job(url: str, job: PagedJob, folder: Path, parser: ParserHost, **options: Any) -> Counter[str]:
    """Run a job to its end as the role of the URL; the summed counters. An error of a page is raised."""
    with warm_database(url) as database:
        return _run(database, job, folder, parser, dict(options))


def _run(database: Database, job: PagedJob, folder: Path, parser: ParserHost, given: JsonObject) -> Counter[str]:
    connection, name = database.connection(), job.entry.name
    if job is media_metadata.JOB:
        row = connection.execute('SELECT max("id") FROM "Media"').fetchone()
        given["mediaId"] = row[0] if row else None
    parsed = parse_options(job.options, given)
    checker = Checker(Bucket(), parser, read_rules({}), prefix="")
    resources = Resources(database, FolderWorkStore(folder), {}, Memory(checker))
    counts: Counter[str] = Counter()
    run = open_run(connection, job, given, parsed)
    cursor, first = None, True
    while first or cursor is not None:
        chapter = job.plan(resources, run, parsed, cursor)
        if first:
            run = Run(run.id, name, run.started_at, given, chapter.context)
            runs.set_context(connection, run.id, chapter.context)
        first, cursor = False, chapter.cursor
        run = Run.from_json(through_json(run.to_json()))
        for page in through_json(chapter.pages):
            summary = job.batch(resources, run, parsed, page)
            counts.update({counter: getattr(summary, counter) for counter in runs.COUNTERS})
    runs.close_run(connection, run.id, None)
    return counts
