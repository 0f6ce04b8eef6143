"""Every job of the catalog run in this process: Plan and Batch called as the state machine calls them."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sitejobs.aliases import JsonObject
from sitejobs.feed import affinity, content_features, feed_presort, feed_presort_cleanup, trending
from sitejobs.jobs import runs
from sitejobs.jobs.job import Memory, PagedJob, Resources, Run, scope_of
from sitejobs.matching.compatibility import job as compatibility
from sitejobs.matching.match_scores import job as match_scores
from sitejobs.media import media_metadata, media_metadata_all, media_metadata_batch
from sitejobs.media.checking import Checker
from sitejobs.media.parser_host import ParserHost
from sitejobs.media.rules import read_rules
from sitejobs.options import parse_options
from sitejobs.postgres.connection import Database
from sitejobs.search import profile_search_index, searchable_user
from sitejobs.traits import build_user_traits as user_traits
from sitejobs.traits import user_interest_sets as interest_sets
from tests.fakes import FolderWorkStore
from tests.media.sources import Bucket

JOBS_IN_ORDER: tuple[PagedJob, ...] = (
    *(user_traits.JOB, interest_sets.JOB, match_scores.JOB, compatibility.JOB, searchable_user.JOB),
    *(profile_search_index.JOB, content_features.JOB, trending.JOB, affinity.JOB, feed_presort.JOB),
    *(feed_presort_cleanup.JOB, media_metadata.JOB, media_metadata_all.JOB, media_metadata_batch.JOB),
)
"""Each after those whose results it reads."""


def run_job(url: str, job: PagedJob, folder: Path, parser: ParserHost, **options: Any) -> Counter[str]:
    """Run a job to its end as the role of the URL; the summed counters. An error of a page is raised."""
    database = Database(url)
    given: JsonObject = dict(options)
    if job is media_metadata.JOB:
        row = database.connection().execute('SELECT max("id") FROM "Media"').fetchone()
        given["mediaId"] = row[0] if row else None
    parsed = parse_options(job.options, given)
    checker = Checker(Bucket(), parser, read_rules({}), prefix="")
    resources = Resources(database, FolderWorkStore(folder), {}, Memory(checker))
    counts: Counter[str] = Counter()
    try:
        connection = database.connection()
        name = job.entry.name
        execution = f"{name} {datetime.now(UTC).isoformat()}"
        opened = runs.open_run(
            connection,
            job=name,
            scope=scope_of(parsed),
            execution=execution,
            trigger="cli",
            options=given,
            stale_seconds=60,
        )
        assert isinstance(opened, runs.OpenRun)
        run = Run(opened.id, name, opened.started_at, given, opened.context)
        cursor, first = None, True
        while first or cursor is not None:
            chapter = job.plan(resources, run, parsed, cursor)
            if first:
                run = Run(run.id, name, run.started_at, given, chapter.context)
                runs.set_context(connection, run.id, chapter.context)
            first, cursor = False, chapter.cursor
            run = Run.from_json(json.loads(json.dumps(run.to_json())))
            for page in json.loads(json.dumps(chapter.pages)):
                summary = job.batch(resources, run, parsed, page)
                counts.update({counter: getattr(summary, counter) for counter in runs.COUNTERS})
        runs.close_run(connection, run.id, None)
    finally:
        database.close()
    return counts
