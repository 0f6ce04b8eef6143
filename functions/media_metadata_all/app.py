"""media-metadata-all: Plan and Batch in one function."""

from sitejobs.handlers.paged import job_handler
from sitejobs.media.media_metadata_all import JOB

handler = job_handler(JOB)
