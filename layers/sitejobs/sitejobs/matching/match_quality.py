"""match-quality: gathers decisions as match-model does, and asks what a model would be worth without storing one."""

from sitejobs.jobs.job import Job, PageSummary, Resources, Run
from sitejobs.matching.match_model import report
from sitejobs.matching.match_model.history import History
from sitejobs.matching.match_model.job import batch_with, plan
from sitejobs.matching.match_model.quality_run import quality_of
from sitejobs.matching.match_model.spreading import neighbours
from sitejobs.matching.options import MATCH_QUALITY, MatchQualityOptions
from sitejobs.matching.snapshot.file import StoredSnapshot


def ask(resources: Resources, run: Run, snapshot: StoredSnapshot, history: History) -> PageSummary:
    """What a model would be worth; Plan tells it."""
    people = neighbours(snapshot, snapshot.parameters, int(run.id))
    report.keep(resources, run, quality_of(history, snapshot.parameters, people, int(run.id)))
    return PageSummary()


JOB = Job(MATCH_QUALITY, MatchQualityOptions, plan, batch_with(ask))
