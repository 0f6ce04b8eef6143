"""All decisions of a site as arrays, put together from the pages' files; as known at the cut, and as of now."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.learning.decisions import KINDS, Decisions, Received
from sitejobs.matching.match_model.gathering import Gathered
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles


@dataclass(frozen=True)
class History:
    """What the pages gathered of n people: d decisions and r ratings, with f folds of what is known (`Cut`).

    All but the last are as in `Gathered`. received : all ratings. fingerprint, gender, wants, age : (n,).
    """

    viewer: NDArray[np.int32]
    candidate: NDArray[np.int32]
    liked: Flags
    known: Flags
    features: Singles
    own: Singles
    own_known: Flags
    base: Singles
    back: NDArray[np.int8]
    back_known: Flags
    rater: NDArray[np.int32]
    rated: NDArray[np.int32]
    ratings: Singles
    later: Flags
    received: Received
    fingerprint: Indices
    gender: NDArray[np.int8]
    wants: NDArray[np.int16]
    age: NDArray[np.int16]

    @property
    def people(self) -> int:
        return len(self.gender)

    @property
    def folds(self) -> int:
        return int(self.known.shape[1])

    def everything(self) -> Decisions:
        """All decisions, to train on."""
        return self.decisions_with(self.received.without(self.candidate, self.own))

    def decisions_with(self, standing: Floats) -> Decisions:
        """All decisions with these (d, 4) standings of the candidates."""
        inputs = np.empty((len(self.viewer), KINDS + self.features.shape[1]), np.float32)
        inputs[:, :KINDS], inputs[:, KINDS:] = standing, self.features
        return Decisions(self.viewer, self.candidate, self.liked, inputs)


class Past:
    """A history as one fold knows it.

    received : the ratings known. known : (d,) decisions. asked : (d,) the others; whoever the other is known to have
        disliked would not have been shown: these are not asked.
    given_sums, given_counts : (n, 4) and (n,) of the known ratings that people gave.
    """

    def __init__(self, history: History, fold: int) -> None:
        self._history = history
        self.known: Flags = history.known[:, fold]
        self.back_known: Flags = history.back_known[:, fold]
        self.asked: Flags = ~self.known & ~(self.back_known & (history.back == 0))
        self._own_known = history.own_known[:, fold]
        later = history.later[:, fold]
        sums, counts = _totals(history.people, history.rated[later], history.ratings[later])
        self.received = Received.of(history.received.sums - sums, history.received.counts - counts)
        self.given_sums, self.given_counts = _totals(history.people, history.rater[~later], history.ratings[~later])

    def known_decisions(self) -> Decisions:
        """Those that are known, with the ratings that are."""
        own = np.where(self._own_known[:, None], self._history.own, np.float32(np.nan))
        standing = self.received.without(self._history.candidate, own)
        return self._history.decisions_with(standing).part(self.known)

    def asked_decisions(self) -> Decisions:
        """Those that are asked; their own ratings are not among the known ones."""
        nothing = np.full_like(self._history.own, np.nan)
        standing = self.received.without(self._history.candidate, nothing)
        return self._history.decisions_with(standing).part(self.asked)


_ALONG = (
    *("viewer", "candidate", "liked", "known", "features", "own", "own_known", "base", "back", "back_known"),
    *("rater", "rated", "ratings", "later"),
)
"""Fields of a history that are those of its pages, one after the other."""


def join(people: int, pages: Iterable[Gathered]) -> History:
    """Put the pages of `people` together."""
    parts: dict[str, list[Any]] = {name: [] for name in _ALONG}
    sums, counts = np.zeros((people, KINDS), np.float32), np.zeros(people, np.int32)
    looks: dict[str, Any] = {
        "fingerprint": np.zeros(people, np.int64),
        "gender": np.zeros(people, np.int8),
        "wants": np.zeros(people, np.int16),
        "age": np.zeros(people, np.int16),
    }
    for page in pages:
        for name, found in parts.items():
            found.append(getattr(page, name))
        there = slice(int(page.first[0]), int(page.first[0]) + len(page.gender))
        for name, column in looks.items():
            column[there] = getattr(page, name)
        sums[there], counts[there] = page.received, page.received_count
    joined = {name: _joined(found) for name, found in parts.items()}
    return History(**joined, received=Received.of(sums, counts), **looks)


def _totals(people: int, of: NDArray[np.int32], ratings: Singles) -> tuple[Singles, NDArray[np.int32]]:
    """(n, 4) sums and (n,) numbers of ratings by person."""
    sums = [np.bincount(of, ratings[:, kind], minlength=people) for kind in range(KINDS)]
    return np.stack(sums, axis=1).astype(np.float32), np.bincount(of, minlength=people).astype(np.int32)


def _joined(parts: list[Any]) -> Any:
    whole = np.concatenate(parts)
    parts.clear()
    return whole
