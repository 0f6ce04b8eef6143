"""A stored snapshot's candidates as the search wants them, kept ready between pages."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users, concatenate
from sitejobs.matching.snapshot.file import StoredSnapshot
from sitejobs.matching.snapshot.snapshot import vocabulary_of
from sitejobs.matching.topk.pool import CandidatePool, Sample
from sitejobs.matching.topk.segment import Segment

SEGMENT_USERS = 16_384
"""Users of a segment, in whole blocks."""

SAMPLE_EVERY = 64
"""The sample holds one candidate in this many."""

FEWEST_TO_SAMPLE = 4096
"""Fewest candidates for which a sample pays."""

READY_USERS = 250_000
"""Candidates up to which all segments are kept in memory from page to page: about 1.5 KB each with 30 traits."""

MOST_IN_SAMPLE = 40_000
"""Candidates in the sample of a site of millions: each group of viewers goes through all of them."""


def open_pool(
    snapshot: StoredSnapshot,
    now: float,
    parameters: Parameters,
    ready_users: int = READY_USERS,
    segment_users: int = SEGMENT_USERS,
) -> CandidatePool:
    """The candidates scored as of `now`, seconds since 1970."""
    starts = snapshot.starts[: len(snapshot.bounds) + 1]
    bits = vocabulary_of(snapshot.dictionaries)
    keeps = bool(starts[-1] <= ready_users)
    segments = _Segments(snapshot, _first_blocks(starts, segment_users), now, parameters, bits, keeps)
    popularity = snapshot.dictionaries.popularity
    pool = CandidatePool(snapshot.bounds, starts, segments.first, segments.get, segments.users, bits, popularity)
    every = max(SAMPLE_EVERY, int(starts[-1]) // MOST_IN_SAMPLE)

    @cache
    def sample() -> Sample | None:
        return sample_of(pool, every, now, parameters) if starts[-1] >= FEWEST_TO_SAMPLE else None

    return replace(pool, sample=sample)


def sample_of(pool: CandidatePool, every: int, now: float, parameters: Parameters) -> Sample:
    """One in `every` of the pool's candidates, in the order of the blocks."""
    positions = np.arange(every // 2, int(pool.starts[-1]), every)
    segment = Segment.of(pool.users(positions), now, parameters, pool.bits, pool.popularity)
    starts = np.searchsorted(positions, pool.starts)
    only = np.array([0, len(starts) - 1])
    return Sample(
        replace(pool, starts=starts, segments=only, segment=lambda _: segment, users=segment.users.take), every
    )


def _first_blocks(starts: Indices, users: int) -> Indices:
    """(s + 1,) first block of each segment of about so many users, and the number of blocks."""
    segment = starts[:-1] // users
    first = np.flatnonzero(np.diff(segment, prepend=-1))
    return np.append(first, len(segment))


@dataclass
class _Segments:
    """Segments that are laid out when they are asked for.

    first : as `CandidatePool.segments`. keeps: whether all stay in memory, or only the last one.
    """

    snapshot: StoredSnapshot
    first: Indices
    now: float
    parameters: Parameters
    bits: InterestBits | None
    keeps: bool

    def __post_init__(self) -> None:
        self._ready: dict[int, Segment] = {}

    def get(self, index: int) -> Segment:
        """The segment, laid out if it is not at hand."""
        if index not in self._ready:
            if not self.keeps:
                self._ready.clear()
            blocks = np.arange(self.first[index], self.first[index + 1])
            users, popularity = self.snapshot.whole(blocks), self.snapshot.dictionaries.popularity
            self._ready[index] = Segment.of(users, self.now, self.parameters, self.bits, popularity)
        return self._ready[index]

    def users(self, positions: Indices) -> Users:
        """The candidates at ascending positions; from segments where all are ready, which is quicker."""
        if len(self._ready) < len(self.first) - 1 or not len(positions):
            return self.snapshot.users_at(positions)
        bases = self.snapshot.starts[self.first[:-1]]
        cuts = np.searchsorted(positions, bases[1:])
        parts = [
            self._ready[number].users.take(rows - base)
            for number, (rows, base) in enumerate(zip(np.split(positions, cuts), bases, strict=True))
            if len(rows)
        ]
        return concatenate(parts)
