"""Pages of unchecked uploads, oldest first, for the jobs that check many.

A page is not one transaction, since reading an object may take long. Each verdict is written at once, so that a
repeated page continues where the last call stopped.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from sitejobs.aliases import JsonObject
from sitejobs.errors import Transient
from sitejobs.jobs.job import PAGES_A_CHAPTER, Chapter, PageSummary, Resources, Run
from sitejobs.media import records
from sitejobs.media.checking import checker_of

PAGE_SECONDS: Final = 540
"""Seconds after which a page stops, to be called again: the time limit would kill it before it could report."""

First = Callable[[Run, Any], records.Place]
"""The place after which a run begins."""


def _place(place: records.Place) -> list[str]:
    """A place in a payload. The id is text: readers of JSON may round a number of 17 digits."""
    at, media_id = place
    return [at, str(media_id)]


def plan_unchecked(size: Callable[[Any], int], first: First) -> Callable[[Resources, Run, Any, Any], Chapter]:
    """Plan of a job whose pages have `size(options)` uploads; `first` says where a run begins."""

    def plan(resources: Resources, run: Run, options: Any, cursor: Any) -> Chapter:
        connection = resources.database.connection()
        after = first(run, options) if cursor is None else (str(cursor["after"][0]), int(cursor["after"][1]))
        number = 0 if cursor is None else int(cursor["page"])
        limit = size(options) * PAGES_A_CHAPTER
        found = records.next_unchecked(connection, after, limit)
        ends = [*found[size(options) - 1 : -1 : size(options)], *found[-1:]]
        starts = [after, *ends[:-1]]
        pages = [
            {"page": number + at, "after": _place(start), "upto": _place(end)}
            for at, (start, end) in enumerate(zip(starts, ends, strict=False), 1)
        ]
        planned = len(found)
        if cursor is None and len(found) == limit:
            planned = max(planned, records.count_unchecked(connection, after))
        return Chapter(
            pages=pages,
            cursor={"after": _place(found[-1]), "page": number + len(pages)} if len(found) == limit else None,
            planned_pages=number + max(len(pages), -(-planned // size(options))),
            planned_users=planned,
            message=None if pages or cursor else "there is no unchecked upload",
        )

    return plan


def batch_unchecked(resources: Resources, run: Run, options: Any, page: JsonObject) -> PageSummary:
    """Check the uploads of one page.

    Raises
    ------
    Transient : the page's time is up; another call checks the rest.
    """
    started = time.monotonic()
    checker, connection = checker_of(resources), resources.database.connection()
    after, upto = ((str(at), int(media_id)) for at, media_id in (page["after"], page["upto"]))
    summary = PageSummary()
    ids = records.unchecked_between(connection, after, upto)
    for done, media_id in enumerate(ids):
        if time.monotonic() - started > PAGE_SECONDS:
            raise Transient(f"{done} of {len(ids)} uploads are done; another call checks the rest of the page")
        checker.check(connection, media_id, summary)
    return summary
