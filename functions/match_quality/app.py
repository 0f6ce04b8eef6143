"""match-quality: how well a learned model foretells the newest likes; Plan and Batch in one function."""

from sitejobs.handlers.paged import job_handler
from sitejobs.matching.match_quality import JOB

handler = job_handler(JOB)
