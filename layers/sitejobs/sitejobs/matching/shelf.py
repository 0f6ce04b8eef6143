"""Users laid out for matrix products, viewers and candidates alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.exact import MIN_COMMON_TRAITS, newness
from sitejobs.matching.interests import Bits, InterestBits
from sitejobs.matching.parameters import Parameters
from sitejobs.matching.ragged import Ragged
from sitejobs.matching.users import Users

Singles = NDArray[np.float32]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

BUCKETS = 96
"""Buckets of interests: the most popular ones have one each, the rest share the last `SHARED_BUCKETS`."""

SHARED_BUCKETS = 24

MOST_QUIZZES = 32


@dataclass(frozen=True)
class Taste:
    """Traits and interests of n users.

    directions : (n, K) traits over their length, zero where missing and for users with fewer than two.
    masks, mask : (m, K) the different sets of trait keys, as 0 and 1, and (n,) which of them is the user's.
    quizzes : (m, q) whether users of the mask may have a result of the quiz: those with too few traits have a mask of
        their own for each set of quizzes. Beyond `MOST_QUIZZES` the last column stands for all others.
    buckets : (n, BUCKETS) how many interests fall into each bucket.
    """

    directions: Singles
    masks: Singles
    mask: Indices
    quizzes: Flags
    buckets: Singles

    @classmethod
    def of(cls, users: Users, popularity: NDArray[np.int32]) -> "Taste":
        """`popularity`: rank of each interest code, 0 for the most popular."""
        present = ~np.isnan(users.traits)
        values = np.where(present, users.traits, np.float32(0))
        comparable = users.trait_count >= MIN_COMMON_TRAITS
        length = np.sqrt((values.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        directions = np.divide(values, length, out=np.zeros_like(values), where=(length > 0) & comparable[:, None])
        taken = np.zeros((len(users), MOST_QUIZZES), bool)
        taken[users.quiz.owners(), quiz_column(users.quiz.values)] = True
        taken |= comparable[:, None]
        first, mask = _kinds(np.concatenate([present, taken], axis=1))
        masks = present[first].astype(np.float32)
        return cls(directions, masks, mask, taken[first], _buckets(users.interests, len(users), popularity))


@dataclass(frozen=True)
class Shelf:
    """Candidates of neighbouring blocks, ready for the kernel. Rows as in `users`.

    static : the weighted parts of the score that depend on the candidate alone.
    ratings : (n, 5) direction of received ratings, and the constant part of the score.
    interests : sets over the vocabulary of the whole snapshot, where that is small enough to keep.
    """

    users: Users
    static: NDArray[np.float64]
    ratings: Singles
    taste: Taste
    interests: Bits | None

    @classmethod
    def of(
        cls,
        users: Users,
        now: float,
        parameters: Parameters,
        bits: InterestBits | None,
        popularity: NDArray[np.int32],
    ) -> "Shelf":
        """`now`: seconds since 1970. `popularity`: rank of each interest code, 0 for the most popular."""
        static = static_scores(users, now, parameters)
        constant = static + parameters.weights.rating_fit / 2
        return cls(
            users=users,
            static=static,
            ratings=np.concatenate([users.gets, constant[:, None]], axis=1).astype(np.float32),
            taste=Taste.of(users, popularity),
            interests=bits.of(users) if bits else None,
        )


def quiz_column(codes: Indices) -> Indices:
    """The column of `Taste.quizzes` that stands for a quiz."""
    return np.minimum(codes, MOST_QUIZZES - 1)


def static_scores(candidates: Users, now: float, parameters: Parameters) -> NDArray[np.float64]:
    """(n,) weighted parts that depend on the candidate alone: rating quality and newness."""
    weights = parameters.weights
    return weights.rating_quality * candidates.quality.astype(np.float64) + weights.newness * newness(
        candidates.updated_at, now, parameters
    )


def _kinds(flags: Flags) -> tuple[Indices, Indices]:
    """Index of the first of each kind of row, and for each row which kind it is."""
    _, first, kind = np.unique(np.packbits(flags, axis=1), axis=0, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)


def _buckets(interests: Ragged, users: int, popularity: NDArray[np.int32]) -> Singles:
    own = BUCKETS - SHARED_BUCKETS
    rank = popularity[interests.values]
    bucket = np.where(rank < own, rank, own + rank % SHARED_BUCKETS)
    cells = np.bincount(interests.owners() * BUCKETS + bucket, minlength=users * BUCKETS)
    return cells.reshape(users, BUCKETS).astype(np.float32)
