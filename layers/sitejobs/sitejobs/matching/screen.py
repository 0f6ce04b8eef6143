"""Which pairs could still matter: an upper bound of every pair's score, by matrix products and little else.

For a viewer v and a candidate c who are not near each other the score is
static(c) + fit(v, c) + traits(v, c) + interests(v, c), where

- static and fit are sums of products as they stand;
- traits: (1 + cos) / 2 * coverage, coverage <= 1. The cosine is taken over the common keys only. With the share
  r = |v on the keys of c| / |v| and s alike for c, cos <= cos(v, c over all keys) + 1 - r s, because no cosine is
  above 1; and 1 - r s <= (1 - r) + (1 - s). r depends on v and the set of keys that c has, its mask, and there are
  far fewer masks than users; likewise s;
- interests: |A and B| / |A or B| <= |A and B| / sqrt(|A| |B|), and |A and B| is at most the product of the counts
  of both in each of some buckets of interests, summed.
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

BUCKETS = 96
"""Buckets of interests: the most popular ones have one each, the rest share the last `SHARED_BUCKETS`."""

SHARED_BUCKETS = 24

_ROUNDING = 1e-6
"""A loss below it is one of single precision; the bounds' slack is larger."""


@dataclass(frozen=True)
class Side:
    """What the bound needs of n users, viewers or candidates alike.

    directions : (n, K) traits over their length, zero for users with fewer than two.
    present : (n, K) which keys a user has, 0 or 1.
    masks, mask : (m, K) the different rows of `present`, and (n,) which of them is the user's.
    comparable : (n,) who has two keys and more.
    buckets : (n, BUCKETS) interests in each bucket over the root of their number.
    """

    directions: Singles
    present: Singles
    masks: Singles
    mask: Indices
    comparable: NDArray[np.bool_]
    buckets: Singles

    @classmethod
    def of(cls, users: Users, popularity: NDArray[np.int32]) -> "Side":
        """`popularity`: rank of each interest code, 0 for the most popular."""
        flags = ~np.isnan(users.traits)
        values = np.where(flags, users.traits, np.float32(0))
        comparable = users.trait_count >= MIN_COMMON_TRAITS
        length = np.sqrt((values.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        directions = np.divide(values, length, out=np.zeros_like(values), where=(length > 0) & comparable[:, None])
        first, mask = _different(flags)
        present = flags.astype(np.float32)
        return cls(
            directions=directions,
            present=present,
            masks=present[first],
            mask=mask,
            comparable=comparable,
            buckets=_buckets(users.interests, users.interest_count, popularity),
        )


@dataclass(frozen=True)
class ScreenedSide:
    """Candidates' half of the products."""

    side: Side
    features: Singles
    """(n, K + 5) directions, ratings, and what depends on the candidate alone."""

    @classmethod
    def of(
        cls, users: Users, static: NDArray[np.float64], popularity: NDArray[np.int32], parameters: Parameters
    ) -> "ScreenedSide":
        side = Side.of(users, popularity)
        weights = parameters.weights
        constant = static + weights.rating_fit / 2 + weights.traits / 2
        constant += np.where(users.interest_count == 0, weights.interests * NO_INTERESTS, 0.0)
        # Few traits but a quiz: the pair may fall back on it and be equal in all answers.
        falls_back = ~side.comparable & (users.quiz.lengths > 0)
        constant += np.where(falls_back, weights.traits / 2, 0.0)
        features = np.concatenate([side.directions, users.gets, constant[:, None].astype(np.float32)], axis=1)
        return cls(side, features)


class Screen:
    """Upper bounds for a fixed group of viewers."""

    def __init__(self, viewers: Users, popularity: NDArray[np.int32], parameters: Parameters) -> None:
        weights = parameters.weights
        self._side = Side.of(viewers, popularity)
        self._half = np.float32(weights.traits / 2)
        self._features = np.concatenate(
            [
                self._side.directions * self._half,
                viewers.gives * np.float32(weights.rating_fit / 2),
                np.ones((len(viewers), 1), np.float32),
            ],
            axis=1,
        )
        self._buckets = self._side.buckets * np.float32(weights.interests)
        # A viewer without interests gets the fixed value from everyone.
        self._constant = np.where(viewers.interest_count == 0, weights.interests * NO_INTERESTS, 0.0)
        self._quizzed = (viewers.latest != MISSING).astype(np.float32)

    def against(self, candidates: ScreenedSide) -> "Screening":
        """The losses of these candidates' masks, which all their bounds share."""
        return Screening(
            candidates,
            self._viewer_loss(candidates.side) * self._half,
            self._candidate_loss(candidates.side) * self._half,
        )

    def without_interests(self, rows: Indices, screening: "Screening", columns: slice) -> Singles:
        """(r, c) bounds of all parts but the interests."""
        bounds = self._features[rows] @ screening.candidates.features[columns].T
        bounds += self._constant[rows, None].astype(np.float32)
        mask = screening.candidates.side.mask[columns]
        loss = screening.viewer_loss[rows]
        if loss.any():
            bounds += loss[:, mask] if (mask != mask[0]).any() else loss[:, mask[:1]]
        loss = screening.candidate_loss[:, columns]
        if loss.any():
            bounds += loss[self._side.mask[rows]]
        return bounds

    def interests(self, rows: Indices, screening: "Screening", columns: slice) -> Singles:
        """(r, c) bounds of the interests part, for pairs in which both have some."""
        return np.asarray(self._buckets[rows] @ screening.candidates.side.buckets[columns].T)

    def _viewer_loss(self, candidates: Side) -> Singles:
        """(v, m) 1 - r for each viewer and mask; more where the pair may have too few keys in common."""
        shares = (self._side.directions**2) @ candidates.masks.T
        loss = 1 - np.sqrt(np.clip(shares, 0, 1))
        loss[~self._side.directions.any(axis=1)] = 0  # all values 0: the cosine is 0 over any keys
        # The fallback's 0.5 against the least that the products give, or its 1 against that.
        loss[loss < _ROUNDING] = 0
        few = self._side.present @ candidates.masks.T < MIN_COMMON_TRAITS
        loss = np.where(few, 1 + self._quizzed[:, None], loss)
        unknown = candidates.masks.sum(axis=1) < MIN_COMMON_TRAITS
        # Without directions on either side the products give 0, which is the fallback's 0.5 already.
        loss[:, unknown] = 0
        return np.where(self._side.comparable[:, None], loss, self._quizzed[:, None]).astype(np.float32)

    def _candidate_loss(self, candidates: Side) -> Singles:
        """(m, n) 1 - s for each of the viewers' masks and each candidate."""
        shares = self._side.masks @ (candidates.directions**2).T
        loss = 1 - np.sqrt(np.clip(shares, 0, 1))
        loss[:, ~candidates.directions.any(axis=1)] = 0
        loss[self._side.masks.sum(axis=1) < MIN_COMMON_TRAITS] = 0  # viewers without directions
        loss[loss < _ROUNDING] = 0
        return loss.astype(np.float32)


@dataclass(frozen=True)
class Screening:
    """Viewers against some candidates: what the bounds add to the products, weighted.

    viewer_loss : (v, masks of the candidates). candidate_loss : (masks of the viewers, n).
    """

    candidates: ScreenedSide
    viewer_loss: Singles
    candidate_loss: Singles


def _different(flags: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Index of the first of each kind of row, and for each row which kind it is."""
    if not flags.shape[1]:
        return np.zeros(min(1, len(flags)), np.int64), np.zeros(len(flags), np.int64)
    _, first, kind = np.unique(np.packbits(flags, axis=1), axis=0, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)


def _buckets(interests: Ragged, count: NDArray[np.int32], popularity: NDArray[np.int32]) -> Singles:
    own = BUCKETS - SHARED_BUCKETS
    rank = popularity[interests.values]
    bucket = np.where(rank < own, rank, own + rank % SHARED_BUCKETS)
    cells = np.bincount(interests.owners() * BUCKETS + bucket, minlength=len(count) * BUCKETS)
    counts = cells.reshape(len(count), BUCKETS)
    return (counts / np.sqrt(np.maximum(count, 1))[:, None]).astype(np.float32)
