"""Asks v1, v2 and popularity about decisions, each with what is known without them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.learning.quality import UNDECIDED, Asked
from sitejobs.matching.learning.training import Model, log_odds, sigmoid
from sitejobs.matching.match_model.history import History, Past
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.codes import directions
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import MISSING
from sitejobs.matching.snapshot.population import GENDERS, GENDERS_GIVEN

PRICED = "v2 priced"
"""The order of v2 where prices are taken."""

AGE_BANDS = (25, 35, 45)
"""Ages at which a group ends."""

FEW_KNOWN = 5
"""Decisions, by them or about them, below which people are newcomers."""


@dataclass(frozen=True)
class Answers:
    """What is known of p asked decisions, and what each ranking says. All arrays (p,); as in `Asked`."""

    rows: Indices
    like: Floats
    both: Floats
    priced: Floats
    v1: Floats
    popularity: Floats
    popularity_both: Floats
    newcomer: Flags


def ask(history: History, past: Past, model: Model, prices: Floats, parameters: Parameters) -> Answers:
    """The decisions that a past asks about; `model` was trained on what it knows. prices : (n,) of everybody."""
    decisions, rows = past.asked_decisions(), np.flatnonzero(past.asked)
    viewer, candidate = decisions.viewer, decisions.candidate
    whole = model.whole_appeal(past.received)
    like = sigmoid(log_odds(model, decisions))
    # The pair's features are the same the other way round.
    back = model.intercept + model.selectivity[candidate] + whole[viewer]
    back = back + history.features[rows].astype(np.float64) @ model.weights.as_array()
    both = like * np.where(past.back_known[rows], 1.0, sigmoid(back))
    popularity, decided = _popularity(history, past), _known_of(history, past)
    return Answers(
        rows=rows,
        like=like,
        both=both,
        priced=np.log(both) - prices[candidate],
        v1=_v1(history, past, rows, parameters),
        popularity=popularity[candidate],
        popularity_both=popularity[candidate] * popularity[viewer],
        newcomer=decided[viewer] < FEW_KNOWN,
    )


def asked_of(history: History, answers: Sequence[Answers]) -> Asked:
    """All that was asked, fold after fold.

    A viewer's decisions of one fold are compared with each other only. What one fold is asked another one knows, so
    that a viewer who said yes there would look choosier here: the viewer's own rate would leak backwards.
    """
    fold = np.repeat(np.arange(len(answers)), [len(one.rows) for one in answers])
    joined = {item.name: np.concatenate([getattr(one, item.name) for one in answers]) for item in fields(Answers)}
    rows = joined["rows"]
    viewer, answer = history.viewer[rows].astype(np.int64), history.back[rows]
    liked = history.liked[rows]
    return Asked(
        viewer=viewer * len(answers) + fold,
        person=viewer,
        candidate=history.candidate[rows].astype(np.int64),
        liked=liked,
        matched=np.where(answer == UNDECIDED, UNDECIDED, liked & (answer == 1)).astype(np.int8),
        scores={"v1": joined["v1"], "v2": joined["like"], "popularity": joined["popularity"]},
        match_scores={
            "v1": joined["v1"],
            "v2": np.sqrt(joined["both"]),
            PRICED: joined["priced"],
            "popularity": joined["popularity_both"],
        },
        like_chance=joined["like"],
        match_chance=joined["both"],
        groups=_groups(history, viewer) | {"newcomer": joined["newcomer"].astype(np.int64)},
        labels={
            "gender": GENDERS,
            "wantedGender": (*GENDERS, "several", "any"),
            "ageBand": ("under 25", "25 to 34", "35 to 44", "45 and over"),
            "newcomer": ("known", "newcomer"),
        },
    )


def _known_of(history: History, past: Past) -> Indices:
    """(n,) known decisions by each person and about each."""
    known = np.bincount(history.viewer[past.known], minlength=history.people)
    return known + np.bincount(history.candidate[past.known], minlength=history.people)


def _v1(history: History, past: Past, rows: Indices, parameters: Parameters) -> Floats:
    """v1's scores with the ratings that were known."""
    averages = _averages(past.received.sums, past.received.counts)
    quality = np.where(past.received.counts >= parameters.min_ratings, averages.mean(axis=1) / 5, 0.5)
    gets, gives = directions(averages), directions(_averages(past.given_sums, past.given_counts))
    viewer, candidate = history.viewer[rows], history.candidate[rows]
    fit = (np.einsum("pi,pi->p", gives[viewer], gets[candidate]) + 1) / 2
    weights = parameters.weights
    return np.asarray(
        history.base[rows] + weights.rating_quality * quality[candidate] + weights.rating_fit * fit, np.float64
    )


def _averages(sums: Singles, counts: NDArray[np.int32]) -> Floats:
    """(n, 4) NaN without ratings."""
    return np.where(counts[:, None] > 0, sums.astype(np.float64) / np.maximum(counts, 1)[:, None], np.nan)


def _popularity(history: History, past: Past) -> Floats:
    """(n,) share of yes among the known decisions about somebody, drawn towards the site's share."""
    about, liked = history.candidate[past.known], history.liked[past.known]
    share = float(liked.mean()) if len(liked) else 0.5
    total = np.bincount(about, minlength=history.people)
    return np.asarray((np.bincount(about, liked, minlength=history.people) + 2 * share) / (total + 2))


def _groups(history: History, viewer: Indices) -> dict[str, Indices]:
    age = history.age.astype(np.int64)
    return {
        "gender": history.gender[viewer].astype(np.int64),
        "wantedGender": _wanted(history.wants[viewer].astype(np.int64)),
        "ageBand": np.where(age == MISSING, -1, np.searchsorted(AGE_BANDS, age, side="right"))[viewer],
    }


def _wanted(wants: Indices) -> Indices:
    """The one gender that is wanted, or a number for several, and one for any."""
    named = wants & (GENDERS_GIVEN - 1)
    one = np.zeros(len(wants), np.int64)
    for gender in range(len(GENDERS)):
        one[named == 1 << gender] = gender
    several = np.bitwise_count(named.astype(np.uint64)) > 1
    return np.where(wants == 0, len(GENDERS) + 1, np.where(several, len(GENDERS), np.where(named == 0, -1, one)))
