"""user-interest-sets: Plan cuts the pages, a page brings its users' sets of interests up to date."""

from sitejobs.handlers.paged import job_handler
from sitejobs.traits.user_interest_sets import JOB

handler = job_handler(JOB)
