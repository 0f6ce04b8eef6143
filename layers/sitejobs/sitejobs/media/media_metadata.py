"""media-metadata, media-metadata-all and media-metadata-batch: what the uploads are, and whether they are good.

A page is no transaction: reading an object may take long. Each record is checked by itself and its verdict written
at once, so that a page that is called again goes on where it was.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from sitejobs.errors import InvalidInput, Transient
from sitejobs.jobs.job import PAGES_A_CHAPTER, Chapter, Job, JsonObject, PageSummary, Resources, Run
from sitejobs.media import records
from sitejobs.media.checking import checker_of
from sitejobs.media.options import (
    MEDIA_METADATA,
    MEDIA_METADATA_ALL,
    MEDIA_METADATA_BATCH,
    MediaMetadataAllOptions,
    MediaMetadataBatchOptions,
    MediaMetadataOptions,
)

ALL_PAGE_SIZE: Final = 25
PAGE_SECONDS: Final = 540
"""After this a page stops, to be called again for the rest: the function's own time limit would end it unsaid."""

First = Callable[[Run, Any], records.Place]


def _plan_one(resources: Resources, run: Run, options: MediaMetadataOptions, cursor: Any) -> Chapter:
    if records.record_by_id(resources.database.connection(), options.media_id) is None:
        raise InvalidInput(f"mediaId must be the id of a Media record: there is no {options.media_id}")
    return Chapter(pages=[{"page": 1, "mediaId": str(options.media_id)}], planned_pages=1, planned_users=1)


def _batch_one(resources: Resources, run: Run, options: MediaMetadataOptions, page: JsonObject) -> PageSummary:
    summary = PageSummary()
    checker, connection = checker_of(resources), resources.database.connection()
    checker.check(connection, int(page["mediaId"]), summary, force=options.force)
    return summary


def _place(place: records.Place) -> list[str]:
    """A place as a payload keeps it: a number of 17 digits might be rounded on its way."""
    at, media_id = place
    return [at, str(media_id)]


def _plan_unchecked(size: Callable[[Any], int], first: First) -> Callable[[Resources, Run, Any, Any], Chapter]:
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


def _batch_unchecked(resources: Resources, run: Run, options: Any, page: JsonObject) -> PageSummary:
    started = time.monotonic()
    checker, connection = checker_of(resources), resources.database.connection()
    after, upto = ((str(at), int(media_id)) for at, media_id in (page["after"], page["upto"]))
    summary = PageSummary()
    ids = records.unchecked_between(connection, after, upto)
    for done, media_id in enumerate(ids):
        if time.monotonic() - started > PAGE_SECONDS:
            raise Transient(f"{done} of {len(ids)} uploads are done; the rest of the page is for another call")
        checker.check(connection, media_id, summary)
    return summary


def _oldest(run: Run, options: Any) -> records.Place:
    return records.START


def _recent(run: Run, options: MediaMetadataBatchOptions) -> records.Place:
    return records.start_at(run.started_at - timedelta(hours=options.max_age_hours))


ONE: Job[MediaMetadataOptions] = Job(MEDIA_METADATA, MediaMetadataOptions, plan=_plan_one, batch=_batch_one)
ALL: Job[MediaMetadataAllOptions] = Job(
    MEDIA_METADATA_ALL,
    MediaMetadataAllOptions,
    plan=_plan_unchecked(lambda options: ALL_PAGE_SIZE, _oldest),
    batch=_batch_unchecked,
)
RECENT: Job[MediaMetadataBatchOptions] = Job(
    MEDIA_METADATA_BATCH,
    MediaMetadataBatchOptions,
    plan=_plan_unchecked(lambda options: int(options.batch_size), _recent),
    batch=_batch_unchecked,
)
