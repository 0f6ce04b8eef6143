"""The Lambda entries of every paged job: parse the event, call the job, return a summary.

A function's own module stays a few lines: it names the job and takes its handlers from here.
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any

import psycopg
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from sitejobs.catalog import JOBS
from sitejobs.errors import InvalidInput, SitejobsError, Unexpected
from sitejobs.handlers.credentials import read_secret, sign_token
from sitejobs.handlers.metrics import FAILED_PAGES, RUN_SECONDS, RUNS_SUCCEEDED, count, count_of_job, metrics, timed
from sitejobs.handlers.settings import Settings, database_url, read_settings
from sitejobs.jobs import runs
from sitejobs.jobs.endings import METRIC_OF, job_of, read_ending
from sitejobs.jobs.job import Job, JsonObject, Resources, Run, scope_of
from sitejobs.jobs.queues import Consume, delay, failures, messages_of
from sitejobs.jobs.row_security import refuse_hidden_rows
from sitejobs.jobs.tables import RUNS, tables_of
from sitejobs.options import Options, parse_options
from sitejobs.postgres.connection import Database, describe, translated_errors
from sitejobs.workflows import records as workflows
from sitejobs.workflows.catalog import WORKFLOWS, WorkflowOptions, scope_of_workflow
from sitejobs.workstore import S3WorkStore, WorkStore

Handler = Callable[[JsonObject, LambdaContext], JsonObject]

logger = Logger()


def plan_handler(job: Job[Options]) -> Handler:
    """The first state of every chapter: checks the options, opens the run, returns the pages.

    The first one also refuses tables that hide rows, before anything is read or written.
    """

    def plan(event: JsonObject) -> JsonObject:
        options = parse_options(job.options, event.get("input"))
        resources = _resources()
        if not event.get("run"):
            refuse_hidden_rows(resources.database.connection(), tables_of(job.entry.name))
        run = Run.from_json(event["run"]) if event.get("run") else _open(job, options, event, resources)
        if isinstance(run, runs.AlreadyRunning):
            return _already_running(job.entry.name, scope_of(options), run)
        cursor = event.get("cursor")
        chapter = job.plan(resources, run, options, cursor)
        if cursor is None:
            run = Run(run.id, run.job, run.started_at, run.options, chapter.context)
            kept = chapter.context | ({"message": chapter.message} if chapter.message else {})
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

    return _entry(plan)


def batch_handler(job: Job[Options]) -> Handler:
    """One page: computes and writes it. What it fails of is noted in the database before it is raised."""

    def batch(event: JsonObject) -> JsonObject:
        run, page = Run.from_json(event["run"]), event["page"]
        options = parse_options(job.options, run.options)
        resources = _resources()
        try:
            runs.check_alive(resources.database.connection(), run.id)
            summary = job.batch(resources, run, options, page)
        except Exception as error:
            _note(resources, run, page, error)
            raise
        for name in runs.COUNTERS:
            count(name, getattr(summary, name))
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
        }

    return _entry(batch)


def job_handler(job: Job[Options]) -> Handler:
    """Plan and Batch in one function, for jobs whose Plan needs no more than a page does: an event with a page is a
    page's."""
    plan, batch = plan_handler(job), batch_handler(job)

    def handler(event: JsonObject, context: LambdaContext) -> JsonObject:
        return batch(event, context) if "page" in event else plan(event, context)

    return handler


def record_handler() -> Handler:
    """After each chapter: adds the pages' summaries to the JobRun."""

    def record(event: JsonObject) -> JsonObject:
        connection = _resources().database.connection()
        return runs.record_chapter(connection, event["run"]["id"], int(event["chapter"]), event["results"])

    return _entry(record)


def finish_handler() -> Handler:
    """The last state: closes the JobRun, if there is one, and says whether the execution succeeded.

    A Plan that failed may have opened the run without having been able to say so: its execution names it.
    """

    def finish(event: JsonObject) -> JsonObject:
        connection = _resources().database.connection()
        run, error = event.get("run"), event.get("error")
        run_id = run["id"] if run else runs.run_of(connection, event["execution"])
        if run_id is not None:
            summary = runs.close_run(connection, run_id, error)
        elif error is not None:
            summary = runs.never_opened(error)
        else:
            raise InvalidInput(f"execution {event['execution']} has no run to close")
        if run and summary["status"] == "SUCCEEDED":
            _measure(Run.from_json(run), summary)
        logger.info("run closed", **{key: value for key, value in summary.items() if key != "message"})
        return summary

    return _entry(finish)


def closed_handler() -> Handler:
    """After an execution's end that was no success: closes the JobRun if it is still open, and counts the ending.

    It may be called twice, late, or for executions that closed their run themselves.
    """

    def closed(event: JsonObject) -> JsonObject:
        ending = read_ending(event)
        job = job_of(ending.machine, _settings().state_machine_prefix, JOBS | WORKFLOWS)
        # Before anything can fail: the alarm hears of the ending even when the database does not answer.
        count(METRIC_OF[ending.status], 1)
        count_of_job(METRIC_OF[ending.status], job or ending.machine.rpartition(":")[2])
        run_id = runs.close_ended(_resources().database.connection(), ending, job)
        logger.info("execution ended", execution=ending.execution, ended=ending.status, closed_run=run_id)
        return {"execution": ending.execution, "ended": ending.status, "closedRun": run_id}

    return _entry(closed)


def queue_handler(consume: Consume) -> Handler:
    """A queue's messages: what is done is forgotten, the rest is handed out again after a growing pause."""

    def handle(event: JsonObject) -> JsonObject:
        handled = consume(_resources(), messages_of(event))
        settings, jitter = _settings(), Random()  # noqa: S311 - no secret
        refused = delay(_queue_client, settings.queue_url, handled, settings.queue_retry_seconds, jitter)
        for name in runs.COUNTERS:
            count(name, getattr(handled.summary, name))
        logger.info(
            "messages done",
            messages=len(event["Records"]),
            again=len(handled.again),
            delays_refused=refused,
            reasons=dict(handled.summary.reasons),
            **{name: getattr(handled.summary, name) for name in runs.COUNTERS},
        )
        return failures(handled)

    return _entry(handle)


def workflow_handler() -> Handler:
    """The steps of every workflow: Plan opens its run, Ended moves it on when a job has ended, Finish closes it."""
    steps = {"Plan": _plan_workflow, "Ended": _job_ended, "Finish": _finish_workflow}
    return _entry(lambda event: steps[event["step"]](event))


def _plan_workflow(event: JsonObject) -> JsonObject:
    entry = WORKFLOWS[event["workflow"]]
    options = parse_options(entry.options, event.get("input"))
    assert isinstance(options, WorkflowOptions)
    machines = _settings().job_machines
    connection = _resources().database.connection()
    refuse_hidden_rows(connection, RUNS)
    opened = workflows.open_workflow(
        connection,
        name=entry.name,
        options=options,
        execution=event["execution"],
        machines=machines,
        stale_seconds=_settings().run_stale_seconds,
    )
    if isinstance(opened, runs.AlreadyRunning):
        return _already_running(entry.name, scope_of_workflow(options), opened)
    ready = workflows.start_orders(opened.context, "", options, machines)
    logger.info("workflow planned", run_id=opened.id, jobs=list(opened.context["jobs"]))
    given = options.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {
        "status": "PLANNED",
        "run": {"id": opened.id, "workflow": entry.name, "options": given},
        "jobs": list(opened.context["jobs"]),
        "ready": ready,
    }


def _job_ended(event: JsonObject) -> JsonObject:
    run, job = event["run"], event["job"]
    context = workflows.end_job(
        _resources().database.connection(), run["id"], job, event.get("output"), event.get("error")
    )
    options = parse_options(WORKFLOWS[run["workflow"]].options, run["options"])
    ready = workflows.start_orders(context, job, options, _settings().job_machines)
    state = context["jobs"][job]
    logger.info("job of a workflow ended", run_id=run["id"], ended=job, outcome=state["status"])
    return {
        "workflow": run["workflow"],
        "ended": {"job": job, "status": state["status"], **state["summary"]},
        "ready": ready,
    }


def _finish_workflow(event: JsonObject) -> JsonObject:
    connection = _resources().database.connection()
    run, error = event.get("run"), event.get("error")
    run_id = run["id"] if run else runs.run_of(connection, event["execution"])
    if run_id is None:
        if error is None:
            raise InvalidInput(f"execution {event['execution']} has no run to close")
        return runs.never_opened(error)
    summary = workflows.close_workflow(connection, run_id, error)
    logger.info("workflow closed", run_id=run_id, status=summary["status"], error=summary["error"])
    return summary


def _already_running(name: str, scope: str, run: runs.AlreadyRunning) -> JsonObject:
    return {
        "status": "ALREADY_RUNNING",
        "job": name,
        "runId": run.id,
        "message": f"{name} is already running for {scope}:"
        f" run {run.id}, started {run.started_at.isoformat(timespec='seconds')}",
    }


def _entry(function: Callable[[JsonObject], JsonObject]) -> Handler:
    """What every handler repeats: logging, tracing, metrics, and errors by a name the definition knows."""

    @logger.inject_lambda_context
    @_traced
    @metrics.log_metrics
    def handler(event: JsonObject, context: LambdaContext) -> JsonObject:
        try:
            with timed(context), translated_errors():
                return function(event)
        except SitejobsError as error:
            logger.warning("failed", error=type(error).__name__, detail=str(error))
            raise error from None  # the chain may quote a row
        except Exception as error:
            text = type(error).__name__ + _place(error)
            logger.error("failed", error="Unexpected", detail=text)
            raise Unexpected(text).with_traceback(error.__traceback__) from None

    entry: Handler = handler
    return entry


def _traced(handler: Handler) -> Handler:
    """Trace with X-Ray. Where that is off, its SDK is not even imported: it takes as long as all the rest."""
    if os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true"):
        return handler
    from aws_lambda_powertools import Tracer

    traced: Handler = Tracer().capture_lambda_handler(capture_response=False)(handler)
    return traced


def _open(job: Job[Options], options: Options, event: JsonObject, resources: Resources) -> Run | runs.AlreadyRunning:
    given = options.model_dump(mode="json", exclude_defaults=True)
    opened = runs.open_run(
        resources.database.connection(),
        job=job.entry.name,
        scope=scope_of(options),
        execution=event["execution"],
        trigger=options.trigger,
        options=given,
        stale_seconds=_settings().run_stale_seconds,
    )
    if isinstance(opened, runs.AlreadyRunning):
        return opened
    return Run(opened.id, job.entry.name, opened.started_at.astimezone(UTC), given, opened.context)


def _measure(run: Run, summary: JsonObject) -> None:
    """What a run that succeeded adds to the dashboard; the others are counted by how their execution ended."""
    count_of_job(RUNS_SUCCEEDED, run.job)
    count_of_job(RUN_SECONDS, run.job, (datetime.now(UTC) - run.started_at).total_seconds(), MetricUnit.Seconds)
    count_of_job(FAILED_PAGES, run.job, summary["failedPages"])


def _note(resources: Resources, run: Run, page: JsonObject, error: Exception) -> None:
    """Keep the reason beside the run; that the database is away must not hide the first error."""
    if isinstance(error, psycopg.Error):
        detail = describe(error)
    elif isinstance(error, SitejobsError):
        detail = str(error)
    else:
        detail = type(error).__name__ + _place(error)
    logger.warning("page failed", run_id=run.id, page=page.get("page"), error=type(error).__name__, detail=detail)
    try:
        runs.note_failed_page(resources.database.connection(), run.id, page, type(error).__name__, detail)
    except (psycopg.Error, SitejobsError) as second:
        logger.warning("the failure could not be noted", run_id=run.id, error=type(second).__name__)


def _place(error: Exception) -> str:
    """Where an unexpected error arose: a line of code, never a value."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f" at {os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}"  # noqa: PTH119


@lru_cache(maxsize=1)
def _settings() -> Settings:
    return read_settings(os.environ)


@lru_cache(maxsize=1)
def _queue_client() -> Any:
    import boto3
    from botocore.config import Config

    # Within a VPC that has no way to SQS the messages rest for the queue's own time: that must not take long to learn.
    return boto3.client("sqs", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}))


@lru_cache(maxsize=1)
def _resources() -> Resources:
    settings = _settings()
    database = Database(
        lambda: database_url(settings, read_secret, sign_token),
        renewed=settings.database_authentication == "iam",
        search_path=settings.database_search_path or None,
        statement_timeout_ms=settings.statement_timeout_ms or None,
    )
    return Resources(database, _LazyWorkStore(settings.work_bucket), dict(os.environ))


class _LazyWorkStore:
    """The work bucket, whose client (0.2 s to make) exists once a page needs it."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._store: WorkStore | None = None

    def __getattr__(self, name: str) -> Any:
        if self._store is None:
            import boto3

            if not self._bucket:
                raise InvalidInput("set WORK_BUCKET: the run's work files need a bucket")
            self._store = S3WorkStore(boto3.client("s3"), self._bucket)
        return getattr(self._store, name)
