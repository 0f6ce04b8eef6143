"""One run of a workflow on this machine: started, followed to its end, closed with its jobs when interrupted."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sitejobs_local.runner import (
    EXIT_ALREADY_RUNNING,
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_SUCCEEDED,
    RUN_OF_EXECUTION,
    Outcome,
    Workshop,
    execute,
    message_of,
)
from sitejobs_local.workflow_progress import WorkflowProgress

if TYPE_CHECKING:
    from sitejobs_local.machine import Event, Execution, LocalMachine
    from sitejobs_local.target import Target

_CONTEXT = 'SELECT "context" FROM "JobRun" WHERE "id" = %s'
_INTERRUPTED = {"Error": "Interrupted", "Cause": "interrupted by the user"}


def run_workflow(
    workflow: str,
    options: Mapping[str, Any],
    *,
    target: "Target",
    workshop: Workshop,
    environ: Mapping[str, str],
    progress: WorkflowProgress,
) -> Outcome:
    """Run a workflow's state machine to its end; an interrupt closes its run and those of its jobs.

    Raises
    ------
    InvalidInput : template.yaml or a definition cannot be used.
    """

    def listen(machine: "LocalMachine", event: "Event") -> None:
        if isinstance(event.result, dict):
            progress.on_end = machine.retire
            progress.add(event.event, event.result)

    name = f"cli-{uuid.uuid4()}"
    try:
        ended = execute(workflow, options, name, target=target, workshop=workshop, environ=environ, listen=listen)
    except KeyboardInterrupt:
        return _interrupted(workflow, target, name)
    return _outcome(workflow, ended, progress)


def _outcome(workflow: str, ended: "Execution", progress: WorkflowProgress) -> Outcome:
    if ended.status == "SUCCEEDED":
        busy = ended.output["status"] == "ALREADY_RUNNING"
        return Outcome(EXIT_ALREADY_RUNNING if busy else EXIT_SUCCEEDED, ended.output)
    summary = {
        "job": workflow,
        "runId": None,
        **(progress.finished or {}),
        "status": "FAILED",
        "error": ended.error or ended.status,
        "cause": message_of(ended.cause),
    }
    return Outcome(EXIT_BAD_INPUT if ended.error == "InvalidInput" else EXIT_FAILED, summary)


def _interrupted(workflow: str, target: "Target", name: str) -> Outcome:
    """Close the runs that the interrupt left behind, those of the jobs first: nobody else would."""
    from sitejobs.runs import close_run, run_of
    from sitejobs.workflows.records import close_workflow, end_job, running_jobs

    summary: Mapping[str, Any] = {"job": workflow, "runId": None, "status": "FAILED"}
    with target.connect() as connection:
        row = connection.execute(RUN_OF_EXECUTION, {"job": workflow, "name": name}).fetchone()
        if row is not None:
            run_id = str(row[0])
            context = connection.execute(_CONTEXT, [row[0]]).fetchone()
            for job, execution in running_jobs(context[0] if context else {}):
                part = run_of(connection, execution)
                if part is not None:
                    close_run(connection, part, _INTERRUPTED)
                end_job(connection, run_id, job, None, _INTERRUPTED)
            summary = close_workflow(connection, run_id, _INTERRUPTED)
    return Outcome(EXIT_INTERRUPTED, {**summary, "error": "Interrupted", "cause": "interrupted by the user"})
