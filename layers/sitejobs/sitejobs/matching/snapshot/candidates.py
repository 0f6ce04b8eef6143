"""A stored snapshot's candidates as the search wants them, kept ready between pages."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import concatenate
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
"""Users whose segments are kept in memory at a time: about 1.5 KB each with 30 traits."""


def open_pool(snapshot: StoredSnapshot, now: float, parameters: Parameters) -> CandidatePool:
    """The candidates scored as of `now`, seconds since 1970."""
    starts = snapshot.starts[: len(snapshot.bounds) + 1]
    bits = vocabulary_of(snapshot.dictionaries)
    segments = _segments(starts)
    ready = _ReadySegments(snapshot, segments, now, parameters, bits)
    popularity = snapshot.dictionaries.popularity
    pool = CandidatePool(snapshot.bounds, starts, segments, ready.get, bits, popularity)

    @cache
    def sample() -> Sample | None:
        return sample_of(pool, SAMPLE_EVERY, now, parameters) if starts[-1] >= FEWEST_TO_SAMPLE else None

    return replace(pool, sample=sample)


def sample_of(pool: CandidatePool, every: int, now: float, parameters: Parameters) -> Sample:
    """One in `every` of the pool's candidates, in the order of the blocks."""
    positions = np.arange(every // 2, int(pool.starts[-1]), every)
    segments, bases = pool.segment_of(positions), pool.starts[pool.segments]
    parts = [
        pool.segment(number).users.take(positions[segments == number] - bases[number])
        for number in np.unique(segments).tolist()
    ]
    segment = Segment.of(concatenate(parts), now, parameters, pool.bits, pool.popularity)
    starts = np.searchsorted(positions, pool.starts)
    only = np.array([0, len(starts) - 1])
    return Sample(CandidatePool(pool.bounds, starts, only, lambda _: segment, pool.bits, pool.popularity), every)


def _segments(starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(s + 1,) first block of each segment, and the number of blocks."""
    segment = starts[:-1] // SEGMENT_USERS
    first = np.flatnonzero(np.diff(segment, prepend=-1))
    return np.append(first, len(segment))


@dataclass
class _ReadySegments:
    """The segments used last, up to `READY_USERS`."""

    snapshot: StoredSnapshot
    segments: NDArray[np.int64]
    now: float
    parameters: Parameters
    bits: InterestBits | None

    def __post_init__(self) -> None:
        self._ready: OrderedDict[int, Segment] = OrderedDict()
        self._users = 0

    def get(self, index: int) -> Segment:
        segment = self._ready.get(index)
        if segment is not None:
            self._ready.move_to_end(index)
            return segment
        blocks = np.arange(self.segments[index], self.segments[index + 1])
        self.snapshot.need(blocks)
        users = concatenate([self.snapshot.block(block) for block in blocks.tolist()])
        segment = Segment.of(users, self.now, self.parameters, self.bits, self.snapshot.dictionaries.popularity)
        self._ready[index] = segment
        self._users += len(users)
        while self._users > READY_USERS and len(self._ready) > 1:
            self._users -= len(self._ready.popitem(last=False)[1].users)
        return segment
