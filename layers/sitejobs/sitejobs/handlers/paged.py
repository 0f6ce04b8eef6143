"""The Lambda entries of every paged job: parse the event, call the job, return a summary.

A function's own module has a few lines: it names the job and takes its handlers from here.
"""

import time
from dataclasses import replace
from datetime import UTC

import psycopg
from aws_lambda_powertools.utilities.typing import LambdaContext

from sitejobs.aliases import JsonObject
from sitejobs.errors import SitejobsError
from sitejobs.handlers.entry import Handler, entry, logger, place_of
from sitejobs.handlers.environment import ResourcesOf, cached_resources, cached_settings
from sitejobs.jobs import comparison, runs
from sitejobs.jobs.job import PagedJob, Resources, Run, scope_of
from sitejobs.jobs.retries import Earlier, plan_again, read_earlier
from sitejobs.jobs.row_security import refuse_hidden_rows
from sitejobs.jobs.tables import tables_of
from sitejobs.options import JobOptions, Options, parse_options
from sitejobs.postgres.connection import describe


def plan_handler(job: PagedJob, resources_of: ResourcesOf = cached_resources) -> Handler:
    """The first state of every chapter: checks the options, opens the run, returns the pages.

    The first one also refuses tables that hide rows, before anything is read or written.
    """

    def plan(event: JsonObject) -> JsonObject:
        given = parse_options(job.options, event.get("input"))
        resources = resources_of()
        if not event.get("run"):
            refuse_hidden_rows(resources.database.connection(), tables_of(job.entry.name))
        options, earlier = _with_earlier(job, given, event, resources)
        resources = _tried(resources, options)
        run = Run.from_json(event["run"]) if event.get("run") else _open(job, options, event, resources)
        if isinstance(run, runs.AlreadyRunning):
            return _already_running(job.entry.name, scope_of(options), run)
        cursor = event.get("cursor")
        run = earlier.begun(run) if earlier is not None else run
        chapter = (
            plan_again(job, resources, run, options, earlier, cursor)
            if earlier is not None
            else job.plan(resources, run, options, cursor)
        )
        if cursor is None or (chapter.context and chapter.context != run.context):
            run = Run(run.id, run.job, run.started_at, run.options, chapter.context)
            kept = earlier.kept(chapter.context) if earlier is not None else chapter.context
            kept = kept | ({"message": chapter.message} if chapter.message else {})
            runs.set_context(resources.database.connection(), run.id, kept)
        number = int(event.get("chapter") or 0) + 1
        logger.info("planned", run_id=run.id, chapter=number, pages=len(chapter.pages))
        return {
            "status": "PLANNED",
            "run": run.to_json(),
            "pages": chapter.pages,
            "cursor": chapter.cursor,
            "chapter": number,
            "maxConcurrency": getattr(options, "max_concurrency", 1),
            "planned": {"pages": chapter.planned_pages, "users": chapter.planned_users},
            "message": chapter.message,
        }

    return entry(plan)


def batch_handler(job: PagedJob, resources_of: ResourcesOf = cached_resources) -> Handler:
    """One page: computes and writes it. If it fails, JobRunFailedPage gets the reason before the error is raised."""

    def batch(event: JsonObject) -> JsonObject:
        run, page = Run.from_json(event["run"]), event["page"]
        options = parse_options(job.options, run.options)
        resources = resources_of()
        try:
            runs.check_alive(resources.database.connection(), run.id)
            summary = job.batch(resources, run, options, page)
        except Exception as error:
            _note(resources, run, page, error)
            raise
        logger.info(
            "page done",
            run_id=run.id,
            page=page["page"],
            reasons=dict(summary.reasons),
            **{name: getattr(summary, name) for name in runs.COUNTERS},
        )
        time.sleep(getattr(options, "pause_ms", 0) / 1000)
        return {
            "page": page["page"],
            "processed": summary.processed,
            "written": summary.written,
            "skipped": summary.skipped,
            "failed": summary.failed,
            "reasons": dict(summary.reasons),
            **comparison.result(summary.compared),
        }

    return entry(batch)


def job_handler(job: PagedJob, resources_of: ResourcesOf = cached_resources) -> Handler:
    """Plan and Batch in one function, for jobs whose Plan needs no more than a page does. An event with a page is for
    Batch."""
    plan, batch = plan_handler(job, resources_of), batch_handler(job, resources_of)

    def handler(event: JsonObject, context: LambdaContext) -> JsonObject:
        return batch(event, context) if "page" in event else plan(event, context)

    return handler


def _tried(resources: Resources, options: JobOptions) -> Resources:
    """The resources with the settings that a dry run tries."""
    settings = getattr(options, "settings", "")
    if not settings:
        return resources
    from sitejobs.handlers.tuning import read_tuning  # its models are those of all jobs

    return replace(resources, environment={**resources.environment, **read_tuning(settings)})


def _with_earlier(
    job: PagedJob, given: Options, event: JsonObject, resources: Resources
) -> tuple[Options, Earlier | None]:
    """The run's options; if failed pages of an earlier run are wanted, over those of that run."""
    run_id = getattr(given, "retry_of", None)
    if run_id is None:
        return given, None
    earlier = read_earlier(resources.database.connection(), job.entry.name, int(run_id))
    return parse_options(job.options, {**earlier.options, **event["input"]}), earlier


def _already_running(name: str, scope: str, run: runs.AlreadyRunning) -> JsonObject:
    return {
        "status": "ALREADY_RUNNING",
        "job": name,
        "runId": run.id,
        "message": f"{name} is already running for {scope}:"
        f" run {run.id}, started {run.started_at.isoformat(timespec='seconds')}",
    }


def _open(job: PagedJob, options: Options, event: JsonObject, resources: Resources) -> Run | runs.AlreadyRunning:
    given = options.model_dump(mode="json", exclude_defaults=True)
    opened = runs.open_run(
        resources.database.connection(),
        job=job.entry.name,
        scope=scope_of(options),
        execution=event["execution"],
        trigger=options.trigger,
        options=given,
        stale_seconds=cached_settings().run_stale_seconds,
    )
    if isinstance(opened, runs.AlreadyRunning):
        return opened
    return Run(opened.id, job.entry.name, opened.started_at.astimezone(UTC), given, opened.context)


def _note(resources: Resources, run: Run, page: JsonObject, error: Exception) -> None:
    """Store the reason with the run; if the database is not available, the first error must still be raised."""
    if isinstance(error, psycopg.Error):
        detail = describe(error)
    elif isinstance(error, SitejobsError):
        detail = str(error)
    else:
        detail = type(error).__name__ + place_of(error)
    logger.warning("page failed", run_id=run.id, page=page.get("page"), error=type(error).__name__, detail=detail)
    try:
        runs.note_failed_page(resources.database.connection(), run.id, page, type(error).__name__, detail)
    except (psycopg.Error, SitejobsError) as second:
        logger.warning("the failure could not be noted", run_id=run.id, error=type(second).__name__)
