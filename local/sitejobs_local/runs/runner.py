"""One run of a job's state machine on this machine: started, followed to its end, closed when interrupted."""

import hashlib
import json
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitejobs.errors import InvalidInput
from sitejobs_local.media_place import MediaPlace, media_place
from sitejobs_local.places import TEMPLATE
from sitejobs_local.runs.progress import RunProgress, Totals
from sitejobs_local.runs.stopped import INTERRUPTED, count_written, stopped
from sitejobs_local.template.cloudformation import ACCOUNT_ID, REGION, STACK_NAME

if TYPE_CHECKING:
    from psycopg import Connection

    from sitejobs_local.aws.invocations import Event
    from sitejobs_local.aws.machine import Execution, LocalMachine
    from sitejobs_local.database.target import Target

EXIT_SUCCEEDED, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_ALREADY_RUNNING, EXIT_INTERRUPTED = 0, 1, 2, 3, 130

_FAILED_PAGES = """
SELECT "page", "error", "detail" FROM "JobRunFailedPage" WHERE "runId" = %s ORDER BY "page" LIMIT %s
"""
# Set by the machine for every function, or without meaning for a run at home.
_NOT_TAKEN_OVER = {
    "DATABASE_URL",
    "DATABASE_AUTHENTICATION",
    "DATABASE_SECRET_ARN",
    "DATABASE_HOST",
    "DATABASE_PORT",
    "DATABASE_NAME",
    "DATABASE_USER",
    "WORK_BUCKET",
    "MEDIA_BUCKET",
    "QUEUE_URL",
}


@dataclass(frozen=True)
class FailedPage:
    """A page that failed after all its retries."""

    page: int
    error: str
    detail: str | None


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `summary` is one JSON object: what Finish returned, or the part of it that is known."""

    exit_status: int
    summary: Mapping[str, Any]
    failed_pages: tuple[FailedPage, ...] = field(default=())


@dataclass(frozen=True)
class Workshop:
    """Where a run's files go: work files and uploads survive between commands, beside the database."""

    log_file: Path
    work_folder: Path
    media: MediaPlace


def folder_of(target: "Target", environ: Mapping[str, str], name: str) -> Path:
    """A folder of this database alone: runs of another one have the same ids."""
    from sitejobs_local.database.postgres import default_home

    own = "" if target.embedded else "-" + hashlib.sha256(target.label.encode()).hexdigest()[:12]
    return default_home(environ) / f"{name}{own}"


def workshop_of(target: "Target", environ: Mapping[str, str], job: str, jobs: Collection[str] = ()) -> Workshop:
    """Where a job's files go: the embedded database's beside it, those of another database under a name of its own.

    `jobs` are those that a workflow runs.

    Raises
    ------
    InvalidInput : one of them reads uploads, and it is not said where these are.
    """
    work = folder_of(target, environ, "work")
    own_media = work.with_name(f"{work.name}-media")
    workshop = Workshop(
        log_file=folder_of(target, environ, "logs") / f"{job}.log",
        work_folder=work,
        media=media_place(own_media, environ, (job, *jobs), embedded=target.embedded),
    )
    for folder in (workshop.log_file.parent, workshop.work_folder, own_media):
        # Snapshots hold birthdates and places: only the owner may read them.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return workshop


def run_job(
    job: str,
    options: Mapping[str, Any],
    *,
    target: "Target",
    workshop: Workshop,
    environ: Mapping[str, str],
    progress: RunProgress,
) -> Outcome:
    """Run a job's state machine to its end.

    An interrupt (KeyboardInterrupt) aborts the execution, ends the workers, closes the run as ABORTED in the database
    and comes back as an outcome of its own.

    Raises
    ------
    InvalidInput : template.yaml or the definition cannot be used, or has no such state machine.
    """
    name = f"cli-{uuid.uuid4()}"
    try:
        ended = execute(
            job, options, name, target=target, workshop=workshop, environ=environ, listen=_listener(progress)
        )
        with target.connect() as connection:
            return _outcome(job, ended, progress.totals, connection)
    except KeyboardInterrupt:
        return _interrupted(job, target, name, progress.totals)


def execute(
    state_machine: str,
    options: Mapping[str, Any],
    name: str,
    *,
    target: "Target",
    workshop: Workshop,
    environ: Mapping[str, str],
    listen: "Callable[[LocalMachine, Event], None]",
) -> "Execution":
    """Run one execution called `name` to its end; an interrupt aborts it and ends the workers.

    Raises
    ------
    InvalidInput : template.yaml or the definition cannot be used, or has no such state machine.
    KeyboardInterrupt : its runs are still open in the database.
    """
    from sitejobs_local.aws.machine import LocalMachine
    from sitejobs_local.template.cloudformation import TemplateError

    machine = LocalMachine(
        TEMPLATE,
        database_url=target.url,
        environment=taken_over({**environ, **target.variables}, TEMPLATE),
        log_file=workshop.log_file,
        work_folder=workshop.work_folder,
        media=workshop.media,
        on_event=lambda event: listen(machine, event),
        prewarm=(state_machine,),
    )
    try:
        with machine:
            return _run_to_end(machine, machine.start(state_machine, dict(options), name))
    except TemplateError as error:
        raise InvalidInput(str(error)) from error


def _run_to_end(machine: "LocalMachine", execution: str) -> "Execution":
    try:
        return machine.wait(execution)
    except KeyboardInterrupt:
        machine.stop(execution, *INTERRUPTED)
        raise


def taken_over(environ: Mapping[str, str], template: Path) -> dict[str, str]:
    """Variables of this environment that the template's functions have too, and settings such as MATCH_ALGO_VERSION."""
    from sitejobs.handlers.tuning import NAMES
    from sitejobs_local.template.template import load_template

    known = {*NAMES} | {
        name for function in load_template(template).functions.values() for name in function.environment
    }
    return {name: environ[name] for name in sorted(known - _NOT_TAKEN_OVER) if name in environ}


def message_of(cause: str | None) -> str:
    """The message of an error: a function's failure is JSON with errorMessage and a stack trace."""
    if not cause:
        return ""
    try:
        described = json.loads(cause)
    except ValueError:
        return cause
    if isinstance(described, dict) and "errorMessage" in described:
        return str(described["errorMessage"])
    return cause


def _listener(progress: RunProgress) -> "Callable[[LocalMachine, Event], None]":
    def listen(machine: "LocalMachine", event: "Event") -> None:
        if isinstance(event.result, dict):
            progress.add(event.result)

    return listen


def succeeded(summary: Mapping[str, Any]) -> Outcome:
    """The outcome of an execution that succeeded; Plan may have found the job already running."""
    busy = summary.get("status") == "ALREADY_RUNNING"
    return Outcome(EXIT_ALREADY_RUNNING if busy else EXIT_SUCCEEDED, summary)


def failed(
    job: str,
    run_id: str | None,
    error: str,
    cause: str | None,
    finished: Mapping[str, Any] | None = None,
    status: str = "FAILED",
) -> Outcome:
    """The outcome of an execution that failed, was stopped (ABORTED) or took too long (TIMED_OUT).

    `finished`: what Finish returned, where it ran.
    """
    summary = {
        "job": job,
        "runId": run_id,
        **(finished or {}),
        "status": status,
        "error": error,
        "cause": message_of(cause),
    }
    return Outcome(EXIT_BAD_INPUT if error in ("InvalidInput", "NotMigrated") else EXIT_FAILED, summary)


def _outcome(job: str, ended: "Execution", totals: Totals, connection: "Connection") -> Outcome:
    finished = totals.finished
    if ended.status == "SUCCEEDED":
        output = ended.output if isinstance(ended.output, dict) else (finished or {})
        outcome = succeeded({"job": job, **output})
    else:
        outcome = failed(job, totals.run_id, ended.error or ended.status, ended.cause, finished, ended.status)
    return replace(outcome, failed_pages=_failed_pages(connection, outcome.summary))


def _failed_pages(connection: "Connection", summary: Mapping[str, Any], limit: int = 20) -> tuple[FailedPage, ...]:
    if not summary.get("failedPages") or not summary.get("runId"):
        return ()
    rows = connection.execute(_FAILED_PAGES, [int(summary["runId"]), limit]).fetchall()
    return tuple(FailedPage(*row) for row in rows)


def _interrupted(job: str, target: "Target", name: str, totals: Totals) -> Outcome:
    """Close the run that was interrupted, which the machine cannot do without workers, and sum it up."""
    from sitejobs.jobs.endings import Ending
    from sitejobs.jobs.runs import close_ended, close_run, run_of

    # The interrupt may have come before `start` returned the ARN.
    machine = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{STACK_NAME}-{job}"
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
    error, cause = INTERRUPTED
    summary: Mapping[str, Any] | None = None
    with target.connect() as connection:
        close_ended(connection, Ending(execution, machine, "ABORTED", datetime.now(UTC), error, cause), None)
        run_id = run_of(connection, execution)
        if run_id is not None:
            count_written(connection, run_id, totals)
            summary = {**close_run(connection, run_id, {"Error": error, "Cause": cause}), "message": None}
    return Outcome(EXIT_INTERRUPTED, stopped(job, summary))
