"""Compares quiz results: the viewer's most recent one with the candidate's result of the same quiz."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.matching.scoring.ragged import Ragged
from sitejobs.matching.scoring.users import MISSING, QUIZZES

NOT_ASKED = -2
"""Stands for an answer code where the user's result lacks the question."""

NEITHER = 0.5
"""Similarity of two users who have no quiz in common."""


class QuizTakers(Protocol):
    """Users with quiz results: the fields of `Users` that a comparison reads."""

    @property
    def quiz(self) -> Ragged: ...
    @property
    def latest(self) -> NDArray[np.int32]: ...
    @property
    def vectors(self) -> Ragged: ...
    @property
    def answers(self) -> Ragged: ...
    @property
    def questions(self) -> Ragged: ...
    @property
    def result_keys(self) -> Indices: ...


@dataclass(frozen=True)
class QuizComparison:
    """Which of p pairs have results of one quiz, and how alike these are. All arrays (p,).

    value : the cosine where both vectors have one length (`by_vector`), else the share of equal answers; 0 where
        nothing is compared.
    """

    compared: NDArray[np.bool_]
    by_vector: NDArray[np.bool_]
    value: Floats


def compare_quizzes(viewers: QuizTakers, candidates: QuizTakers, viewer: Indices, candidate: Indices) -> QuizComparison:
    """Compare the pairs (viewer[i], candidate[i])."""
    value, vectors = np.zeros(len(viewer)), np.zeros(len(viewer), np.bool_)
    left, right = _results(viewers, candidates, viewer, candidate)
    compared = (left != MISSING) & (right != MISSING)
    pairs = np.flatnonzero(compared)
    if len(pairs):
        left, right = left[pairs], right[pairs]
        left_length, right_length = viewers.vectors.lengths[left], candidates.vectors.lengths[right]
        by_vector = (left_length == right_length) & (left_length > 0)
        vectors[pairs] = by_vector
        value[pairs[by_vector]] = _cosines(viewers.vectors, candidates.vectors, left[by_vector], right[by_vector])
        rest = ~by_vector
        value[pairs[rest]] = _equal_answers(viewers, candidates, left[rest], right[rest])
    return QuizComparison(compared, vectors, value)


def quiz_similarity(viewers: QuizTakers, candidates: QuizTakers, viewer: Indices, candidate: Indices) -> Floats:
    """Similarity in 0..1 of the pairs (viewer[i], candidate[i]): the traits part where traits cannot be compared."""
    found = compare_quizzes(viewers, candidates, viewer, candidate)
    scores = np.where(found.by_vector, (found.value + 1) / 2, found.value)
    return np.where(found.compared, scores, NEITHER)


def latest_results(viewers: QuizTakers) -> Indices:
    """Index of each viewer's most recent result, MISSING without one."""
    return np.where(viewers.latest == MISSING, MISSING, viewers.quiz.offsets[:-1] + viewers.latest)


def _results(
    viewers: QuizTakers, candidates: QuizTakers, viewer: Indices, candidate: Indices
) -> tuple[Indices, Indices]:
    """Indices of the two results to compare; MISSING where there is none."""
    left = latest_results(viewers)[viewer]
    if not len(viewers.quiz.values) or not len(candidates.quiz.values):
        return left, np.full(len(left), MISSING)
    keys = candidates.result_keys
    wanted = candidate * QUIZZES + viewers.quiz.values[np.maximum(left, 0)]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return left, np.where((left != MISSING) & (keys[at] == wanted), at, MISSING)


def _cosines(left_vectors: Ragged, right_vectors: Ragged, left: Indices, right: Indices) -> Floats:
    """Cosines of pairs of unit or zero vectors of equal length."""
    one, two = left_vectors.take(left), right_vectors.take(right)
    products = one.values.astype(np.float64) * two.values
    return np.asarray(np.bincount(one.owners(), products, minlength=len(left)))


def _equal_answers(viewers: QuizTakers, candidates: QuizTakers, left: Indices, right: Indices) -> Floats:
    """Share of equal answers among the questions that both answered; 0 without any."""
    distinct, which = np.unique(left, return_inverse=True)
    asked, given = viewers.questions.take(distinct), viewers.answers.take(distinct)
    known = asked.values != MISSING
    width = int(asked.values.max(initial=-1)) + 1
    # The distinct viewers' answers by question; the last column stands for questions without a code.
    answers = np.full((len(distinct), width + 1), NOT_ASKED, np.int64)
    answers[asked.owners()[known], asked.values[known]] = given.values[known]
    questions, others = candidates.questions.take(right), candidates.answers.take(right).values
    pair = questions.owners()
    expected = answers[which[pair], np.where(questions.values == MISSING, width, np.minimum(questions.values, width))]
    shared = np.bincount(pair[expected != NOT_ASKED], minlength=len(left))
    equal = (expected == others) & (others != MISSING) & (expected != NOT_ASKED)
    return np.bincount(pair[equal], minlength=len(left)) / np.maximum(shared, 1)
