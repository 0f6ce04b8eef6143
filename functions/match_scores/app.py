"""match-scores: Plan takes the snapshot and cuts the pages, Batch scores and writes one of them."""

from sitejobs.handlers.paged import batch_handler, plan_handler
from sitejobs.matching.match_scores.job import JOB

plan = plan_handler(JOB)
batch = batch_handler(JOB)
