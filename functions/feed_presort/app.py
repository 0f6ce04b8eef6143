"""feed-presort: the first segments of each user's feed."""

from sitejobs.feed.feed_presort import JOB
from sitejobs.handlers.paged import job_handler

handler = job_handler(JOB)
