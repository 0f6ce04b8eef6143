"""All decisions of a site as arrays, put together from the pages' files; as known at the cut, and as of now."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.learning.decisions import KINDS, Decisions, Received
from sitejobs.matching.learning.training import AT_ONCE
from sitejobs.matching.match_model.gathering import Gathered
from sitejobs.matching.scoring.arrays import Flags, Indices, Singles


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
    base: Singles
    back: NDArray[np.int8]
    back_known: Flags
    rater: NDArray[np.int32]
    rated: NDArray[np.int32]
    ratings: Singles
    later: Flags
    beside: NDArray[np.int32]
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
        return self.decisions(np.ones(len(self.rated), bool), None)

    def decisions(self, ratings: Flags, counted: Flags | None) -> Decisions:
        """These decisions, with these of the (r,) ratings."""
        there = np.flatnonzero(ratings & (self.beside >= 0))
        rows = self.beside[there].astype(np.int64)
        return Decisions(self.viewer, self.candidate, self.liked, self.features, rows, self.ratings[there], counted)


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
        self._later: Flags = history.later[:, fold]
        sums, counts = self._totals(history.rated, self._later)
        # Ratings given since the snapshot was taken are not among those received.
        sums, counts = history.received.sums - sums, history.received.counts - counts
        self.received = Received.of(np.where(counts[:, None] > 0, sums, np.float32(0)), np.maximum(counts, 0))
        self.given_sums, self.given_counts = self._totals(history.rater, ~self._later)

    def decisions(self) -> Decisions:
        """Those that are known, with the ratings that are."""
        return self._history.decisions(~self._later, self.known)

    def known_of(self, people: NDArray[np.int32], chosen: Flags | None = None) -> Indices:
        """(n,) how many of the known, or of the chosen among them, are each person's; `people` : (d,).

        In pieces: counting makes whole numbers of eight bytes of all at once.
        """
        total = np.zeros(self._history.people, np.int64)
        for start in range(0, len(people), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            counted = self.known[rows] if chosen is None else self.known[rows] & chosen[rows]
            total += np.bincount(people[rows][counted], minlength=len(total))
        return total

    def _totals(self, of: NDArray[np.int32], chosen: Flags) -> tuple[Singles, NDArray[np.int32]]:
        """(n, 4) sums and (n,) numbers of the chosen ratings by person."""
        of, ratings, people = of[chosen], self._history.ratings[chosen], self._history.people
        sums = [np.bincount(of, ratings[:, kind], minlength=people) for kind in range(KINDS)]
        return np.stack(sums, axis=1).astype(np.float32), np.bincount(of, minlength=people).astype(np.int32)


_ALONG = (
    *("viewer", "candidate", "liked", "known", "features", "base", "back", "back_known"),
    *("rater", "rated", "ratings", "later", "beside"),
)
"""Fields of a history that are those of its pages, one after the other."""


class _Growing:
    """An array that grows where it stands: what came is held once."""

    def __init__(self) -> None:
        self._rows: NDArray[Any] | None = None
        self.filled = 0

    def add(self, rows: NDArray[Any]) -> None:
        stop = self.filled + len(rows)
        if self._rows is None:
            self._rows = np.empty_like(rows)
        if stop > len(self._rows):
            self._resize(stop + stop // 16)
        self._rows[self.filled : stop] = rows
        self.filled = stop

    def whole(self) -> NDArray[Any]:
        self._resize(self.filled)
        assert self._rows is not None
        return self._rows

    def _resize(self, rows: int) -> None:
        assert self._rows is not None
        self._rows.resize((rows, *self._rows.shape[1:]), refcheck=False)


def join(people: int, pages: Iterable[Gathered]) -> History:
    """Put the pages of `people` together."""
    along = {name: _Growing() for name in _ALONG}
    sums, counts = np.zeros((people, KINDS), np.float32), np.zeros(people, np.int32)
    looks: dict[str, Any] = {
        "fingerprint": np.zeros(people, np.int64),
        "gender": np.zeros(people, np.int8),
        "wants": np.zeros(people, np.int16),
        "age": np.zeros(people, np.int16),
    }
    for page in pages:
        beside = np.where(page.beside < 0, -1, page.beside + along["liked"].filled).astype(np.int32)
        for name, grown in along.items():
            grown.add(beside if name == "beside" else getattr(page, name))
        there = slice(int(page.first[0]), int(page.first[0]) + len(page.gender))
        for name, column in looks.items():
            column[there] = getattr(page, name)
        sums[there], counts[there] = page.received, page.received_count
    return History(
        **{name: grown.whole() for name, grown in along.items()}, received=Received.of(sums, counts), **looks
    )
