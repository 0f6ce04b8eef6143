"""affinity: whose posts and which topics users like."""

from sitejobs.feed.affinity import JOB
from sitejobs.handlers.paged import job_handler

handler = job_handler(JOB)
