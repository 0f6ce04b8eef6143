"""Rows of JobRun as tests open, age and read them."""

import json
from datetime import datetime
from itertools import count
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from sitejobs.aliases import JsonObject
from sitejobs.jobs import runs
from sitejobs.jobs.job import PagedJob, Run, scope_of
from sitejobs.jobs.runs import AlreadyRunning, OpenRun

STALE_SECONDS = 60
_EXECUTIONS = count(1)
_SET_START = """UPDATE "JobRun" SET "startedAt" = %s WHERE "id" = %s"""


def open_run(connection: Connection, job: PagedJob, given: JsonObject, options: Any, at: datetime | None = None) -> Run:
    """A run of a job as its first state opens it. `given`, `options`: as they came, and as read; `at`: its start."""
    name, scope = job.entry.name, scope_of(options)
    execution = f"{name}-{next(_EXECUTIONS)}"
    run = runs.open_run(
        connection, job=name, scope=scope, execution=execution, trigger="api", options=given, stale_seconds=1800
    )
    assert isinstance(run, OpenRun)
    if at is not None:
        connection.execute(_SET_START, [at, int(run.id)])
    return Run(run.id, name, at or run.started_at, given, run.context)


def through_json(value: Any) -> Any:
    """The value after a payload's way through JSON."""
    return json.loads(json.dumps(value))


def opening(database: Connection, execution: str = "one", **changed: Any) -> OpenRun | AlreadyRunning:
    given: dict[str, Any] = {"job": "toy", "scope": "all", "trigger": "cli", "options": {}}
    return runs.open_run(database, execution=execution, stale_seconds=STALE_SECONDS, **(given | changed))


def opened(database: Connection, execution: str = "one", **changed: Any) -> OpenRun:
    run = opening(database, execution, **changed)
    assert isinstance(run, OpenRun)
    return run


def row_of(database: Connection, run_id: str) -> JsonObject:
    with database.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute('SELECT * FROM "JobRun" WHERE "id" = %s', [int(run_id)]).fetchone()
    assert row is not None
    return row


def failed_pages(database: Connection, run_id: str) -> list[tuple[Any, ...]]:
    query = 'SELECT "page", "keys", "error", "detail" FROM "JobRunFailedPage" WHERE "runId" = %s ORDER BY "page"'
    return database.execute(query, [int(run_id)]).fetchall()


def make_old(database: Connection, run_id: str, seconds: int = STALE_SECONDS + 1) -> None:
    """As if the run had last been heard of so long ago."""
    older = 'UPDATE "JobRun" SET "heartbeatAt" = "heartbeatAt" - make_interval(secs => %s) WHERE "id" = %s'
    database.execute(older, [seconds, int(run_id)])


def done(page: int, **counts: Any) -> JsonObject:
    return {"page": page, "processed": 0, "written": 0, "skipped": 0, "failed": 0, "reasons": {}} | counts


def lost(page: int, error: str = "DataUnavailable") -> JsonObject:
    return {"page": {"page": page, "start": 10 * page, "stop": 10 * page + 10}, "error": error}
