"""People as scoring sees them: one struct of arrays, the same for viewers and candidates."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.ragged import Ragged, joined

MISSING = -1
"""Age, age bound, gender or quiz that is not there."""

UNSPECIFIED = 0
"""Gender of somebody who did not tell it. Those above it are known."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Dictionaries:
    """Codes of what users share; a code is an index into these. All ascending.

    `traits`: (K,) hashes of trait keys. `interests`: (I, 2) subject and interest ids, in the order in which
    shared interests are listed. `quizzes`: ids. `answers` and `questions`: hashes. `popularity`: (I,) rank of each
    interest by the number of users who have it, 0 for the most popular.
    """

    traits: NDArray[np.int64]
    interests: NDArray[np.int64]
    quizzes: NDArray[np.int64]
    questions: NDArray[np.int64]
    answers: NDArray[np.int64]
    popularity: NDArray[np.int32]


@dataclass(frozen=True)
class Users:
    """n people. All arrays have n rows unless said otherwise.

    xyz : (n, 3) float64, unit vector of the coordinates, NaN without valid ones.
    place : int64 hash of locationText, 0 when empty.
    wants : bits of preferred genders, 0 when any will do. age_min, age_max: MISSING when not given.
    distance : preferred km, NaN when not given.
    quality : rating quality in 0..1. averages: (n, 4) of received ratings, NaN without any.
    gives, gets : (n, 4) unit vectors of mean given and received ratings about their own mean, zero when flat.
    selectivity, appeal, price : what the chosen model says of each, 0 without one: see `chances.py`.
    traits : (n, K) float32 effective values scaled to at most 1 a user, NaN where the user lacks the key; only
        angles between users are taken of them, so that the scale is free.
    trait_count, interest_count : of the user, codes that the dictionaries lack included.
    interests : codes, ascending.
    quiz, latest : results of a user by quiz code; `latest` is the index into them of the most recent, or MISSING.
    vectors, answers, questions : one row a result, in the order of `quiz.values`; an empty vector is none.
    quiz_hash : of the results, which tells whether they are as they were.
    excluded_hash : of those who are no candidates of this user: blocks and decisions.
    viewer_hash, candidate_hash : of all that a score reads of the user on that side; equal hash, equal input.
    lasting_hash : of a candidate but for `updated_at`.
    """

    ids: NDArray[np.int64]
    visible: NDArray[np.bool_]
    xyz: NDArray[np.float64]
    place: NDArray[np.int64]
    gender: NDArray[np.int8]
    age: NDArray[np.int16]
    updated_at: NDArray[np.float64]
    wants: NDArray[np.int16]
    age_min: NDArray[np.int16]
    age_max: NDArray[np.int16]
    distance: NDArray[np.float64]
    quality: NDArray[np.float32]
    averages: NDArray[np.float32]
    rating_count: NDArray[np.int32]
    gives: NDArray[np.float32]
    gets: NDArray[np.float32]
    selectivity: NDArray[np.float32]
    appeal: NDArray[np.float32]
    price: NDArray[np.float32]
    traits: NDArray[np.float32]
    trait_count: NDArray[np.int32]
    interests: Ragged
    interest_count: NDArray[np.int32]
    quiz: Ragged
    latest: NDArray[np.int32]
    vectors: Ragged
    answers: Ragged
    questions: Ragged
    quiz_hash: NDArray[np.uint64]
    excluded_hash: NDArray[np.uint64]
    viewer_hash: NDArray[np.uint64]
    candidate_hash: NDArray[np.uint64]
    lasting_hash: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> "Users":
        """The users at these indices, in this order."""
        results = Ragged(self.quiz.offsets, np.arange(len(self.quiz.values))).take(rows).values
        taken = {}
        for item in fields(self):
            value = getattr(self, item.name)
            taken[item.name] = value.take(results) if item.name in BY_RESULT else _take(value, rows)
        return Users(**taken)

    @cached_property
    def has_place(self) -> NDArray[np.bool_]:
        """Who has valid coordinates."""
        return ~np.isnan(self.xyz[:, 0])

    @cached_property
    def by_id(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ids in ascending order, and the row of each."""
        order = np.argsort(self.ids)
        return self.ids[order], order

    @cached_property
    def result_keys(self) -> NDArray[np.int64]:
        """For each quiz result its user's row and its quiz's code in one ascending number."""
        return np.asarray(self.quiz.owners() * QUIZZES + self.quiz.values)


QUIZZES = 1 << 31
"""More than any quiz code, of 32 bits, can be: it fits below in a result's key."""

BY_RESULT = ("vectors", "answers", "questions")
"""Fields with a row a quiz result instead of a row a user."""


def concatenate(parts: list[Users]) -> Users:
    """All users of the first, then all of the second, and so on."""
    if len(parts) == 1:
        return parts[0]
    whole: dict[str, Any] = {}
    for item in fields(Users):
        values = [getattr(part, item.name) for part in parts]
        whole[item.name] = joined(values) if isinstance(values[0], Ragged) else np.concatenate(values)
    return Users(**whole)


def _take(value: Any, rows: NDArray[np.int64]) -> Any:
    return value.take(rows) if isinstance(value, Ragged) else value[rows]
