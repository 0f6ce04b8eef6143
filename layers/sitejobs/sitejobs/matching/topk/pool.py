"""The candidates of a search: blocks with bounds, in segments, and a sample of them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.users import Users, concatenate
from sitejobs.matching.topk.bounds import Bounds
from sitejobs.matching.topk.segment import Segment


@dataclass(frozen=True)
class CandidatePool:
    """The candidates of a snapshot: b blocks, in segments of neighbouring blocks.

    starts : (b + 1,) position of each block's first candidate, and the number of candidates.
    segments : (s + 1,) first block of each segment, and the number of blocks. `segment(i)` holds their candidates.
    bits : the vocabulary that the segments' interest bits were made for, when they have them.
    popularity : rank of each interest code, 0 for the most popular.
    sample : some of the candidates, to be searched first; None on a small site.
    """

    bounds: Bounds
    starts: Indices
    segments: Indices
    segment: Callable[[int], Segment]
    bits: InterestBits | None
    popularity: NDArray[np.int32]
    sample: Callable[[], "Sample | None"] = lambda: None

    def segment_of(self, position: Indices) -> Indices:
        """The segment that holds each position."""
        return np.searchsorted(self.starts[self.segments], position, side="right") - 1


@dataclass(frozen=True)
class Sample:
    """One in `every` of the candidates of each block of a pool, by the same bounds."""

    pool: CandidatePool
    every: int

    def rank_for(self, top_k: int) -> int:
        """The sample's rank whose key is below the K-th best of the pool for all but about 1 viewer in hundreds.

        It is the mean + 3 standard deviations of how many of the true top K are in the sample.
        """
        expected = top_k / self.every
        return math.ceil(expected + 3 * math.sqrt(expected) + 1)


def chunks(pool: CandidatePool, wanted: NDArray[np.bool_], users: int) -> Iterator[tuple[int, int]]:
    """Runs of wanted blocks on one segment of up to so many candidates: first block, and the one after."""
    segment = np.searchsorted(pool.segments, np.arange(len(wanted)), side="right")
    begin: int | None = None
    for index in range(len(wanted)):
        full = begin is not None and (
            segment[index] != segment[begin] or pool.starts[index + 1] - pool.starts[begin] > users
        )
        if begin is not None and (full or not wanted[index]):
            yield begin, index
            begin = None
        if begin is None and wanted[index]:
            begin = index
    if begin is not None:
        yield begin, len(wanted)


def gather(viewers: Users, pool: CandidatePool, positions: Indices) -> Users:
    """The users at ascending positions; none of the viewers when there are none."""
    segments = pool.segment_of(positions)
    parts = []
    for number in np.unique(segments).tolist():
        base = pool.starts[pool.segments[number]]
        parts.append(pool.segment(number).users.take(positions[segments == number] - base))
    return concatenate(parts) if parts else viewers.take(np.empty(0, np.int64))
