"""media-metadata-all: Plan and Batch in one function."""

from sitejobs.handlers.media import media_job_handler
from sitejobs.media.media_metadata_all import JOB

handler = media_job_handler(JOB)
