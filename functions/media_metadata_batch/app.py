"""media-metadata-batch: Plan and Batch in one function."""

from sitejobs.handlers.media import media_job_handler
from sitejobs.media.media_metadata_batch import JOB

handler = media_job_handler(JOB)
