"""media-metadata: Plan and Batch in one function."""

from sitejobs.handlers.paged import job_handler
from sitejobs.media.media_metadata import ONE

handler = job_handler(ONE)
