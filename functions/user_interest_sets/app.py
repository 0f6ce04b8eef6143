"""user-interest-sets: Plan cuts the pages, a page brings its users' sets of interests up to date."""

from sitejobs.handlers import job_handler
from sitejobs.traits.interest_sets import JOB

handler = job_handler(JOB)
