"""The candidates of a search: blocks with bounds, in segments, and a sample of them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.topk.bounds import Bounds
from sitejobs.matching.topk.segment import Segment


@dataclass(frozen=True)
class CandidatePool:
    """The candidates of a snapshot: b blocks, in segments of neighbouring blocks.

    starts : (b + 1,) position of each block's first candidate, and the number of candidates.
    segments : (s + 1,) first block of each segment, and the number of blocks. `segment(i)` holds their candidates.
    users : the candidates at ascending positions.
    bits : the vocabulary that the segments' interest bits were made for, when they have them.
    popularity : rank of each interest code, 0 for the most popular.
    sample : some of the candidates, to be searched first; None on a small site.
    """

    bounds: Bounds
    starts: Indices
    segments: Indices
    segment: Callable[[int], Segment]
    users: Callable[[Indices], Users]
    bits: InterestBits | None
    popularity: NDArray[np.int32]
    sample: Callable[[], "Sample | None"] = lambda: None


@dataclass(frozen=True)
class Sample:
    """One in `every` of the candidates of each block of a pool, by the same bounds."""

    pool: CandidatePool
    every: int

    def rank_for(self, top_k: int) -> int:
        """The sample's rank whose key is below the K-th best of the pool for all but about 1 viewer in ten thousands.

        It is the mean + 4.5 standard deviations of how many of the true top K are in the sample: a threshold that turns
        out too high costs the whole pool once more.
        """
        expected = top_k / self.every
        return math.ceil(expected + 4.5 * math.sqrt(expected) + 1)


def chunks(starts: Indices, wanted: Flags, users: int) -> Iterator[tuple[int, int]]:
    """Runs of wanted blocks, (b,) with `starts` (b + 1,), of up to so many users: first block, and the one after."""
    begin: int | None = None
    for index in range(len(wanted)):
        full = begin is not None and starts[index + 1] - starts[begin] > users
        if begin is not None and (full or not wanted[index]):
            yield begin, index
            begin = None
        if begin is None and wanted[index]:
            begin = index
    if begin is not None:
        yield begin, len(wanted)
