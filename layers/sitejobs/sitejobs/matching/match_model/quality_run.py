"""What a model is worth: trained on the decisions before the cut, asked about the others."""

from dataclasses import dataclass

import numpy as np

from sitejobs.aliases import JsonObject
from sitejobs.matching.learning.quality import evaluate, verdict
from sitejobs.matching.learning.training import train
from sitejobs.matching.match_model.asking import ask, asked_of, drawn
from sitejobs.matching.match_model.history import History, Past
from sitejobs.matching.match_model.spreading import Neighbours, prices_by_appeal, prices_needed
from sitejobs.matching.scoring.parameters import Parameters


@dataclass(frozen=True)
class Quality:
    """What a model knows of decisions that it has not seen. priced : its order needs prices."""

    figures: JsonObject
    active: bool
    reasons: list[str]
    priced: bool


def quality_of(history: History, parameters: Parameters, people: Neighbours | None, seed: int) -> Quality:
    """Train on the decisions that are known and ask about the others, fold by fold.

    `askable` of the figures: the decisions that some viewers were drawn of where they are more than `decisions`.

    Prices are only taken where a model without them would show too few people; they are found once.
    """
    answers, askable, sample, own = [], 0, None, np.zeros(0)
    for fold in range(history.folds):
        past = Past(history, fold)
        model = train(past.decisions(), past.received)
        if people is not None and sample is None:
            sample = people.under(model, past.received)
            own = prices_needed(sample)
        whole = model.whole_appeal(past.received)
        prices = np.zeros(history.people) if sample is None else prices_by_appeal(sample, own, whole)
        askable += int(past.asked.sum())
        answers.append(ask(history, past, drawn(history, past, seed), model, prices, parameters))
    figures = evaluate(asked_of(history, answers), seed, None if sample is None else sample.exposure(own))
    active, reasons = verdict(figures)
    return Quality(figures.to_json() | {"askable": askable}, active, reasons, priced=bool(own.any()))
