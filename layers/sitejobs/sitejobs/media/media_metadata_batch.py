"""media-metadata-batch: checks the unchecked uploads of the last hours."""

from datetime import timedelta
from typing import Final

from sitejobs.jobs.job import Job, Run
from sitejobs.media import records
from sitejobs.media.options import MEDIA_METADATA_BATCH, MediaMetadataBatchOptions
from sitejobs.media.unchecked import batch_unchecked, plan_unchecked


def _recent(run: Run, options: MediaMetadataBatchOptions) -> records.Place:
    return records.start_at(run.started_at - timedelta(hours=options.max_age_hours))


JOB: Final[Job[MediaMetadataBatchOptions]] = Job(
    MEDIA_METADATA_BATCH,
    MediaMetadataBatchOptions,
    plan=plan_unchecked(lambda options: int(options.batch_size), _recent),
    batch=batch_unchecked,
)
