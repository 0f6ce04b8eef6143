"""Runs that compute only the failed pages of an earlier run: their option `retryOf` names it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from sitejobs.aliases import JsonObject
from sitejobs.errors import InvalidInput
from sitejobs.jobs.job import PAGES_A_CHAPTER, Chapter, PagedJob, Resources, Run

_EARLIER: Final[LiteralString] = """
SELECT "id", "job", "scope", "status", "startedAt", "options", "context", "error" FROM "JobRun" WHERE "id" = %(id)s
"""
_SINCE: Final[LiteralString] = """
SELECT max("id") FROM "JobRun"
WHERE "job" = %(job)s AND "scope" = %(scope)s AND "id" > %(id)s AND "status" = 'SUCCEEDED'
  AND NOT "options" ?| '{retryOf,dryRun}'
"""
_PAGES: Final[LiteralString] = """
SELECT "keys" FROM "JobRunFailedPage" WHERE "runId" = %(id)s AND "page" > %(after)s ORDER BY "page" LIMIT %(limit)s
"""
_COUNT: Final[LiteralString] = """SELECT count(*) FROM "JobRunFailedPage" WHERE "runId" = %(id)s"""

_SNAPSHOT: Final = "snapshot"
_AGAIN: Final = "again"


@dataclass(frozen=True)
class Earlier:
    """A run whose failed pages are computed again.

    shared : what its pages shared, if they rest on a snapshot: ranges of keys are positions in it. None of other jobs,
        whose pages are read from the tables as they are now.
    """

    id: int
    started_at: datetime
    options: JsonObject
    shared: JsonObject | None
    broke_off: bool

    def begun(self, run: Run) -> Run:
        """The run as its pages see it: what rests on an old snapshot is no newer than that."""
        return replace(run, started_at=self.started_at) if self.shared is not None else run

    def kept(self, context: JsonObject) -> JsonObject:
        """What the new run's row keeps. No later run may take the old snapshot for one that this run made."""
        if self.shared is None:
            return context
        return {_AGAIN: {"shared": self.shared, "startedAt": self.started_at.isoformat()}}


def read_earlier(connection: Connection, job: str, run_id: int) -> Earlier:
    """The run that an option `retryOf` names.

    Raises
    ------
    InvalidInput : there is none, it is another job's or still at work, or a later run has done its pages.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_EARLIER, {"id": run_id}).fetchone()
    if row is None or row["job"] != job:
        raise InvalidInput(f"retryOf must be the id of a run of {job}: there is no run {run_id} of it")
    if row["status"] == "RUNNING":
        raise InvalidInput(f"run {run_id} is still at work: its failed pages can be computed when it has ended")
    if "dryRun" in row["options"]:
        raise InvalidInput(f"run {run_id} was a dry run: start it anew")
    since = connection.execute(_SINCE, row).fetchone()
    if since is not None and since[0] is not None:
        raise InvalidInput(f"run {since[0]} has computed the pages of run {run_id} since")
    again = row["context"].get(_AGAIN)
    shared = again["shared"] if again else row["context"] if _SNAPSHOT in row["context"] else None
    return Earlier(
        id=run_id,
        started_at=datetime.fromisoformat(again["startedAt"]) if again else row["startedAt"].astimezone(UTC),
        options={name: value for name, value in row["options"].items() if name != "trigger"},
        shared=None if shared is None else {name: value for name, value in shared.items() if name != "message"},
        broke_off=row["status"] != "SUCCEEDED" and not str(row["error"]).startswith("PagesFailed"),
    )


def plan_again(job: PagedJob, resources: Resources, run: Run, options: Any, earlier: Earlier, cursor: Any) -> Chapter:
    """The next chapter of failed pages, in their order. A chapter has pages of one kind only, as in the earlier run."""
    connection = resources.database.connection()
    after = int(cursor["after"]) if cursor else 0
    values = {"id": earlier.id, "after": after, "limit": PAGES_A_CHAPTER}
    found = [keys for (keys,) in connection.execute(_PAGES, values).fetchall()]
    pages = list(takewhile(lambda page: page.keys() == found[0].keys(), found))
    if pages and "part" in pages[0]:
        raise InvalidInput(f"run {earlier.id} broke off while it took its snapshot: start {run.job} anew")
    last = int(pages[-1]["page"]) if pages else 0
    more = bool(pages) and (len(pages) < len(found) or len(found) == PAGES_A_CHAPTER)
    count = connection.execute(_COUNT, values).fetchone()
    context: JsonObject = {}
    if not cursor and pages:
        context = earlier.shared if earlier.shared is not None else job.plan(resources, run, options, None).context
    return Chapter(
        pages=pages,
        cursor={"after": last} if more else None,
        planned_pages=int(count[0]) if count else len(pages),
        planned_users=sum(map(_records, pages)),
        context=context,
        message=_message(earlier, pages, run.job) if not cursor else None,
    )


def _records(page: JsonObject) -> int:
    """How many records a page has, as far as its keys tell."""
    if "stop" in page:
        return int(page["stop"]) - int(page["start"])
    return int(page.get("keys", 0))


def _message(earlier: Earlier, pages: list[JsonObject], job: str) -> str | None:
    notes = [] if pages else [f"run {earlier.id} has no failed pages"]
    if earlier.broke_off:
        notes.append(f"run {earlier.id} broke off: pages that it did not begin are left to the next run of {job}")
    return "; ".join(notes) or None
