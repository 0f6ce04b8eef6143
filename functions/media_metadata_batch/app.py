"""media-metadata-batch: Plan and Batch in one function."""

from sitejobs.handlers.paged import job_handler
from sitejobs.media.media_metadata import RECENT

handler = job_handler(RECENT)
