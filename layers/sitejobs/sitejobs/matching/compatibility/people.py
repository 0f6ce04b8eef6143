"""Loads users' packed inputs into arrays, alike for viewers and targets."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Final, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from sitejobs.matching.compatibility.inputs import inputs_of
from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.matching.scoring.codes import codes_of, directions, pair_codes, unit_rows
from sitejobs.matching.scoring.ragged import Ragged, grouped, offsets_of
from sitejobs.matching.scoring.users import MISSING, QUIZZES
from sitejobs.postgres.columns import Column, fetch_columns

# Ids are passed as the text of an array: adapting them one by one takes several times as long.
_IDS: Final[LiteralString] = "= ANY(%(ids)s::bigint[])"
_COLUMNS: Final[LiteralString] = """
SELECT "userId", "viewerHash", COALESCE("targetHash", 0) AS "targetHash", ("targetHash" IS NOT NULL)::int AS "isTarget",
       octet_length("interests") / 16 AS "interestCount", octet_length("results") / 16 AS "resultCount",
       COALESCE("latestQuizId", 0) AS "latestQuizId", (octet_length("received") > 0)::int AS "isRated",
       (octet_length("given") > 0)::int AS "hasRated", "interests", "results", "vectors", "answers", "received", "given"
FROM
"""
_READ_STORED_INPUTS: Final[LiteralString] = f"""{_COLUMNS} "UserCompatibilityInput" stored WHERE "userId" {_IDS}"""
"""Reads the inputs that the run's first pages stored."""

_READ_CURRENT_INPUTS: Final[LiteralString] = f"""{_COLUMNS} ({inputs_of(_IDS)}) AS fresh"""
"""Computes the inputs from the site's tables as they are now."""

_READ_UNDELETED_USERS: Final[LiteralString] = """
SELECT u."id" FROM "User" u
WHERE u."id" = ANY(%(ids)s) AND u."deletedAt" IS NULL AND NOT EXISTS (
    SELECT FROM "Profile" p WHERE p."userId" = u."id" AND p."userId" = ANY(%(ids)s) AND p."deletedAt" IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM "Profile" kept
          WHERE kept."userId" = p."userId" AND kept."userId" = ANY(%(ids)s) AND kept."deletedAt" IS NULL))
"""
"""Reads which of the users are undeleted, without those whose profiles are all deleted.

The ids are repeated for each table: without that the planner reads a whole table.
"""
_TYPES = {
    "userId": "int8",
    "viewerHash": "int8",
    "targetHash": "int8",
    "isTarget": "int4",
    "interestCount": "int4",
    "resultCount": "int4",
    "latestQuizId": "int8",
    "isRated": "int4",
    "hasRated": "int4",
    **dict.fromkeys(("interests", "results", "vectors", "answers", "received", "given"), "bytea"),
}
NOBODY: Indices = np.empty(0, np.int64)
_RESULT = np.dtype([("quiz", ">i8"), ("vector", ">i4"), ("answers", ">i4")])
_RECEIVED = np.dtype([("averages", ">f8", 4), ("count", ">i8")])


@dataclass(frozen=True)
class Packed:
    """n users as the database keeps them.

    interests : (i, 2) subject and interest ids, user after user; `interest_count` (n,) of each.
    results : (r,) of `_RESULT`, user after user; `result_count` (n,) of each. vectors, answers (question and answer
        hashes): of all results, one after the other.
    received, given : averages of the users who are rated, and of those who have rated.
    viewer_hash, target_hash : hashes of what is read of a viewer and of a target. is_target: whether it can be one.
    """

    ids: Indices
    viewer_hash: Indices
    target_hash: Indices
    is_target: NDArray[np.bool_]
    interests: Indices
    interest_count: Indices
    results: Column
    result_count: Indices
    latest_quiz: Indices
    vectors: Floats
    answers: Indices
    is_rated: NDArray[np.bool_]
    received: Column
    has_rated: NDArray[np.bool_]
    given: Floats


@dataclass(frozen=True)
class Codes:
    """What the viewers of a page have, each ascending; a code is an index into it. Nothing else can be shared.

    vector_length : length of the viewers' vectors of each quiz, 0 where lengths differ or one has none. Targets with
        that length are compared by vector with all viewers; their answers are not loaded.
    """

    interests: Indices
    quizzes: Indices
    questions: Indices
    vector_length: Indices

    @classmethod
    def of(cls, viewers: Packed) -> "Codes":
        """Interests, latest quizzes and questions of these viewers."""
        owners = np.repeat(np.arange(len(viewers.ids)), viewers.result_count)
        latest = viewers.results[viewers.results["quiz"] == viewers.latest_quiz[owners]]
        quizzes, code = np.unique(latest["quiz"].astype(np.int64), return_inverse=True)
        shortest, longest = np.full(len(quizzes), np.iinfo(np.int64).max), np.zeros(len(quizzes), np.int64)
        np.minimum.at(shortest, code, latest["vector"].astype(np.int64))
        np.maximum.at(longest, code, latest["vector"].astype(np.int64))
        return cls(
            interests=np.unique(viewers.interests, axis=0),
            quizzes=quizzes,
            questions=np.unique(viewers.answers[:, 0]),
            vector_length=np.where(shortest == longest, longest, 0),
        )


@dataclass(frozen=True)
class People:
    """n users. Quizzes as in `sitejobs.matching.scoring.users.Users`: `vectors`, `answers` and `questions` by result.

    interests : codes, ascending. interest_count: (n,) including interests without a code.
    averages : (n, 4) of received ratings, NaN without any. gives, gets: (n, 4) unit vectors, zero when flat or missing.
    has_rated : (n,) whether the user has given ratings.
    """

    ids: Indices
    interests: Ragged
    interest_count: Indices
    quiz: Ragged
    latest: NDArray[np.int32]
    vectors: Ragged
    answers: Ragged
    questions: Ragged
    averages: Floats
    rating_count: Indices
    gives: Floats
    gets: Floats
    has_rated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def result_keys(self) -> Indices:
        """For each quiz result, its user's row and its quiz's code as one ascending number."""
        return np.asarray(self.quiz.owners() * QUIZZES + self.quiz.values)


def still_here(connection: Connection, ids: Indices) -> Indices:
    """The users, ascending, who are not deleted now and whose profiles are not: inputs may be as old as the run."""
    return np.sort(fetch_columns(connection, _READ_UNDELETED_USERS, {"ids": ids}, {"id": "int8"})["id"])


def load(connection: Connection, ids: Indices, changed: Indices = NOBODY) -> Packed:
    """Load the inputs of undeleted users; `ids` names each once, in any order.

    Users who came since the inputs were renewed, and users in `changed`, are read from the site's tables.
    """
    found = _fetch(connection, _READ_STORED_INPUTS, np.setdiff1d(ids, changed, assume_unique=True))
    lacking = np.setdiff1d(ids, found["userId"], assume_unique=True)
    if len(lacking):
        fresh = _fetch(connection, _READ_CURRENT_INPUTS, lacking)
        found = {name: np.concatenate([column, fresh[name]]) for name, column in found.items()}
    return Packed(
        ids=found["userId"],
        viewer_hash=found["viewerHash"],
        target_hash=found["targetHash"],
        is_target=found["isTarget"] == 1,
        interests=found["interests"].view(">i8").astype(np.int64).reshape(-1, 2),
        interest_count=found["interestCount"].astype(np.int64),
        results=found["results"].view(_RESULT),
        result_count=found["resultCount"].astype(np.int64),
        latest_quiz=found["latestQuizId"],
        vectors=found["vectors"].view(">f8").astype(np.float64),
        answers=found["answers"].view(">i8").astype(np.int64).reshape(-1, 2),
        is_rated=found["isRated"] == 1,
        received=found["received"].view(_RECEIVED),
        has_rated=found["hasRated"] == 1,
        given=found["given"].view(">f8").astype(np.float64).reshape(-1, 4),
    )


def joined(parts: list[Packed]) -> Packed:
    """The users of all parts, part after part."""
    if len(parts) == 1:
        return parts[0]
    return Packed(
        **{item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Packed)}
    )


def encode(packed: Packed, codes: Codes, *, viewers: bool = False) -> People:
    """Arrays of the users, by the codes of a page's viewers. `viewers`: whether the users are these viewers."""
    count = len(packed.ids)
    quiz, latest, vectors, answers, questions = _quizzes(packed, codes, every_answer=viewers)
    averages, given = np.full((count, 4), np.nan), np.full((count, 4), np.nan)
    averages[packed.is_rated] = packed.received["averages"]
    given[packed.has_rated] = packed.given
    rating_count = np.zeros(count, np.int64)
    rating_count[packed.is_rated] = packed.received["count"]
    return People(
        ids=packed.ids,
        interests=_interests(packed, codes),
        interest_count=packed.interest_count,
        quiz=quiz,
        latest=latest,
        vectors=vectors,
        answers=answers,
        questions=questions,
        averages=averages,
        rating_count=rating_count,
        gives=directions(given),
        gets=directions(averages),
        has_rated=packed.has_rated,
    )


def _fetch(connection: Connection, query: LiteralString, ids: Indices) -> dict[str, Column]:
    return fetch_columns(connection, query, {"ids": ids}, _TYPES)


def _interests(packed: Packed, codes: Codes) -> Ragged:
    found = pair_codes(packed.interests[:, 0], packed.interests[:, 1], codes.interests)
    coded = found != MISSING
    owners = np.repeat(np.arange(len(packed.ids)), packed.interest_count)
    return grouped(owners[coded], found[coded].astype(np.int32), len(packed.ids))


def _quizzes(
    packed: Packed, codes: Codes, *, every_answer: bool
) -> tuple[Ragged, NDArray[np.int32], Ragged, Ragged, Ragged]:
    """Results of quizzes with a code: codes and the latest's index by user; vectors, answers, questions by result."""
    results = packed.results
    quizzes = codes_of(results["quiz"].astype(np.int64), codes.quizzes)
    owners = np.repeat(np.arange(len(packed.ids)), packed.result_count)
    kept = np.flatnonzero(quizzes != MISSING)
    quiz = grouped(owners[kept], quizzes[kept].astype(np.int32), len(packed.ids))

    is_latest = results["quiz"][kept] == packed.latest_quiz[owners[kept]]
    latest = np.full(len(packed.ids), MISSING, np.int32)
    latest[owners[kept][is_latest]] = np.flatnonzero(is_latest) - quiz.offsets[:-1][owners[kept][is_latest]]

    vectors = Ragged(offsets_of(results["vector"]), packed.vectors).take(kept)
    unit = unit_rows(vectors.owners(), vectors.values, len(kept))
    by_answers = vectors.lengths != codes.vector_length[quiz.values]
    asked = kept if every_answer else kept[by_answers | (vectors.lengths == 0)]
    answered = Ragged(offsets_of(results["answers"]), packed.answers).take(asked)
    questions = codes_of(answered.values[:, 0], codes.questions)
    coded = questions != MISSING
    by_result = np.searchsorted(kept, asked)[answered.owners()[coded]]
    return (
        quiz,
        latest,
        Ragged(vectors.offsets, unit),
        grouped(by_result, answered.values[coded, 1], len(kept)),
        grouped(by_result, questions[coded].astype(np.int32), len(kept)),
    )
