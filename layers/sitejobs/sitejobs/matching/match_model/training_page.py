"""The page after all decisions are gathered: trains on those before the cut, asks about the others, trains on all."""

from datetime import UTC, datetime
from typing import Final

import numpy as np

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PageSummary, Resources, Run
from sitejobs.matching.learning.decisions import KIND_NAMES, Decisions, Received
from sitejobs.matching.learning.training import Model, train
from sitejobs.matching.match_model import gathering, report
from sitejobs.matching.match_model.history import History, join
from sitejobs.matching.match_model.quality_run import quality_of
from sitejobs.matching.match_model.spreading import Neighbours, neighbours, prices_by_appeal, prices_needed
from sitejobs.matching.match_model.store import NewModel, store_model
from sitejobs.matching.scoring.arrays import Floats
from sitejobs.matching.scoring.features import FeatureWeights
from sitejobs.matching.snapshot.file import StoredSnapshot

FEWEST_DECISIONS: Final = 1000
FEWEST_OF_A_KIND: Final = 200
"""Decisions, and likes and dislikes among them, below which nothing is trained."""

TOO_FEW: Final = "too-few-decisions"
ACTIVE: Final = "model-active"
CANDIDATE: Final = "model-candidate"


def decisions_key(run: Run, page: int) -> str:
    """The work file of a page's decisions."""
    return f"snapshots/{run.job}-{run.id}.decisions-{page}"


def are_enough(decisions: int, likes: int) -> bool:
    """Whether so many decisions are worth training on."""
    return decisions >= FEWEST_DECISIONS and min(likes, decisions - likes) >= FEWEST_OF_A_KIND


def read_history(resources: Resources, run: Run, snapshot: StoredSnapshot, pages: range) -> History:
    """What these pages gathered.

    Raises
    ------
    DataUnavailable : the file of a page is missing, because the page failed.
    """
    resources.memory.forget()
    return join(snapshot.users, (gathering.stored(resources.work, decisions_key(run, page)) for page in pages))


def train_page(resources: Resources, run: Run, snapshot: StoredSnapshot, history: History) -> PageSummary:
    """Train on everything, and store the model with what it is worth."""
    people = neighbours(snapshot, snapshot.parameters, int(run.id))
    quality = quality_of(history, snapshot.parameters, people, int(run.id))
    decisions = history.everything()
    model = train(decisions, history.received)
    prices = _prices(history, model, people) if quality.priced else np.zeros(history.people)
    through = run.context.get("through")
    model_id, rows = store_model(
        resources.database.connection(),
        run.id,
        run.started_at,
        NewModel(
            decisions=len(decisions.liked),
            trained_through=None if through is None else datetime.fromtimestamp(through, UTC),
            parameters=parameters_of(model, decisions, history.received),
            figures=quality.figures,
            active=quality.active,
            reasons=quality.reasons,
            ids=snapshot.index()["ids"],
            selectivity=model.selectivity,
            appeal=model.whole_appeal(history.received),
            own_appeal=model.appeal,
            prices=prices,
            fingerprint=history.fingerprint,
        ),
    )
    report.keep(resources, run, quality, model_id)
    summary = PageSummary(written=rows)
    summary.note(ACTIVE if quality.active else CANDIDATE)
    return summary


def _prices(history: History, model: Model, people: Neighbours | None) -> Floats:
    """(n,) everybody's price under the model of all decisions."""
    if people is None:
        return np.zeros(history.people)
    sample = people.under(model, history.received)
    return prices_by_appeal(sample, prices_needed(sample), model.whole_appeal(history.received))


def parameters_of(model: Model, decisions: Decisions, received: Received) -> JsonObject:
    """The numbers of a model that are the same for everybody; weights in log odds."""
    weights: FeatureWeights = model.weights
    return {
        "intercept": model.intercept,
        "traits": weights.traits,
        "interests": weights.interests,
        "proximity": weights.proximity,
        "ageGap": weights.age_gap,
        "taste": dict(zip(KIND_NAMES, model.taste.tolist(), strict=True)),
        "means": dict(zip(KIND_NAMES, received.means.tolist(), strict=True)),
        "selectivityVariance": model.selectivity_variance,
        "appealVariance": model.appeal_variance,
        "likes": int(decisions.liked.sum()),
    }
