"""One run of a workflow on this machine: started, followed to its end, closed with its jobs when interrupted."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sitejobs_local.runs.progress import Totals
from sitejobs_local.runs.runner import EXIT_INTERRUPTED, Outcome, Workshop, execute, failed, succeeded
from sitejobs_local.runs.stopped import INTERRUPTED, count_written, stopped
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
        return _interrupted(workflow, target, name, progress)
    return outcome_of(workflow, ended, progress)


def outcome_of(workflow: str, ended: "Execution", progress: WorkflowProgress) -> Outcome:
    """How a workflow ended: its output or, if it failed, what the progress knows of it."""
    if ended.status == "SUCCEEDED":
        return succeeded(ended.output)
    return failed(workflow, progress.run_id, ended.error or ended.status, ended.cause, progress.finished, ended.status)


def _interrupted(workflow: str, target: "Target", name: str, progress: WorkflowProgress) -> Outcome:
    """Close the open runs of the workflow and its jobs after an interrupt: nothing else does."""
    from sitejobs.jobs.runs import close_ended, run_of
    from sitejobs.workflows.records import close_workflow, running_jobs

    error, cause = INTERRUPTED
    summary: dict[str, Any] | None = None
    execution = f"{_MACHINES.replace(':stateMachine:', ':execution:')}{workflow}:{name}"
    with target.connect() as connection:
        close_ended(connection, _ending(workflow, execution), None)
        run_id = run_of(connection, execution)
        row = connection.execute(_CONTEXT, [run_id]).fetchone()
        if run_id is not None and row is not None:
            running = running_jobs(row[0])
            for job, of_job in running:
                close_ended(connection, _ending(job, of_job), None)
                their_run = run_of(connection, of_job)
                if their_run is not None and job in progress.jobs:
                    count_written(connection, their_run, progress.jobs[job].totals)
            summary = close_workflow(connection, run_id, {"Error": error, "Cause": cause})
            _add_running(summary, [job for job, _ in running], progress)
    return Outcome(EXIT_INTERRUPTED, stopped(workflow, summary))


def _add_running(summary: dict[str, Any], running: Sequence[str], progress: WorkflowProgress) -> None:
    """Add to a workflow's summary what its jobs had done that were at work when it was stopped."""
    for job in running:
        totals = progress.jobs[job].totals if job in progress.jobs else Totals()
        counts = {"pages": totals.ended_pages, "processed": totals.processed, "written": totals.written}
        summary["jobs"][job] |= {**counts, "status": "ABORTED"}
        for key, count in counts.items():
            summary[key] += count


def _ending(name: str, execution: str) -> "Ending":
    from sitejobs.jobs.endings import Ending

    error, cause = INTERRUPTED
    return Ending(execution, _MACHINES + name, "ABORTED", datetime.now(UTC), error, cause)
