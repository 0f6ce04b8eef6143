"""Answers compared as arrays, where no other user has a viewer's question."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.quizzes import compare_quizzes
from sitejobs.matching.scoring.ragged import Ragged, grouped
from sitejobs.matching.scoring.users import MISSING, QUIZZES

NOTHING = np.empty(0)


@dataclass(frozen=True)
class Takers:
    """Users who took quiz 0, with the codes of their questions and answers."""

    questions: Ragged
    answers: Ragged

    @property
    def quiz(self) -> Ragged:
        return Ragged(np.arange(len(self.questions) + 1), np.zeros(len(self.questions), np.int32))

    @property
    def latest(self) -> NDArray[np.int32]:
        return np.zeros(len(self.questions), np.int32)

    @property
    def vectors(self) -> Ragged:
        return grouped(np.empty(0, np.int64), NOTHING, len(self.questions))

    @property
    def result_keys(self) -> NDArray[np.int64]:
        return np.arange(len(self.questions)) * QUIZZES


def takers(*answered: dict[int, int]) -> Takers:
    owners = np.repeat(np.arange(len(answered)), [len(one) for one in answered])
    questions = np.array([question for one in answered for question in sorted(one)], np.int32)
    answers = np.array([one[question] for one in answered for question in sorted(one)], np.int64)
    return Takers(grouped(owners, questions, len(answered)), grouped(owners, answers, len(answered)))


def test_a_question_without_a_code_is_not_taken_for_the_last_one_of_the_pair_before() -> None:
    viewers = takers({0: 7}, {MISSING: 9, 0: 7})
    candidates = takers({0: 7, 3: 8}, {0: 7})
    found = compare_quizzes(viewers, candidates, np.array([0, 1]), np.array([0, 1]))
    assert found.value.tolist() == [1.0, 1.0]
    assert not found.by_vector.any()
