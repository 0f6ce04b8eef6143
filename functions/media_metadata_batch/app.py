"""media-metadata-batch: Plan and Batch in one function."""

from sitejobs.handlers import job_handler
from sitejobs.media.media_metadata import RECENT

handler = job_handler(RECENT)
