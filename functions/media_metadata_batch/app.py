"""media-metadata-batch: Plan and Batch in one function."""

from sitejobs.handlers.paged import job_handler
from sitejobs.media.media_metadata_batch import JOB

handler = job_handler(JOB)
