"""feed-presort-cleanup: removes feed segments that should not be shown."""

from sitejobs.feed.feed_presort_cleanup import JOB
from sitejobs.handlers.paged import job_handler

handler = job_handler(JOB)
