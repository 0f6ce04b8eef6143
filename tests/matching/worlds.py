"""A site's snapshot opened for searching, and all its pairs scored in double precision."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from sitejobs.matching.exact import Pairs, score_pairs
from sitejobs.matching.kernel import Candidates, tier_step
from sitejobs.matching.parameters import Parameters
from sitejobs.matching.population import read_population
from sitejobs.matching.search import World
from sitejobs.matching.snapshot import take_snapshot
from sitejobs.matching.snapshot_file import StoredSnapshot, write_snapshot
from sitejobs.matching.users import Users, concatenate
from sitejobs.matching.world import open_world
from tests.fakes import FolderWorkStore
from tests.matching.random_sites import NOW

LATER = timedelta(days=5)
"""Searches may use a snapshot that is not of today."""


@dataclass(frozen=True)
class Opened:
    """A world at `now`, and everyone who is a viewer in it."""

    world: World
    viewers: Users
    parameters: Parameters
    now: float

    @property
    def blocks(self) -> list[Candidates]:
        return [self.world.block(index) for index in range(len(self.world.bounds))]

    def exact(self, index: int) -> Pairs:
        """All pairs of a viewer and a member of the block, (v * n,), viewer by viewer."""
        users = self.world.block(index).users
        viewer, candidate = all_pairs(len(self.viewers), len(users))
        return score_pairs(self.viewers, users, viewer, candidate, self.now, self.parameters)

    def exact_keys(self, pairs: Pairs) -> NDArray[np.float64]:
        return pairs.score + tier_step(self.parameters) * pairs.tier_a


def all_pairs(rows: int, columns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.repeat(np.arange(rows), columns), np.tile(np.arange(columns), rows)


def open_site(
    connection: Connection, folder: Path, block_size: int, top_k: int = 200, later: timedelta = timedelta()
) -> Opened:
    """Take the site's snapshot at `NOW`, store it, and open it some time `later`."""
    parameters = Parameters(top_k=top_k)
    population = read_population(connection, NOW)
    snapshot = take_snapshot(population, np.empty(0, np.int64), NOW.timestamp(), parameters, block_size)
    write_snapshot(snapshot, folder / "written")
    store = FolderWorkStore(folder / "store")
    key = f"snapshots/{block_size}"
    store.put_file(key, folder / "written")
    now = (NOW + later).timestamp()
    world = open_world(StoredSnapshot(store, key), now, parameters)
    return Opened(world, concatenate(snapshot.blocks), parameters, now)
