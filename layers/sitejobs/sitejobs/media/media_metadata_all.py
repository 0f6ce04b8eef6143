"""media-metadata-all: checks every unchecked upload of any age, one page at a time."""

from typing import Any, Final

from sitejobs.jobs.job import Job, Run
from sitejobs.media import records
from sitejobs.media.options import MEDIA_METADATA_ALL, MediaMetadataAllOptions
from sitejobs.media.unchecked import batch_unchecked, plan_unchecked

PAGE_SIZE: Final = 25


def _oldest(run: Run, options: Any) -> records.Place:
    return records.START


JOB: Final[Job[MediaMetadataAllOptions]] = Job(
    MEDIA_METADATA_ALL,
    MediaMetadataAllOptions,
    plan=plan_unchecked(lambda options: PAGE_SIZE, _oldest),
    batch=batch_unchecked,
)
