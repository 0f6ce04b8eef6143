"""Options of the media jobs."""

from typing import Final

from pydantic import Field

from sitejobs.jobs.entry import JobEntry
from sitejobs.options import Id, JobOptions, PagedOptions, Whole


class MediaMetadataOptions(JobOptions):
    """media-metadata: one record."""

    media_id: Id = Field(description="the record to check")
    force: bool = Field(default=False, description="check it even if the same object was checked before")


MEDIA_METADATA: Final = JobEntry(
    "media-metadata",
    "media",
    "what one upload is, and whether it keeps the rules",
    MediaMetadataOptions,
    noun="uploads",
)


class MediaMetadataAllOptions(PagedOptions):
    """media-metadata-all: every unchecked record, one at a time."""

    max_concurrency: Whole = Field(default=1, ge=1, le=1000, description="pages in flight at a time")


MEDIA_METADATA_ALL: Final = JobEntry(
    "media-metadata-all",
    "media",
    "the same for every unchecked upload, one at a time",
    MediaMetadataAllOptions,
    noun="uploads",
)


class MediaMetadataBatchOptions(PagedOptions):
    """media-metadata-batch: the recent unchecked records."""

    batch_size: Whole = Field(default=50, ge=1, le=1000, description="records in one batch")
    max_age_hours: Whole = Field(default=24, ge=1, le=1_000_000, description="only records younger than this, in hours")
    pause_ms: Whole = Field(default=100, ge=0, le=60_000, description="pause after each batch, in milliseconds")


MEDIA_METADATA_BATCH: Final = JobEntry(
    "media-metadata-batch",
    "media",
    "the same for the unchecked uploads of the last hours",
    MediaMetadataBatchOptions,
    noun="uploads",
)
