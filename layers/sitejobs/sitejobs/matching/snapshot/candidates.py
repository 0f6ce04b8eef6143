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
from sitejobs.matching.topk.search import Sample, World
from sitejobs.matching.topk.segment import Shelf

SHELF_USERS = 16_384
"""Users of a shelf, in whole blocks."""

SAMPLE_EVERY = 64
"""One candidate in so many is in the sample."""

FEWEST_TO_SAMPLE = 4096
"""Candidates of whom a sample is worth looking through."""

READY_USERS = 250_000
"""Users whose shelves are kept in memory at a time: about 1.5 KB each with 30 traits."""


def open_world(snapshot: StoredSnapshot, now: float, parameters: Parameters) -> World:
    """The candidates scored as of `now`, seconds since 1970."""
    starts = snapshot.starts[: len(snapshot.bounds) + 1]
    bits = vocabulary_of(snapshot.dictionaries)
    shelves = _shelves(starts)
    ready = _ReadyShelves(snapshot, shelves, now, parameters, bits)
    popularity = snapshot.dictionaries.popularity
    world = World(snapshot.bounds, starts, shelves, ready.get, bits, popularity)

    @cache
    def sample() -> Sample | None:
        return sample_of(world, SAMPLE_EVERY, now, parameters) if starts[-1] >= FEWEST_TO_SAMPLE else None

    return replace(world, sample=sample)


def sample_of(world: World, every: int, now: float, parameters: Parameters) -> Sample:
    """One in `every` of the world's candidates, in the order of the blocks."""
    positions = np.arange(every // 2, int(world.starts[-1]), every)
    shelves, bases = world.shelf_of(positions), world.starts[world.shelves]
    parts = [
        world.shelf(number).users.take(positions[shelves == number] - bases[number])
        for number in np.unique(shelves).tolist()
    ]
    shelf = Shelf.of(concatenate(parts), now, parameters, world.bits, world.popularity)
    starts = np.searchsorted(positions, world.starts)
    only = np.array([0, len(starts) - 1])
    return Sample(World(world.bounds, starts, only, lambda _: shelf, world.bits, world.popularity), every)


def _shelves(starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(s + 1,) first block of each shelf, and the number of blocks."""
    shelf = starts[:-1] // SHELF_USERS
    first = np.flatnonzero(np.diff(shelf, prepend=-1))
    return np.append(first, len(shelf))


@dataclass
class _ReadyShelves:
    """The shelves used last, up to `READY_USERS`."""

    snapshot: StoredSnapshot
    shelves: NDArray[np.int64]
    now: float
    parameters: Parameters
    bits: InterestBits | None

    def __post_init__(self) -> None:
        self._ready: OrderedDict[int, Shelf] = OrderedDict()
        self._users = 0

    def get(self, index: int) -> Shelf:
        shelf = self._ready.get(index)
        if shelf is not None:
            self._ready.move_to_end(index)
            return shelf
        blocks = np.arange(self.shelves[index], self.shelves[index + 1])
        self.snapshot.need(blocks)
        users = concatenate([self.snapshot.block(block) for block in blocks.tolist()])
        shelf = Shelf.of(users, self.now, self.parameters, self.bits, self.snapshot.dictionaries.popularity)
        self._ready[index] = shelf
        self._users += len(users)
        while self._users > READY_USERS and len(self._ready) > 1:
            self._users -= len(self._ready.popitem(last=False)[1].users)
        return shelf
