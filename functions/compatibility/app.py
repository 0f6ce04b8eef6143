"""compatibility: Plan cuts the pages; a page renews its users' inputs, or compares its viewers with their targets."""

from sitejobs.handlers.paged import job_handler
from sitejobs.matching.compatibility.job import JOB

handler = job_handler(JOB)
