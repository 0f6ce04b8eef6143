"""Interests: twenty subjects, a long tail, and users drawn to whole subjects so that like minds exist."""

import math

import numpy as np

from sitejobs_local.population.draws import (
    WHOLE_USERS,
    Ints,
    gumbel,
    normal,
    picked,
    stream,
    times_between,
    weighted,
)
from sitejobs_local.population.model import Table, bigints, texts, timestamps
from sitejobs_local.population.people import TASTE_AXES, People
from sitejobs_local.population.subjects import SUBJECTS, interest_key

MOST_INTERESTS = 40
NO_INTEREST_PER_MILLE = 60
_USERS_PER_CHUNK = 8192
# n * 0.8^n: a mean of nine with a long tail.
_COUNT_WEIGHTS = [n * 10**9 * 4**n // 5**n for n in range(MOST_INTERESTS + 1)]
# Hundredths of a logit for each thousandth of a deviation towards a subject.
_PULL_PERCENT = 14


def interest_tables(crowd: People, seed: int) -> list[Table]:
    """InterestSubject, Interest and UserInterest."""
    labels = [(key, label) for key, (_, joined) in SUBJECTS.items() for label in joined.split("|")]
    subject_ids = np.arange(len(SUBJECTS)) * 3 + 2
    subject_of = np.array([list(SUBJECTS).index(key) for key, _ in labels])
    interest_ids = 101 + np.arange(len(labels)) + subject_of
    subject_columns = {
        "id": bigints(subject_ids),
        "key": texts(list(SUBJECTS)),
        "label": texts([label for label, _ in SUBJECTS.values()]),
    }
    interest_columns = {
        "id": bigints(interest_ids),
        "subjectId": bigints(subject_ids[subject_of]),
        "key": texts([interest_key(label) for _, label in labels]),
        "label": texts([label for _, label in labels]),
    }
    rng = stream(seed, "UserInterest")
    users, interests = _choices(rng, crowd, subject_of)
    choice_columns = {
        "userId": bigints(crowd.ids[users]),
        "subjectId": bigints(subject_ids[subject_of[interests]]),
        "interestId": bigints(interest_ids[interests]),
        "createdAt": timestamps(times_between(rng, crowd.joined[users], crowd.now)),
    }
    return [
        Table("InterestSubject", subject_columns),
        Table("Interest", interest_columns),
        Table("UserInterest", choice_columns),
    ]


def _choices(rng: np.random.Generator, crowd: People, subject_of: Ints) -> tuple[Ints, Ints]:
    """(user, interest) index pairs: each user's number of interests, drawn by popularity and by taste."""
    size = len(crowd)
    counts = weighted(rng, _COUNT_WEIGHTS, size)
    counts[picked(rng, size, NO_INTEREST_PER_MILLE)] = 0
    counts[:WHOLE_USERS] = np.maximum(counts[:WHOLE_USERS], 5)
    # Rounded logarithms: the most liked interest is about a hundred times as common as the least.
    ranks = [round(-80 * math.log(1 + rank)) for rank in range(len(subject_of))]
    fame = np.array(ranks)[rng.permutation(len(subject_of))]
    leanings = normal(rng, (TASTE_AXES, int(subject_of.max()) + 1)) * 10 // 24
    users, interests = [], []
    for start in range(0, size, _USERS_PER_CHUNK):
        chunk = slice(start, start + _USERS_PER_CHUNK)
        pull = crowd.taste[chunk] @ leanings // 1000 * _PULL_PERCENT // 100
        logits = (pull[:, subject_of] + fame).astype(np.int16)
        logits += gumbel(rng, logits.shape)
        # Stable, so that ties fall alike everywhere.
        best = np.argsort(-logits, axis=1, kind="stable")[:, :MOST_INTERESTS]
        taken = np.arange(MOST_INTERESTS) < counts[chunk, None]
        users.append(start + np.nonzero(taken)[0])
        interests.append(best[taken])
    pairs = np.concatenate(users), np.concatenate(interests)
    order = np.lexsort((pairs[1], pairs[0]))
    return pairs[0][order], pairs[1][order]


def interest_labels() -> list[str]:
    """Every interest's label."""
    return [label for _, joined in SUBJECTS.values() for label in joined.split("|")]
