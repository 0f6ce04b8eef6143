"""trending: posts that draw likes now."""

from sitejobs.feed.trending import JOB
from sitejobs.handlers.paged import job_handler

handler = job_handler(JOB)
