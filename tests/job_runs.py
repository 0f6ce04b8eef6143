"""Rows of JobRun as tests open, age and read them."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from sitejobs.aliases import JsonObject
from sitejobs.jobs import runs
from sitejobs.jobs.runs import AlreadyRunning, OpenRun

STALE_SECONDS = 60


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
