"""A pool too large to be kept in memory: its segments are laid out one at a time, and groups of viewers share them."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.candidates import open_pool
from sitejobs.matching.snapshot.file import BLOCKS_AT_ONCE, StoredSnapshot, write_snapshot
from sitejobs.matching.snapshot.population import read_population
from sitejobs.matching.snapshot.snapshot import Snapshot, take_snapshot
from sitejobs.matching.topk.exclusions import Exclusions
from sitejobs.matching.topk.group import Work
from sitejobs.matching.topk.search import GROUP_VIEWERS, search
from sitejobs.matching.topk.segment import Segment
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database
from tests.fakes import FolderWorkStore
from tests.matching.random_sites import NOW

USERS, SEGMENT_USERS, PARAMETERS = 1300, 200, Parameters(top_k=10)


@pytest.fixture(scope="module")
def stored(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoredSnapshot]:
    folder = tmp_path_factory.mktemp("snapshot")
    with site_database(postgres_server) as url, connect(url) as connection:
        load(connection, generate(USERS, 5, NOW))
        write_snapshot(snapshot_of(connection), folder / "snapshot")
    yield StoredSnapshot(FolderWorkStore(folder), "snapshot")


def snapshot_of(connection: Connection) -> Snapshot:
    return take_snapshot(read_population(connection, NOW), np.empty(0, np.int64), NOW.timestamp(), PARAMETERS, 20)


def test_it_finds_the_same_for_all_viewers_together_as_for_some_at_a_time(stored: StoredSnapshot) -> None:
    now, viewers = NOW.timestamp(), stored.users_at(np.arange(stored.users))
    large = open_pool(stored, now, PARAMETERS, ready_users=0, segment_users=SEGMENT_USERS)
    kept = open_pool(stored, now, PARAMETERS)
    assert len(viewers) > 2 * GROUP_VIEWERS
    work = Work()
    own = Exclusions(np.arange(len(viewers)), viewers.ids)
    together = search(viewers, large, own, now, PARAMETERS, work)
    assert work.pairs == len(viewers) * stored.candidates
    for rows in np.array_split(np.arange(len(viewers)), 5):
        some = viewers.take(rows)
        found = search(some, kept, Exclusions(np.arange(len(some)), some.ids), now, PARAMETERS)
        of_these = np.isin(together.pairs.viewer, rows)
        assert np.array_equal(together.pairs.viewer[of_these], rows[found.pairs.viewer])
        assert np.array_equal(together.rank[of_these], found.rank)
        assert np.array_equal(together.pairs.score[of_these], found.pairs.score)
        ids = together.candidates.ids[together.pairs.candidate[of_these]]
        assert np.array_equal(ids, found.candidates.ids[found.pairs.candidate])


def test_no_more_than_two_segments_are_in_memory(stored: StoredSnapshot) -> None:
    """The one that is shown, and the next one while it is laid out."""
    pool = open_pool(stored, NOW.timestamp(), PARAMETERS, ready_users=0, segment_users=SEGMENT_USERS)
    made: list[weakref.ref[Segment]] = []
    most = 0

    def segment(number: int) -> Segment:
        nonlocal most
        laid_out = pool.segment(number)
        made.append(weakref.ref(laid_out))
        gc.collect()
        most = max(most, sum(it() is not None for it in made))
        return laid_out

    viewers = stored.users_at(np.arange(40))
    own = Exclusions(np.arange(40), viewers.ids)
    search(viewers, replace(pool, segment=segment), own, NOW.timestamp(), PARAMETERS)
    assert len(made) >= 5
    assert most <= 2


def test_users_are_taken_from_many_blocks_in_the_order_of_their_positions(stored: StoredSnapshot) -> None:
    everyone = np.concatenate([stored.block(block).ids for block in range(len(stored.starts) - 1)])
    random = np.random.default_rng(1)
    for count in (0, 1, 7, 300, stored.users):
        positions = np.sort(random.choice(stored.users, count, replace=False))
        assert np.array_equal(stored.users_at(positions).ids, everyone[positions])
    assert len(stored.starts) > 2 * BLOCKS_AT_ONCE
