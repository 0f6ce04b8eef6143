"""The quiz fallback of the traits part: the viewer's most recent result against the candidate's of the same quiz."""

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.ragged import Ragged
from sitejobs.matching.users import MISSING, QUIZZES, Users

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

NOT_ASKED = -2
"""In the place of an answer code: the user's result has no such question."""

NEITHER = 0.5
"""Similarity of two users who have no quiz in common."""


def quiz_similarity(viewers: Users, candidates: Users, viewer: Indices, candidate: Indices) -> Floats:
    """Similarity in 0..1 of the pairs (viewer[i], candidate[i])."""
    scores = np.full(len(viewer), NEITHER)
    left, right = _results(viewers, candidates, viewer, candidate)
    pairs = np.flatnonzero((left != MISSING) & (right != MISSING))
    if not len(pairs):
        return scores
    left, right = left[pairs], right[pairs]
    left_length, right_length = viewers.vectors.lengths[left], candidates.vectors.lengths[right]
    by_vector = (left_length == right_length) & (left_length > 0)
    scores[pairs[by_vector]] = _cosines(viewers.vectors, candidates.vectors, left[by_vector], right[by_vector])
    rest = ~by_vector
    scores[pairs[rest]] = _equal_answers(viewers, candidates, left[rest], right[rest])
    return scores


def latest_results(viewers: Users) -> Indices:
    """Index of each viewer's most recent result, MISSING without one."""
    return np.where(viewers.latest == MISSING, MISSING, viewers.quiz.offsets[:-1] + viewers.latest)


def _results(viewers: Users, candidates: Users, viewer: Indices, candidate: Indices) -> tuple[Indices, Indices]:
    """The two results to compare, by their index; MISSING where there is none."""
    left = latest_results(viewers)[viewer]
    if not len(viewers.quiz.values) or not len(candidates.quiz.values):
        return left, np.full(len(left), MISSING)
    keys = candidates.result_keys
    wanted = candidate * QUIZZES + viewers.quiz.values[np.maximum(left, 0)]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return left, np.where((left != MISSING) & (keys[at] == wanted), at, MISSING)


def _cosines(left_vectors: Ragged, right_vectors: Ragged, left: Indices, right: Indices) -> Floats:
    """(cos + 1) / 2 of unit (or zero) vectors of equal lengths."""
    one, two = left_vectors.take(left), right_vectors.take(right)
    products = one.values.astype(np.float64) * two.values
    return (np.bincount(one.owners(), products, minlength=len(left)) + 1) / 2


def _equal_answers(viewers: Users, candidates: Users, left: Indices, right: Indices) -> Floats:
    """Share of equal answers among the questions that both answered; 0 when there are none."""
    distinct, which = np.unique(left, return_inverse=True)
    asked, given = viewers.questions.take(distinct), viewers.answers.take(distinct)
    width = int(asked.values.max(initial=-1)) + 1
    # What each of the few viewers answered to each question, and a last column for questions unknown to all.
    answers = np.full((len(distinct), width + 1), NOT_ASKED, np.int64)
    answers[asked.owners(), asked.values] = given.values
    questions, others = candidates.questions.take(right), candidates.answers.take(right).values
    pair = questions.owners()
    expected = answers[which[pair], np.minimum(questions.values, width)]
    shared = np.bincount(pair[expected != NOT_ASKED], minlength=len(left))
    equal = (expected == others) & (others != MISSING) & (expected != NOT_ASKED)
    return np.bincount(pair[equal], minlength=len(left)) / np.maximum(shared, 1)
