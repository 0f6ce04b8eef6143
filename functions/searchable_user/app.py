"""searchable-user: who may be found, and why others may not."""

from sitejobs.handlers.paged import job_handler
from sitejobs.search.searchable_user import JOB

handler = job_handler(JOB)
