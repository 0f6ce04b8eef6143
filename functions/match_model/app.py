"""match-model: learns from likes and dislikes who says yes to whom; Plan and Batch in one function."""

from sitejobs.handlers.paged import job_handler
from sitejobs.matching.match_model.job import JOB

handler = job_handler(JOB)
