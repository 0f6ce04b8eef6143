"""media-metadata: checks one upload."""

from typing import Any, Final

from sitejobs.aliases import JsonObject
from sitejobs.errors import InvalidInput
from sitejobs.jobs.job import Chapter, Job, PageSummary, Resources, Run
from sitejobs.media import records
from sitejobs.media.checking import checker_of
from sitejobs.media.options import MEDIA_METADATA, MediaMetadataOptions


def plan(resources: Resources, run: Run, options: MediaMetadataOptions, cursor: Any) -> Chapter:
    """One page with the one record.

    Raises
    ------
    InvalidInput : there is no such record.
    """
    if records.record_by_id(resources.database.connection(), options.media_id) is None:
        raise InvalidInput(f"mediaId must be the id of a Media record: there is no {options.media_id}")
    return Chapter(pages=[{"page": 1, "mediaId": str(options.media_id)}], planned_pages=1, planned_users=1)


def batch(resources: Resources, run: Run, options: MediaMetadataOptions, page: JsonObject) -> PageSummary:
    """Check the record."""
    summary = PageSummary()
    checker, connection = checker_of(resources), resources.database.connection()
    checker.check(connection, int(page["mediaId"]), summary, force=options.force)
    return summary


JOB: Final[Job[MediaMetadataOptions]] = Job(MEDIA_METADATA, MediaMetadataOptions, plan, batch)
