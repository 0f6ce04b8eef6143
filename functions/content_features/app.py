"""content-features: what posts are about, and how much they offer."""

from sitejobs.feed.content_features import JOB
from sitejobs.handlers.paged import job_handler

handler = job_handler(JOB)
