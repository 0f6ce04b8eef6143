"""The steps that record a chapter, close a run, and close a run whose execution ended without doing so."""

from datetime import UTC, datetime

import psycopg
from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.errors import InvalidInput, NotMigrated
from sitejobs.handlers.entry import Handler, entry, logger
from sitejobs.handlers.environment import cached_resources, cached_settings
from sitejobs.handlers.metrics import WORKFLOWS as ALL_WORKFLOWS
from sitejobs.handlers.metrics import count, report_seconds
from sitejobs.jobs import runs
from sitejobs.jobs.endings import METRIC_OF, Ending, job_of, read_ending
from sitejobs.jobs.job import Run
from sitejobs.matching.match_scores.old_rows import drop_rows
from sitejobs.matching.options import MATCH_SCORES
from sitejobs.postgres.connection import translated_errors
from sitejobs.workflows.catalog import WORKFLOWS


def record_handler() -> Handler:
    """After each chapter: adds the pages' summaries to the JobRun."""

    def record(event: JsonObject) -> JsonObject:
        connection = cached_resources().database.connection()
        return runs.record_chapter(connection, event["run"]["id"], int(event["chapter"]), event["results"])

    return entry(record)


def finish_handler() -> Handler:
    """The last state: closes the JobRun, if there is one, and returns whether the execution succeeded.

    Plan may have failed after opening the run; then the run is looked up by its execution.
    """

    def finish(event: JsonObject) -> JsonObject:
        connection = cached_resources().database.connection()
        run, error = event.get("run"), event.get("error")
        run_id = run["id"] if run else runs.run_of(connection, event["execution"])
        if run_id is not None:
            summary = runs.close_run(connection, run_id, error)
        elif error is not None:
            summary = runs.never_opened(error)
        else:
            raise InvalidInput(f"execution {event['execution']} has no run to close")
        if run and summary["status"] == "SUCCEEDED":
            opened = Run.from_json(run)
            if "retryOf" not in opened.options:  # those of a few pages say nothing of a run
                report_seconds(opened.job, (datetime.now(UTC) - opened.started_at).total_seconds())
            _tidy(connection, opened)
        logger.info("run closed", **{key: value for key, value in summary.items() if key != "message"})
        return summary

    return entry(finish)


def closed_handler() -> Handler:
    """After an execution that did not succeed: closes its JobRun if it is still open, and counts the ending.

    It may be called twice, late, or for executions that closed their run themselves. The rule hears of every state
    machine whose name begins with the stack's. Two kinds are no jobs of the stack: `workflow-job`, whose workflow
    closes what it left open, and those of a stack with a longer name.

    Without the bundle's tables no run was opened: that is no failure, which would be tried again and end among the dead
    letters.
    """

    def closed(event: JsonObject) -> JsonObject:
        ending = read_ending(event)
        job = job_of(ending.machine, cached_settings().state_machine_prefix, JOBS | WORKFLOWS)
        if job is None:
            logger.info("not one of this stack's jobs", machine=ending.machine)
            return {"execution": ending.execution, "ended": ending.status, "closedRun": None}
        # Counted first, so that the alarm learns of the ending even if the database does not answer.
        _count(ending, job)
        try:
            with translated_errors():
                run_id = runs.close_ended(cached_resources().database.connection(), ending, job)
        except NotMigrated as error:
            logger.warning("no run to close", detail=str(error))
            run_id = None
        logger.info("execution ended", execution=ending.execution, ended=ending.status, closed_run=run_id)
        return {"execution": ending.execution, "ended": ending.status, "closedRun": run_id}

    return entry(closed)


def _tidy(connection: Connection, run: Run) -> None:
    """What a run's end allows to remove. The run has succeeded whatever comes of it: the next one tries again."""
    if run.job != MATCH_SCORES.name:
        return
    try:
        if drop_rows(connection):
            logger.info("the old table of matches is gone", run_id=run.id)
    except psycopg.Error as error:
        logger.warning("the old table of matches stays", run_id=run.id, error=type(error).__name__)


def _count(ending: Ending, job: str) -> None:
    """Count an ending for all runs and for its job; that of a workflow only if those of its jobs do not tell."""
    metric = METRIC_OF[ending.status]
    count(metric)
    if job in JOBS:
        count(metric, job)
    elif not ending.told_by_jobs:
        count(metric, ALL_WORKFLOWS)
