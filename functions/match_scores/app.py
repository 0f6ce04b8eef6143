"""match-scores: Plan takes the snapshot and cuts the pages, a batch scores and writes one of them."""

from sitejobs.handlers import batch_handler, plan_handler
from sitejobs.matching.match_scores import JOB

plan = plan_handler(JOB)
batch = batch_handler(JOB)
