"""A site's snapshot opened for searching, and all its pairs scored in double precision."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from sitejobs.matching.scoring.chances import judge_pairs
from sitejobs.matching.scoring.pair_scores import Pairs
from sitejobs.matching.scoring.parameters import MUTUAL, Learned, Parameters, Tiers
from sitejobs.matching.scoring.users import Users, concatenate
from sitejobs.matching.snapshot.population import read_population
from sitejobs.matching.snapshot.snapshot import Snapshot, take_snapshot, vocabulary_of
from sitejobs.matching.topk.bounds import UpperBounds, upper_bounds_of
from sitejobs.matching.topk.keys import tier_step
from sitejobs.matching.topk.pool import CandidatePool
from sitejobs.matching.topk.segment import Segment
from tests.matching.random_sites import NOW

LATER = timedelta(days=5)
"""Age of the snapshot in some searches: a run for one user may use an old one."""

BLOCKS_A_SEGMENT = 3


@dataclass(frozen=True)
class Opened:
    """A pool at `now`, and all its viewers."""

    pool: CandidatePool
    viewers: Users
    candidates: Users
    parameters: Parameters
    now: float

    @property
    def blocks(self) -> range:
        return range(len(self.pool.bounds))

    def positions_of(self, block: int) -> NDArray[np.int64]:
        return np.arange(self.pool.starts[block], self.pool.starts[block + 1])

    def exact(self, positions: NDArray[np.int64]) -> Pairs:
        """All pairs of a viewer and the candidates at these positions, (v * n,), viewer by viewer."""
        users = self.candidates.take(positions)
        viewer, candidate = all_pairs(len(self.viewers), len(users))
        return judge_pairs(self.viewers, users, viewer, candidate, self.now, self.parameters)

    @cached_property
    def upper(self) -> UpperBounds:
        """Bounds of all viewers and blocks."""
        return upper_bounds_of(self.viewers, self.pool.bounds, self.parameters)

    def keys_of(self, blocks: range) -> NDArray[np.float64]:
        """(v, n) exact keys of all viewers and the members of these blocks; -inf for who must not be matched."""
        return self._keys[:, self.pool.starts[blocks.start] : self.pool.starts[blocks.stop]]

    @cached_property
    def _keys(self) -> NDArray[np.float64]:
        pairs = self.exact(np.arange(self.pool.starts[len(self.blocks)]))
        keys = np.where(pairs.barred, -np.inf, pairs.worth + tier_step(self.parameters) * pairs.tier_a)
        return keys.reshape(len(self.viewers), -1)


def all_pairs(rows: int, columns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.repeat(np.arange(rows), columns), np.tile(np.arange(columns), rows)


def open_site(
    connection: Connection,
    block_size: int,
    top_k: int = 200,
    later: timedelta = timedelta(),
    tiers: Tiers = MUTUAL,
    model: Learned | None = None,
) -> Opened:
    """Take the site's snapshot at `NOW` and open it some time `later`, a few blocks a segment."""
    parameters = Parameters(top_k=top_k, tiers=tiers, model=model)
    population = read_population(connection, NOW, parameters=parameters)
    snapshot = take_snapshot(population, np.empty(0, np.int64), NOW.timestamp(), parameters, block_size)
    now = (NOW + later).timestamp()
    everyone = concatenate(snapshot.blocks)
    candidates = everyone.take(np.arange(snapshot.candidates))
    return Opened(_pool(snapshot, now), everyone, candidates, parameters, now)


def _pool(snapshot: Snapshot, now: float) -> CandidatePool:
    bits = vocabulary_of(snapshot.dictionaries)
    blocks = len(snapshot.bounds)
    segments = np.append(np.arange(0, blocks, BLOCKS_A_SEGMENT), blocks)

    @lru_cache
    def segment(index: int) -> Segment:
        users = concatenate(snapshot.blocks[segments[index] : segments[index + 1]])
        return Segment.of(users, now, snapshot.parameters, bits, snapshot.dictionaries.popularity)

    starts, users, popularity = (
        snapshot.starts[: blocks + 1],
        concatenate(snapshot.blocks),
        snapshot.dictionaries.popularity,
    )
    return CandidatePool(snapshot.bounds, starts, segments, segment, users.take, bits, popularity)
