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
from sitejobs.matching.snapshot.population_sql import GENDERS, GENDERS_GIVEN

PRICED = "v2 priced"
"""The order of v2 where prices are taken."""

AGE_BANDS = (25, 35, 45)
"""Ages at which a group ends."""

MOST_ASKED = 1_000_000
"""Decisions beyond which some viewers speak for all: their figures are as sure, and fit into a function's memory."""

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


def drawn(history: History, past: Past, seed: int, most: int = MOST_ASKED) -> Indices:
    """The rows that are asked of those that a past asks about: all, or those of some viewers where they are many."""
    rows = np.flatnonzero(past.asked)
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(seed).random(history.people) < most / len(rows)
    return rows[chosen[history.viewer[rows]]]


def ask(history: History, past: Past, rows: Indices, model: Model, prices: Floats, parameters: Parameters) -> Answers:
    """The decisions of these rows; `model` was trained on what the past knows. prices : (n,) of everybody."""
    viewer, candidate, features = history.viewer[rows], history.candidate[rows], history.features[rows]
    whole = model.whole_appeal(past.received)
    like = sigmoid(log_odds(model, whole, viewer, candidate, features))
    # The pair's features are the same the other way round.
    back = sigmoid(log_odds(model, whole, candidate, viewer, features))
    both = like * np.where(past.back_known[rows], 1.0, back)
    popularity = _popularity(history, past)
    decided = past.known_of(history.viewer) + past.known_of(history.candidate)
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
    total, likes = past.known_of(history.candidate), past.known_of(history.candidate, history.liked)
    share = likes.sum() / total.sum() if total.any() else 0.5
    return np.asarray((likes + 2 * share) / (total + 2))


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
