"""One run of a workflow on this machine: started, followed to its end, closed with its jobs when interrupted."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sitejobs_local.runs.runner import EXIT_INTERRUPTED, INTERRUPTED, Outcome, Workshop, execute, failed, succeeded
from sitejobs_local.runs.workflow_progress import WorkflowProgress
from sitejobs_local.template.cloudformation import ACCOUNT_ID, REGION, STACK_NAME

if TYPE_CHECKING:
    from sitejobs.jobs.endings import Ending
    from sitejobs_local.aws.invocations import Event
    from sitejobs_local.aws.machine import Execution, LocalMachine
    from sitejobs_local.database.target import Target

_CONTEXT = 'SELECT "context" FROM "JobRun" WHERE "id" = %s'
_MACHINES = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{STACK_NAME}-"


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
    return outcome_of(workflow, ended, progress)


def outcome_of(workflow: str, ended: "Execution", progress: WorkflowProgress) -> Outcome:
    """How a workflow ended: its output or, if it failed, what the progress knows of it."""
    if ended.status == "SUCCEEDED":
        return succeeded(ended.output)
    return failed(workflow, progress.run_id, ended.error or ended.status, ended.cause, progress.finished)


def _interrupted(workflow: str, target: "Target", name: str) -> Outcome:
    """Close the open runs of the workflow and its jobs after an interrupt: nothing else does."""
    from sitejobs.jobs.runs import close_ended, run_of
    from sitejobs.workflows.records import close_workflow, running_jobs

    error, cause = INTERRUPTED
    summary: Mapping[str, Any] = {"job": workflow, "runId": None, "status": "FAILED"}
    execution = f"{_MACHINES.replace(':stateMachine:', ':execution:')}{workflow}:{name}"
    with target.connect() as connection:
        close_ended(connection, _ending(workflow, execution), None)
        run_id = run_of(connection, execution)
        row = connection.execute(_CONTEXT, [run_id]).fetchone()
        if run_id is not None and row is not None:
            for job, of_job in running_jobs(row[0]):
                close_ended(connection, _ending(job, of_job), None)
            summary = close_workflow(connection, run_id, {"Error": error, "Cause": cause})
    return Outcome(EXIT_INTERRUPTED, {**summary, "error": error, "cause": cause})


def _ending(name: str, execution: str) -> "Ending":
    from sitejobs.jobs.endings import Ending

    error, cause = INTERRUPTED
    return Ending(execution, _MACHINES + name, "ABORTED", datetime.now(UTC), error, cause)
