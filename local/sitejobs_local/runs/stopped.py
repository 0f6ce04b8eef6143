"""Runs that were stopped, told in one way: by Ctrl-C, a signal or StopExecution; before, while or after they worked."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from psycopg import Connection

    from sitejobs_local.runs.progress import Totals

INTERRUPTED: Final = ("Interrupted", "interrupted by the user")

_COUNT: Final = """
UPDATE "JobRun" SET "pages" = GREATEST("pages", %(pages)s), "failedPages" = GREATEST("failedPages", %(failed)s),
    "processed" = GREATEST("processed", %(processed)s), "written" = GREATEST("written", %(written)s)
WHERE "id" = %(id)s AND "status" = 'ABORTED'
"""


def count_written(connection: "Connection", run_id: str, totals: "Totals") -> None:
    """Add to a stopped run what pages of its unfinished chapter did: Record never came to it."""
    values = {"pages": totals.ended_pages, "failed": totals.failed_pages}
    counts = {"processed": totals.processed, "written": totals.written}
    connection.execute(_COUNT, {"id": int(run_id), **values, **counts})


def stopped(job: str, summary: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The summary of an interrupted run; `summary` is what closing it returned, if it had been opened."""
    error, cause = INTERRUPTED
    known = dict(summary) if summary is not None else {"job": job, "runId": None}
    if known.get("status") == "SUCCEEDED":
        return {**known, "error": error, "cause": f"{cause} after it had succeeded"}
    return {**known, "status": "ABORTED", "error": error, "cause": cause}


def sentence(summary: Mapping[str, Any]) -> str:
    """What to say of a stopped run: who stopped it, and what stays of its work."""
    cause = str(summary.get("cause") or summary.get("error") or "by whom is not known")
    if summary.get("written"):
        what = f"{int(summary['written']):,} rows of {int(summary['pages']):,} pages are written and stay"
    elif "pages" in summary:
        what = "its pages wrote nothing" if summary["pages"] else "no page was done"
    elif summary.get("runId"):
        what = "what its pages have written stays"
    else:
        what = "no run was opened"
    return f"stopped: {cause}; {what}"
