"""compatibility: Plan cuts the pages, a batch compares a page's viewers with the users they have to do with."""

from sitejobs.handlers.paged import job_handler
from sitejobs.matching.compatibility.job import JOB

handler = job_handler(JOB)
