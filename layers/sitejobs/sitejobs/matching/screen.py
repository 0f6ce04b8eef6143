"""Which pairs of a block could still matter: an upper bound of every pair's score by one matrix product.

For a viewer v and a candidate c the score is static(c) + fit(v, c) + traits(v, c) + interests(v, c), where

- static and fit are sums of products as they stand;
- interests: |A and B| / |A or B| <= |A and B| / sqrt(|A| |B|), and |A and B| <= the product of the two sets'
  counts in each of a few buckets of interests, summed;
- traits: (1 + cos) / 2 * coverage, coverage <= 1. The cosine is taken over the common keys only. With the share
  r = |v on the common keys| / |v| and s alike for c, cos <= cos(v, c over all keys) + 1 - r s, because a cosine is
  at most 1; and 1 - r s <= (1 - r) + (1 - s). Over the masks of keys that occur in a block, the least r is known
  for each viewer; over those of the viewers, the least s for each candidate.

So the bound is a row vector times a column vector plus a term of each. It holds for pairs that are not near, whose
proximity is 0 but for equal place names.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.exact import MIN_COMMON_TRAITS, NO_INTERESTS
from sitejobs.matching.parameters import Parameters
from sitejobs.matching.ragged import Ragged
from sitejobs.matching.users import MISSING, Users

Singles = NDArray[np.float32]
Indices = NDArray[np.int64]

BUCKETS = 48
"""Buckets of interests: the most popular ones have one each, the rest share the last `SHARED_BUCKETS`."""

SHARED_BUCKETS = 16


@dataclass(frozen=True)
class Side:
    """What the bound needs of n users, viewers or candidates alike.

    directions : (n, K) traits over their length, zero for users with fewer than two.
    buckets : (n, BUCKETS) interests in each bucket over the root of their number.
    masks : (m, K) the different sets of trait keys of those with two and more, as 0 and 1.
    """

    users: Users
    directions: Singles
    present: Singles
    buckets: Singles
    masks: Singles

    @classmethod
    def of(cls, users: Users, popularity: NDArray[np.int32]) -> "Side":
        """`popularity`: rank of each interest code, 0 for the most popular."""
        present = ~np.isnan(users.traits)
        values = np.where(present, users.traits, np.float32(0))
        comparable = users.trait_count >= MIN_COMMON_TRAITS
        length = np.sqrt((values.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        directions = np.divide(values, length, out=np.zeros_like(values), where=(length > 0) & comparable[:, None])
        flags = present[comparable]
        if flags.shape[1] and len(flags):
            _, first = np.unique(np.packbits(flags, axis=1), axis=0, return_index=True)
            flags = flags[first]
        return cls(
            users,
            directions,
            present.astype(np.float32),
            _buckets(users.interests, users.interest_count, popularity),
            flags.astype(np.float32),
        )


class Screen:
    """Upper bounds for a fixed group of viewers."""

    def __init__(self, viewers: Users, popularity: NDArray[np.int32], parameters: Parameters) -> None:
        self._side = Side.of(viewers, popularity)
        self._weights = parameters.weights
        weights = parameters.weights
        self._comparable = viewers.trait_count >= MIN_COMMON_TRAITS
        self._quizzed = viewers.latest != MISSING
        self._squares = self._side.directions**2
        ones = np.ones((len(viewers), 1), np.float32)
        self._features = np.concatenate(
            [
                self._side.directions * np.float32(weights.traits / 2),
                viewers.gives * np.float32(weights.rating_fit / 2),
                self._side.buckets * np.float32(weights.interests),
                ones,
            ],
            axis=1,
        )
        # A viewer without interests gets the fixed value from everyone.
        self._constant = np.where(viewers.interest_count == 0, weights.interests * NO_INTERESTS, 0.0)

    def bounds(self, rows: Indices, block: "ScreenedBlock") -> tuple[Singles, Singles]:
        """(r, n) products and (r,) terms of the viewers `rows`: their sum bounds each pair's score."""
        candidates = block.side
        half = self._weights.traits / 2
        terms = self._constant[rows] + half * self._viewer_loss(rows, candidates)
        block.features[:, -1] = block.constant + half * self._candidate_loss(candidates)
        return self._features[rows] @ block.features.T, terms.astype(np.float32)

    def _viewer_loss(self, rows: Indices, candidates: Side) -> NDArray[np.float64]:
        """(r,) 1 - r at the block's worst mask; more where a pair may have too few keys in common."""
        loss = np.where(self._quizzed[rows], 1.0, 0.0)
        if len(candidates.masks):
            shares = self._squares[rows] @ candidates.masks.T
            common = self._side.present[rows] @ candidates.masks.T
            kept = np.sqrt(np.clip(shares.min(axis=1), 0, 1))
            sure = common.min(axis=1) >= MIN_COMMON_TRAITS
            flat = ~self._squares[rows].any(axis=1)  # all values 0: the cosine is 0 over any keys
            unsure = 1.0 + loss  # the products may be as low as -1
            loss = np.where(self._comparable[rows], np.where(sure, np.where(flat, 0.0, 1 - kept), unsure), loss)
        return loss

    def _candidate_loss(self, candidates: Side) -> NDArray[np.float64]:
        """(n,) 1 - s at the viewers' worst mask."""
        if not len(self._side.masks):
            return np.zeros(len(candidates.users))
        shares = (candidates.directions**2) @ self._side.masks.T
        flat = ~candidates.directions.any(axis=1)
        return np.where(flat, 0.0, 1 - np.sqrt(np.clip(shares.min(axis=1), 0, 1)))


@dataclass(frozen=True)
class ScreenedBlock:
    """A block's half of the product; the last column holds what depends on the viewers at hand too."""

    side: Side
    features: Singles
    constant: NDArray[np.float64]

    @classmethod
    def of(
        cls, users: Users, static: NDArray[np.float64], popularity: NDArray[np.int32], parameters: Parameters
    ) -> "ScreenedBlock":
        side = Side.of(users, popularity)
        weights = parameters.weights
        constant = static + weights.rating_fit / 2 + weights.traits / 2
        constant += np.where(users.interest_count == 0, weights.interests * NO_INTERESTS, 0.0)
        # Few traits but a quiz: the pair may fall back on it and be equal in all answers.
        falls_back = (users.trait_count < MIN_COMMON_TRAITS) & (users.quiz.lengths > 0)
        constant += np.where(falls_back, weights.traits / 2, 0.0)
        room = np.zeros((len(users), 1), np.float32)
        return cls(side, np.concatenate([side.directions, users.gets, side.buckets, room], axis=1), constant)


def _buckets(interests: Ragged, count: NDArray[np.int32], popularity: NDArray[np.int32]) -> Singles:
    own = BUCKETS - SHARED_BUCKETS
    rank = popularity[interests.values]
    bucket = np.where(rank < own, rank, own + rank % SHARED_BUCKETS)
    cells = np.bincount(interests.owners() * BUCKETS + bucket, minlength=len(count) * BUCKETS)
    counts = cells.reshape(len(count), BUCKETS)
    return (counts / np.sqrt(np.maximum(count, 1))[:, None]).astype(np.float32)
