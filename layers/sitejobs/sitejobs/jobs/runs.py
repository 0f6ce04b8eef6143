"""JobRun: one row a run. Plan opens it, Record adds to it, Finish closes it; if Finish was not reached, the execution's
end does. Every call may come twice."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from sitejobs.aliases import JsonObject
from sitejobs.errors import InvalidInput, RunClosed
from sitejobs.jobs import comparison
from sitejobs.jobs.endings import Ending

HEARTBEAT_SECONDS: Final = 10
"""Seconds between two updates of a run's heartbeat by its pages; more frequent ones would make the row a bottleneck."""

MAX_CAUSE: Final = 1000
"""Most characters of a cause that are stored."""

COUNTERS: Final = ("processed", "written", "skipped", "failed")

_OF_EXECUTION: Final[LiteralString] = """
SELECT "id", "startedAt", "context", "status" FROM "JobRun" WHERE "execution" = %(execution)s
"""
# A heartbeat far in the future came from a wrong clock: a running run corrects it within seconds.
_CLOSE_DEAD: Final[LiteralString] = """
UPDATE "JobRun" SET "status" = 'DIED', "finishedAt" = now(), "error" = 'no heartbeat: taken over by a later run'
WHERE "job" = %(job)s AND "scope" = %(scope)s AND "status" = 'RUNNING'
  AND "heartbeatAt" NOT BETWEEN now() - make_interval(secs => %(stale_seconds)s)
                            AND now() + make_interval(secs => %(stale_seconds)s)
"""
_OPEN: Final[LiteralString] = """
INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options")
VALUES (%(job)s, %(scope)s, %(execution)s, %(trigger)s, %(options)s)
ON CONFLICT DO NOTHING
RETURNING "id", "startedAt", "context", "status"
"""
_RUNNING: Final[LiteralString] = """
SELECT "id", "startedAt" FROM "JobRun" WHERE "job" = %(job)s AND "scope" = %(scope)s AND "status" = 'RUNNING'
"""
_SET_CONTEXT: Final[LiteralString] = (
    """UPDATE "JobRun" SET "context" = %(context)s, "heartbeatAt" = now() WHERE "id" = %(id)s"""
)
_PULSE: Final[LiteralString] = """
SELECT "status", "heartbeatAt" NOT BETWEEN now() - make_interval(secs => %(every)s)
                                       AND now() + make_interval(secs => %(every)s) FROM "JobRun" WHERE "id" = %(id)s
"""
_BEAT: Final[LiteralString] = """UPDATE "JobRun" SET "heartbeatAt" = now() WHERE "id" = %(id)s"""
_LOCK: Final[LiteralString] = """
SELECT "chapter", "pages", "failedPages", "processed", "written", "skipped", "failed", "reasons", "status",
       "options", "context", "error", "job"
FROM "JobRun" WHERE "id" = %(id)s FOR UPDATE
"""
_ADD: Final[LiteralString] = """
UPDATE "JobRun" SET "chapter" = %(chapter)s, "pages" = "pages" + %(pages)s,
    "failedPages" = "failedPages" + %(failedPages)s, "processed" = "processed" + %(processed)s,
    "written" = "written" + %(written)s, "skipped" = "skipped" + %(skipped)s, "failed" = "failed" + %(failed)s,
    "reasons" = %(reasons)s, "heartbeatAt" = now()
WHERE "id" = %(id)s
"""
_FAILED_PAGE: Final[LiteralString] = """
INSERT INTO "JobRunFailedPage" ("runId", "page", "keys", "error") VALUES (%(id)s, %(page)s, %(keys)s, %(error)s)
ON CONFLICT ("runId", "page") DO UPDATE SET "error" = excluded."error"
"""
_NOTE: Final[LiteralString] = """
INSERT INTO "JobRunFailedPage" ("runId", "page", "keys", "error", "detail")
VALUES (%(id)s, %(page)s, %(keys)s, %(error)s, %(detail)s)
ON CONFLICT ("runId", "page")
DO UPDATE SET "error" = excluded."error", "detail" = excluded."detail", "failedAt" = now()
"""
_FORGET_NOTES: Final[LiteralString] = (
    """DELETE FROM "JobRunFailedPage" WHERE "runId" = %(id)s AND "page" = ANY(%(pages)s)"""
)
_FIRST_FAILED: Final[LiteralString] = """
SELECT "page", "error", "detail" FROM "JobRunFailedPage" WHERE "runId" = %(id)s ORDER BY "page" LIMIT 3
"""
_CLOSE_ENDED: Final[LiteralString] = """
UPDATE "JobRun" SET "status" = %(status)s, "error" = %(error)s, "finishedAt" = now()
WHERE "execution" = %(execution)s AND "status" = 'RUNNING' RETURNING "id"
"""
_NEVER_OPENED: Final[LiteralString] = """
INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options", "status", "error", "startedAt", "finishedAt")
VALUES (%(job)s, 'unknown', %(execution)s, 'unknown', '{}', %(status)s, %(error)s, %(started_at)s, now())
ON CONFLICT ("execution") DO NOTHING RETURNING "id"
"""
_CLOSE: Final[LiteralString] = """
UPDATE "JobRun" SET "status" = %(status)s, "error" = %(error)s, "finishedAt" = now() WHERE "id" = %(id)s
"""


@dataclass(frozen=True)
class OpenRun:
    """The run that this execution works on."""

    id: str
    started_at: datetime
    context: JsonObject


@dataclass(frozen=True)
class AlreadyRunning:
    """The run of another execution with the same job and scope."""

    id: str
    started_at: datetime


def open_run(
    connection: Connection,
    *,
    job: str,
    scope: str,
    execution: str,
    trigger: str,
    options: Mapping[str, Any],
    stale_seconds: int,
) -> OpenRun | AlreadyRunning:
    """Open the run of an execution, or find the running one that prevents it.

    Calling it again for the same execution finds the same run. A run whose heartbeat is older than
    `stale_seconds` is closed as DIED first.
    """
    values = {
        "job": job,
        "scope": scope,
        "execution": execution,
        "trigger": trigger,
        "options": Jsonb(dict(options)),
        "stale_seconds": stale_seconds,
    }
    found: OpenRun | AlreadyRunning | None = None
    while found is None:  # None: the other run finished between two statements, so try again
        with connection.transaction():
            found = _open_or_find(connection, values)
    return found


def _open_or_find(connection: Connection, values: Mapping[str, Any]) -> OpenRun | AlreadyRunning | None:
    known = connection.execute(_OF_EXECUTION, values).fetchone()
    if known is None:
        connection.execute(_CLOSE_DEAD, values)
        known = connection.execute(_OPEN, values).fetchone()
    if known is None:
        # Either another call for this execution was quicker, or another run is running.
        known = connection.execute(_OF_EXECUTION, values).fetchone()
    if known is not None:
        run_id, started_at, context, status = known
        if status != "RUNNING":
            raise RunClosed(f"run {run_id} of this execution was closed as {status}")
        return OpenRun(str(run_id), started_at, context)
    other = connection.execute(_RUNNING, values).fetchone()
    return None if other is None else AlreadyRunning(str(other[0]), other[1])


def set_context(connection: Connection, run_id: str, context: JsonObject) -> None:
    """Store what the run's pages share, for a repeated Plan and for later runs."""
    connection.execute(_SET_CONTEXT, {"id": int(run_id), "context": Jsonb(context)})


def check_alive(connection: Connection, run_id: str) -> None:
    """Move the run's heartbeat if it is due.

    Raises
    ------
    RunClosed : the run was closed or taken over; its late pages must not write.
    """
    row = connection.execute(_PULSE, {"id": int(run_id), "every": HEARTBEAT_SECONDS}).fetchone()
    if row is None or row[0] != "RUNNING":
        raise RunClosed(f"run {run_id} is {'gone' if row is None else row[0]}: its pages no longer write")
    if row[1]:
        connection.execute(_BEAT, {"id": int(run_id)})


def note_failed_page(connection: Connection, run_id: str, page: JsonObject, error: str, detail: str | None) -> None:
    """Store why a page failed: the state machine's Catch keeps only the error's name."""
    connection.execute(
        _NOTE,
        {"id": int(run_id), "page": page["page"], "keys": Jsonb(page), "error": error, "detail": detail},
    )


def record_chapter(connection: Connection, run_id: str, chapter: int, results: Sequence[JsonObject]) -> JsonObject:
    """Add a chapter's page results to the run; repeated calls add nothing.

    Each result is a page's summary, or `{"page": <the page>, "error": name}` of a page that failed for good.

    Raises
    ------
    RunClosed : the run was closed or taken over; its execution must not continue with the next chapter.
    """
    failed = [result for result in results if "error" in result]
    done = [result for result in results if "error" not in result]
    with connection.transaction():
        row = _locked(connection, run_id)
        if row["chapter"] >= chapter:
            return {"chapter": chapter, "pages": len(results), "failedPages": len(failed)}
        if row["status"] != "RUNNING":
            raise RunClosed(f"run {run_id} is {row['status']}: no chapter is added to it")
        reasons: Counter[str] = Counter(row["reasons"])
        for result in done:
            reasons.update(result.get("reasons") or {})
        for result in failed:
            page = result["page"]
            values = {"id": int(run_id), "page": page["page"], "keys": Jsonb(page), "error": result["error"]}
            connection.execute(_FAILED_PAGE, values)
        if any(comparison.KEY in result for result in done):
            set_context(connection, run_id, comparison.added(row["context"], done))
        # A page that failed and then succeeded has left a note.
        connection.execute(_FORGET_NOTES, {"id": int(run_id), "pages": [result["page"] for result in done]})
        connection.execute(
            _ADD,
            {
                "id": int(run_id),
                "chapter": chapter,
                "pages": len(results),
                "failedPages": len(failed),
                "reasons": Jsonb(reasons),
                **{name: sum(int(result[name]) for result in done) for name in COUNTERS},
            },
        )
    return {"chapter": chapter, "pages": len(results), "failedPages": len(failed)}


def run_of(connection: Connection, execution: str) -> str | None:
    """Id of the run that an execution opened; None if it opened none."""
    row = connection.execute(_OF_EXECUTION, {"execution": execution}).fetchone()
    return None if row is None else str(row[0])


def never_opened(error: JsonObject) -> JsonObject:
    """The summary of an execution that failed before it opened a run: nothing to close, nothing to count."""
    name, cause = name_and_cause(error)
    return {"runId": None, "status": "FAILED", "message": None, "error": name, "cause": cause}


def close_run(connection: Connection, run_id: str, error: JsonObject | None) -> JsonObject:
    """Close a run and return its summary. A run already closed keeps its status.

    The run fails if `error` (in Step Functions' shape: `Error` and `Cause`) is given, or if more pages failed than
    `tolerateFailures` allows.
    """
    with connection.transaction():
        row = _locked(connection, run_id)
        name, cause = _verdict(connection, run_id, row, error)
        if row["status"] == "RUNNING":
            row["status"] = "FAILED" if name else "SUCCEEDED"
            text = f"{name}: {cause}" if name else None
            if comparison.KEY in row["context"]:
                row["context"] = comparison.told(row["context"])
                set_context(connection, run_id, row["context"])
            connection.execute(_CLOSE, {"id": int(run_id), "status": row["status"], "error": text})
        elif row["status"] != "SUCCEEDED" and name is None:
            name, cause = "RunClosed", str(row["error"])
    counts = {key: row[key] for key in ("pages", "failedPages", *COUNTERS)}
    return {
        "job": row["job"],
        "runId": run_id,
        "status": "SUCCEEDED" if row["status"] == "SUCCEEDED" else "FAILED",
        **counts,
        "reasons": row["reasons"],
        **comparison.summary(row["context"]),
        "message": _message(row, failed=name is not None),
        "error": name,
        "cause": cause,
    }


def close_ended(connection: Connection, ending: Ending, job: str | None) -> str | None:
    """Close the run of an execution that ended without closing it; its id, or None if nothing was done.

    A run already closed stays as it is. If the execution was stopped before Plan opened a run, a closed run of `job` is
    inserted, so that a late Plan stops. job=None: none is inserted.
    """
    values = {
        "execution": ending.execution,
        "status": ending.status,
        "error": ": ".join(part for part in name_and_cause({"Error": ending.error, "Cause": ending.cause}) if part),
        "started_at": ending.started_at,
        "job": job,
    }
    # After a failed execution no Plan can still be running.
    opened = job is None or ending.status == "FAILED"
    statements = (_CLOSE_ENDED,) if opened else (_CLOSE_ENDED, _NEVER_OPENED, _CLOSE_ENDED)
    # The last statement is for a Plan that opened the run between the first two.
    for statement in statements:
        row = connection.execute(statement, values).fetchone()
        if row is not None:
            return str(row[0])
    return None


def _locked(connection: Connection, run_id: str) -> JsonObject:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_LOCK, {"id": int(run_id)}).fetchone()
    if row is None:
        raise InvalidInput(f"there is no run {run_id}")
    return row


def _verdict(
    connection: Connection, run_id: str, row: JsonObject, error: JsonObject | None
) -> tuple[str | None, str | None]:
    if error is not None:
        return name_and_cause(error)
    tolerated = int(row["options"].get("tolerateFailures", 0))
    if row["failedPages"] <= tolerated:
        return None, None
    first = connection.execute(_FIRST_FAILED, {"id": int(run_id)}).fetchall()
    named = "; ".join(f"page {page}: {detail or name}" for page, name, detail in first)
    return (
        "PagesFailed",
        f"{row['failedPages']} of {row['pages']} pages failed, {tolerated} tolerated. First: {named}"[:MAX_CAUSE],
    )


def name_and_cause(error: JsonObject) -> tuple[str, str]:
    """Name and cause of a state's error. A function's cause is JSON with a stack trace: only its message is kept."""
    cause = str(described_cause(error).get("errorMessage", error.get("Cause") or ""))
    return str(error.get("Error") or "Error"), cause[:MAX_CAUSE]


def described_cause(error: JsonObject) -> JsonObject:
    """The cause as a JSON object, as functions and executions write it; empty if it is plain text."""
    try:
        described = json.loads(str(error.get("Cause") or ""))
    except ValueError:
        return {}
    return described if isinstance(described, dict) else {}


def _message(row: JsonObject, *, failed: bool) -> str | None:
    """What a person should know beside the counts: above all why nothing was written if no error says so."""
    if row["context"].get("message"):
        return str(row["context"]["message"])
    if failed or row["written"] or row["failedPages"]:
        return None
    if not row["processed"]:
        return "nothing written: there was nothing to do"
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(row["reasons"].items()))
    return f"nothing written: {row['processed']} processed" + (f" ({reasons})" if reasons else "")
