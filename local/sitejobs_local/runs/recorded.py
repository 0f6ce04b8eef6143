"""Runs as they are recorded: recent ones, and one with what failed, what its jobs did, and what was retried."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, LiteralString

from sitejobs.errors import InvalidInput

if TYPE_CHECKING:
    from psycopg import Connection

STATUSES: Final = ("RUNNING", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "DIED")

_RECENT: Final[LiteralString] = """
SELECT * FROM "JobRunOverview" WHERE "id" < %(before)s
"""
_OF_JOB: Final[LiteralString] = """ AND "job" = %(job)s"""
_WITH_STATUS: Final[LiteralString] = """ AND "status" = %(status)s"""
_NEWEST: Final[LiteralString] = """ ORDER BY "id" DESC LIMIT %(limit)s"""
_ONE: Final[LiteralString] = """SELECT * FROM "JobRunOverview" WHERE "id" = %(id)s"""
_FAILED_PAGES: Final[LiteralString] = """
SELECT "page", "keys", "error", "detail", "failedAt" FROM "JobRunFailedPage" WHERE "runId" = %(id)s
ORDER BY "page" LIMIT %(limit)s
"""
# The jobs of a workflow in the order in which they began; those that did not begin come last.
_JOBS: Final[LiteralString] = """
SELECT of."job", of."state" ->> 'status' AS "state", r."id", r."status", r."startedAt", r."seconds",
       r."processed", r."written", r."failedPages", COALESCE(r."error", of."state" -> 'summary' ->> 'cause') AS "error"
FROM "JobRun" w CROSS JOIN LATERAL jsonb_each(w."context" -> 'jobs') AS of ("job", "state")
LEFT JOIN "JobRunOverview" r ON r."execution" = of."state" ->> 'execution'
WHERE w."id" = %(id)s ORDER BY r."id" NULLS LAST, of."job"
"""
_AGAIN: Final[LiteralString] = """
SELECT "id", "status" FROM "JobRunOverview"
WHERE "job" = %(job)s AND "id" > %(id)s AND "options" ->> 'retryOf' = %(id)s::text ORDER BY "id" LIMIT 20
"""


def recent(
    connection: "Connection",
    *,
    job: str | None = None,
    status: str | None = None,
    before: int | None = None,
    limit: int = 20,
) -> list[dict[str, Any]]:
    """Rows of "JobRunOverview", newest first: of one job or of all, with one status or any, older than run `before`."""
    query = _RECENT + (_OF_JOB if job else "") + (_WITH_STATUS if status else "") + _NEWEST
    return _rows(connection, query, {"job": job, "status": status, "before": before or 2**63 - 1, "limit": limit})


def overview(connection: "Connection", run_id: int) -> dict[str, Any]:
    """A run's row of "JobRunOverview".

    Raises
    ------
    InvalidInput : there is no such run.
    """
    found = _rows(connection, _ONE, {"id": run_id})
    if not found:
        raise InvalidInput(f"there is no run {run_id}: `sitejobs runs` lists the recent ones")
    return found[0]


def one(connection: "Connection", run_id: int, limit: int) -> dict[str, Any]:
    """A run with up to `limit` of its failed pages as `failedPagesNoted`, a workflow's `jobs`, and the runs that did
    its failed pages again as `again`.

    Raises
    ------
    InvalidInput : there is no such run.
    """
    run = overview(connection, run_id)
    values = {"id": run_id, "limit": limit, "job": run["job"]}
    jobs = _rows(connection, _JOBS, values)
    return {
        **run,
        "failedPagesNoted": _rows(connection, _FAILED_PAGES, values),
        **({"jobs": jobs} if jobs else {}),
        "again": _rows(connection, _AGAIN, values),
    }


def _rows(connection: "Connection", query: LiteralString, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()
