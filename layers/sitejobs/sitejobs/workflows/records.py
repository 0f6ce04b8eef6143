"""A workflow's JobRun: opened, updated when a job ends, closed. Its context has the states of its jobs."""

import hashlib
from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from sitejobs.aliases import JsonObject
from sitejobs.errors import RunClosed
from sitejobs.jobs import runs
from sitejobs.options import JobOptions
from sitejobs.workflows import states as jobs_of
from sitejobs.workflows.catalog import WorkflowOptions, input_of, scope_of_workflow
from sitejobs.workflows.graph import waits_of
from sitejobs.workflows.states import JobState, States, Status

COUNTERS: Final = ("pages", "failedPages", *runs.COUNTERS)

_KEEP_ALIVE: Final[LiteralString] = """
UPDATE "JobRun" AS run SET "heartbeatAt" = latest."at"
FROM (
    SELECT whole."id", max(LEAST(part."heartbeatAt", now())) AS "at"
    FROM "JobRun" AS whole
    CROSS JOIN LATERAL jsonb_each(whole."context"->'jobs') AS job ("name", "state")
    JOIN "JobRun" AS part ON part."execution" = job."state"->>'execution' AND part."status" = 'RUNNING'
    WHERE whole."job" = %(job)s AND whole."scope" = %(scope)s AND whole."status" = 'RUNNING'
    GROUP BY whole."id"
) AS latest
WHERE run."id" = latest."id" AND (run."heartbeatAt" < latest."at" OR run."heartbeatAt" > now())
"""
_LOCK: Final[LiteralString] = (
    """SELECT "job", "status", "context", "error" FROM "JobRun" WHERE "id" = %(id)s FOR UPDATE"""
)
_KEEP: Final[LiteralString] = (
    """UPDATE "JobRun" SET "context" = %(context)s, "heartbeatAt" = now() WHERE "id" = %(id)s"""
)
_COUNTS_OF: Final[LiteralString] = """
SELECT "id", "pages", "failedPages", "processed", "written", "skipped", "failed", "reasons"
FROM "JobRun" WHERE "execution" = %(execution)s
"""
_CLOSE: Final[LiteralString] = """
UPDATE "JobRun" SET "status" = %(status)s, "error" = %(error)s, "finishedAt" = now(), "context" = %(context)s,
    "pages" = %(pages)s, "failedPages" = %(failedPages)s, "processed" = %(processed)s, "written" = %(written)s,
    "skipped" = %(skipped)s, "failed" = %(failed)s
WHERE "id" = %(id)s
"""


def open_workflow(
    connection: Connection,
    *,
    name: str,
    options: WorkflowOptions,
    execution: str,
    machines: str,
    stale_seconds: int,
) -> runs.OpenRun | runs.AlreadyRunning:
    """Open the run of a workflow and mark the jobs that wait for nothing as started; a second call finds it as it is.

    `machines` is the ARN of the jobs' state machines up to the job's name. A run of the same workflow and scope
    counts as alive while one of its jobs runs, however long that takes.
    """
    scope = scope_of_workflow(options)
    connection.execute(_KEEP_ALIVE, {"job": name, "scope": scope})
    opened = runs.open_run(
        connection,
        job=name,
        scope=scope,
        execution=execution,
        trigger=options.trigger,
        options=options.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        stale_seconds=stale_seconds,
    )
    if isinstance(opened, runs.AlreadyRunning) or "jobs" in opened.context:
        return opened
    executions = {job: _execution_arn(machines, job, execution_name(name, execution, job)) for job in options.jobs()}
    states = jobs_of.started(jobs_of.waiting(waits_of(options.jobs()), executions), by="")
    context = {"jobs": _to_json(states)}
    runs.set_context(connection, opened.id, context)
    return runs.OpenRun(opened.id, opened.started_at, context)


def start_orders(context: JsonObject, by: str, options: JobOptions, machines: str) -> list[JsonObject]:
    """What the state machine should start after the end of the job `by` ("": at the run's start)."""
    states = _states(context)
    return [
        {
            "job": job,
            "machine": machines + job,
            "name": states[job].execution.rpartition(":")[2],
            "input": input_of(job, options),
        }
        for job in jobs_of.set_going(states, by)
    ]


def end_job(
    connection: Connection, run_id: str, job: str, output: JsonObject | None, error: JsonObject | None
) -> JsonObject:
    """Store how a job ended and mark the jobs that waited only for it as started; returns the context. May be repeated.

    Raises
    ------
    RunClosed : the run was closed or taken over; no further job of it may start.
    """
    with connection.transaction():
        row = _locked(connection, run_id)
        context: JsonObject = row["context"]
        states = _states(context)
        if row["status"] != "RUNNING":
            raise RunClosed(f"run {run_id} is {row['status']}: none of its jobs is started")
        if states[job].status == "STARTED":
            status, summary = _outcome(connection, states[job], output, error)
            states = jobs_of.started(jobs_of.ended(states, job, status, summary), by=job)
            context = {**context, "jobs": _to_json(states)}
            connection.execute(_KEEP, {"id": int(run_id), "context": Jsonb(context)})
        return context


def close_workflow(connection: Connection, run_id: str, error: JsonObject | None) -> JsonObject:
    """Close a workflow's run and return its summary. A run already closed keeps its status.

    The run fails if a job failed or if `error` (in Step Functions' shape: `Error` and `Cause`) is given.
    """
    with connection.transaction():
        row = _locked(connection, run_id)
        context = row["context"]
        name, cause = runs.name_and_cause(error) if error is not None else (None, None)
        states = jobs_of.closed(_states(context), {"error": name, "cause": cause} if name else jobs_of.NOT_ANSWERED)
        if name is None:
            name, cause = jobs_of.verdict(states)
        counts = {key: sum(int(state.summary.get(key) or 0) for state in states.values()) for key in COUNTERS}
        if row["status"] == "RUNNING":
            row["status"] = "FAILED" if name else "SUCCEEDED"
            text = f"{name}: {cause}"[: runs.MAX_CAUSE] if name else None
            context = Jsonb({**context, "jobs": _to_json(states)})
            values = {"id": int(run_id), "status": row["status"], "error": text, "context": context, **counts}
            connection.execute(_CLOSE, values)
        elif row["status"] != "SUCCEEDED" and name is None:
            name, cause = "RunClosed", str(row["error"])
    return {
        "job": row["job"],
        "runId": run_id,
        "status": "SUCCEEDED" if row["status"] == "SUCCEEDED" else "FAILED",
        **counts,
        "jobs": {job: {"status": state.status, **state.summary} for job, state in states.items()},
        "message": jobs_of.message(states),
        "error": name,
        "cause": cause[: runs.MAX_CAUSE] if cause else None,
    }


def running_jobs(context: JsonObject) -> list[tuple[str, str]]:
    """The jobs of a run that are running, with the ARNs of their executions."""
    return [(job, state.execution) for job, state in _states(context).items() if state.status == "STARTED"]


def execution_name(workflow: str, execution: str, job: str) -> str:
    """Name of the execution of a workflow's job: the same for every attempt to start it."""
    return f"{workflow}-{hashlib.sha256(execution.encode()).hexdigest()[:12]}-{job}"


def _execution_arn(machines: str, job: str, name: str) -> str:
    return f"{machines.replace(':stateMachine:', ':execution:')}{job}:{name}"


def _outcome(
    connection: Connection, state: JobState, output: JsonObject | None, error: JsonObject | None
) -> tuple[Status, JsonObject]:
    if error is None:
        summary = {key: value for key, value in (output or {}).items() if key not in ("job", "status")}
        busy = (output or {}).get("status") == "ALREADY_RUNNING"
        return ("ALREADY_RUNNING" if busy else "SUCCEEDED"), summary
    name, cause = _error_within(error)
    return "FAILED", {**_counts(connection, state.execution), "error": name, "cause": cause}


def _error_within(error: JsonObject) -> tuple[str, str]:
    """The error of a failed execution: its description is the cause of the error of the state that waited for it."""
    described = runs.described_cause(error)
    if "Status" in described:
        inner = {"Error": described.get("Error") or described["Status"], "Cause": described.get("Cause")}
        return runs.name_and_cause(inner)
    return runs.name_and_cause(error)


def _counts(connection: Connection, execution: str) -> JsonObject:
    """The counts of a failed job's own run; empty if it opened none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_COUNTS_OF, {"execution": execution}).fetchone()
    return {"runId": str(row.pop("id")), **row} if row else {}


def _locked(connection: Connection, run_id: str) -> JsonObject:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_LOCK, {"id": int(run_id)}).fetchone()
    if row is None:
        raise RunClosed(f"run {run_id} is gone")
    return row


def _states(context: JsonObject) -> dict[str, JobState]:
    # jsonb does not keep the order of an object's keys.
    stored: Mapping[str, JsonObject] = context.get("jobs") or {}
    return {job: JobState.from_json(stored[job]) for job in waits_of(stored)}


def _to_json(states: States) -> JsonObject:
    return {job: state.to_json() for job, state in states.items()}
