"""media-metadata: Plan and Batch in one function."""

from sitejobs.handlers.media import media_job_handler
from sitejobs.media.media_metadata import JOB

handler = media_job_handler(JOB)
