"""A stored snapshot's candidates as the search wants them, kept ready between pages."""

from collections import OrderedDict

from sitejobs.matching.interests import InterestBits
from sitejobs.matching.kernel import Candidates
from sitejobs.matching.parameters import Parameters
from sitejobs.matching.search import World
from sitejobs.matching.snapshot import vocabulary_of
from sitejobs.matching.snapshot_file import StoredSnapshot

READY_USERS = 250_000
"""Users whose matrices are kept in memory at a time: about 0.6 KB each with 30 traits."""


def open_world(snapshot: StoredSnapshot, now: float, parameters: Parameters) -> World:
    """The candidates scored as of `now`, seconds since 1970."""
    bits = vocabulary_of(snapshot.dictionaries)
    blocks = _ReadyBlocks(snapshot, now, parameters, bits)
    starts = snapshot.starts[: len(snapshot.bounds) + 1]
    return World(snapshot.bounds, starts, blocks.get, bits, snapshot.dictionaries.popularity)


class _ReadyBlocks:
    """The blocks used last, up to `READY_USERS`."""

    def __init__(self, snapshot: StoredSnapshot, now: float, parameters: Parameters, bits: InterestBits | None) -> None:
        self._snapshot = snapshot
        self._now = now
        self._parameters = parameters
        self._bits = bits
        self._popularity = snapshot.dictionaries.popularity
        self._ready: OrderedDict[int, Candidates] = OrderedDict()
        self._users = 0

    def get(self, index: int) -> Candidates:
        block = self._ready.get(index)
        if block is None:
            block = Candidates.of(
                self._snapshot.block(index), self._now, self._parameters, self._bits, self._popularity
            )
            self._ready[index] = block
            self._users += len(block.users)
            while self._users > READY_USERS and len(self._ready) > 1:
                self._users -= len(self._ready.popitem(last=False)[1].users)
        else:
            self._ready.move_to_end(index)
        return block
