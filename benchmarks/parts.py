"""The parts of a run, each by itself on one thread, measured in a process of its own: `python -m benchmarks.parts`.

Reads DATABASE_URL, prints `PartFigures` as JSON; with the path of a snapshot of the site `SearchFigures` of its pages.
"""

import json
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from psycopg import Connection

from benchmarks import plain
from benchmarks.figures import PartFigures, SearchFigures
from sitejobs.matching.match_scores.lists import encode_lists, without_spares
from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users, concatenate
from sitejobs.matching.snapshot.candidates import open_pool
from sitejobs.matching.snapshot.exclusions import excluded
from sitejobs.matching.snapshot.file import StoredSnapshot, write_snapshot
from sitejobs.matching.snapshot.population import read_population
from sitejobs.matching.snapshot.snapshot import take_snapshot, vocabulary_of
from sitejobs.matching.topk.bounds import Bounds
from sitejobs.matching.topk.exclusions import Exclusions
from sitejobs.matching.topk.group import Prospects, Work
from sitejobs.matching.topk.keys import tier_step
from sitejobs.matching.topk.pool import CandidatePool
from sitejobs.matching.topk.search import GROUP_VIEWERS, Matches, search
from sitejobs.matching.topk.segment import Segment
from sitejobs.postgres.connection import connect

PAGE_VIEWERS = 100
"""batchSize as it is by default."""
BLOCK_USERS = 500
"""candidateBatchSize as it is by default."""
SAMPLED_PAGES, FEW_PAGES, LARGE = 24, 6, 300_000
"""How many pages are measured, and how many on a site of more than so many users, where one takes seconds."""
PLAIN_PAIRS = 200_000_000
"""Most pairs that the plain screening runs for; beyond, it runs for a sample of the viewers."""
MANY_BLOCKS = 20_000
"""Blocks of ten million candidates."""
TOLERANCE = 1e-5


class OneFile:
    """A work store that holds one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put_file(self, key: str, path: Path) -> None:
        raise NotImplementedError("the file is there already")

    def size(self, key: str) -> int:
        return self._path.stat().st_size

    def read(self, key: str, start: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(length)


@dataclass(frozen=True)
class Opened:
    """A stored snapshot, and the pool that it holds, at `now`."""

    stored: StoredSnapshot
    pool: CandidatePool
    moment: datetime
    parameters: Parameters

    @classmethod
    def of(cls, path: Path) -> "Opened":
        stored, parameters = StoredSnapshot(OneFile(path), "snapshot"), Parameters()
        return cls(
            stored, open_pool(stored, stored.now, parameters), datetime.fromtimestamp(stored.now, UTC), parameters
        )

    @property
    def now(self) -> float:
        return self.moment.timestamp()

    def viewers(self, start: int, stop: int) -> Users:
        return concatenate([users.take(rows) for users, rows in self.stored.at(start, min(stop, self.stored.users))])


@dataclass(frozen=True)
class Pages:
    """What a sample of pages took, all together."""

    pages: int
    seconds: float
    segment_seconds: float
    touched: float
    work: Work


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    found: PartFigures | SearchFigures
    with connect(os.environ["DATABASE_URL"]) as connection, tempfile.TemporaryDirectory() as folder:
        if arguments:
            found = measure_pages(connection, Path(arguments[0]))
        else:
            found = measure(connection, Path(folder) / "snapshot")
    print(json.dumps(asdict(found)))
    return 0


def measure(connection: Connection, path: Path) -> PartFigures:
    """Take a snapshot of the site to `path`, and the time of it and of comparing everybody with everybody."""
    moment, parameters = datetime.now(UTC), Parameters()
    started = time.perf_counter()
    population = read_population(connection, moment)
    read = time.perf_counter() - started
    nobody = np.empty(0, np.int64)
    write_snapshot(take_snapshot(population, nobody, moment.timestamp(), parameters, BLOCK_USERS), path)
    taken = time.perf_counter() - started
    del population
    opened = Opened.of(path)
    plain_seconds, plain_viewers = _plain(opened)
    return PartFigures(
        viewers=opened.stored.users,
        candidates=opened.stored.candidates,
        read_seconds=read,
        snapshot_seconds=taken,
        snapshot_bytes=path.stat().st_size,
        plain_seconds=plain_seconds,
        plain_viewers=plain_viewers,
    )


def measure_pages(connection: Connection, path: Path) -> SearchFigures:
    """The times of pages from all over a snapshot of the site."""
    opened = Opened.of(path)
    pages = _pages(connection, opened)
    cell_bytes, cell_seconds = _cells(opened)
    return SearchFigures(
        pages=pages.pages,
        page_viewers=PAGE_VIEWERS,
        page_seconds=pages.seconds / pages.pages,
        segment_seconds=pages.segment_seconds / opened.stored.candidates,
        touched=pages.touched,
        looked_at=pages.work.looked_at / pages.work.pairs,
        scored=pages.work.scored / pages.work.pairs,
        cell_bytes=cell_bytes,
        cell_seconds=cell_seconds,
    )


def _pages(connection: Connection, opened: Opened) -> Pages:
    """Search and encode pages from all over the snapshot."""
    started = time.process_time()
    segments = [opened.pool.segment(index) for index in range(len(opened.pool.segments) - 1)]
    segment_seconds = time.process_time() - started
    starts = list(range(0, opened.stored.users - PAGE_VIEWERS + 1, PAGE_VIEWERS)) or [0]
    pages = FEW_PAGES if opened.stored.users > LARGE else SAMPLED_PAGES
    sample = [starts[at] for at in np.unique(np.linspace(0, len(starts) - 1, pages).astype(int)).tolist()]
    work, seconds, touched = Work(), 0.0, 0
    for start in sample:
        viewers = opened.viewers(start, start + PAGE_VIEWERS)
        exclusions = _exclusions(connection, opened, viewers)
        used: set[int] = set()

        def segment(index: int, used: set[int] = used) -> Segment:
            used.add(index)
            return segments[index]

        begun = time.process_time()
        pool = replace(opened.pool, segment=segment)
        more = replace(opened.parameters, top_k=opened.parameters.top_k + opened.parameters.spares)
        matches = search(viewers, pool, exclusions, opened.now, more, work)
        _encode(opened, matches, viewers)
        seconds += time.process_time() - begun
        touched += sum(len(segments[index].users) for index in used)
    return Pages(len(sample), seconds, segment_seconds, touched / len(sample), work)


def _exclusions(connection: Connection, opened: Opened, viewers: Users) -> Exclusions:
    """A viewer's own pair, those that are blocked and those that are decided."""
    order = np.argsort(viewers.ids)
    barred = excluded(connection, viewers.ids[order], opened.parameters, opened.moment)
    own = Exclusions(np.arange(len(viewers)), viewers.ids)
    return own.plus(order[np.searchsorted(viewers.ids, barred.user, sorter=order)], barred.other)


def _encode(opened: Opened, matches: Matches, viewers: Users) -> bytes:
    interests = opened.stored.dictionaries.interests[:, 1]
    found, parameters = without_spares(matches, opened.parameters.top_k), opened.parameters
    return b"".join(it.row for it in encode_lists(*found, viewers, interests, opened.moment, parameters))


def _plain(opened: Opened) -> tuple[float, int]:
    """Seconds of the plain screening for everyone, and of how many viewers they were measured."""
    stored, parameters = opened.stored, opened.parameters
    dictionaries = stored.dictionaries
    bits = vocabulary_of(dictionaries) or InterestBits(np.arange(len(dictionaries.interests), dtype=np.int32))
    candidates = plain.Side.of(opened.viewers(0, stored.candidates), bits, opened.now, parameters)
    count = min(stored.users, max(PAGE_VIEWERS, PLAIN_PAIRS // stored.candidates))
    everyone = opened.viewers(0, stored.users)
    sample = everyone.take(np.linspace(0, stored.users - 1, count).astype(np.int64))
    viewers = plain.Side.of(sample, bits, opened.now, parameters).cut(plain.VIEWERS_AT_A_TIME)
    blocks = candidates.cut(plain.BLOCK_USERS)
    started = time.perf_counter()
    best = plain.best_keys(viewers, blocks, parameters)
    seconds = time.perf_counter() - started
    _compare(opened, viewers[0].users, best[0])
    return seconds * stored.users / count, count


def _compare(opened: Opened, viewers: Users, keys: plain.Singles) -> None:
    """Check that the plain screening finds what the search finds; else its time means nothing."""
    own = Exclusions(np.arange(len(viewers)), viewers.ids)
    matches = search(viewers, opened.pool, own, opened.now, opened.parameters)
    found = np.full(keys.shape, -np.inf)
    pairs = matches.pairs
    found[pairs.viewer, matches.rank - 1] = pairs.score + tier_step(opened.parameters) * pairs.tier_a
    if not np.allclose(found, keys, rtol=0, atol=TOLERANCE):
        raise AssertionError("the plain kernel and the search differ")


def _cells(opened: Opened) -> tuple[float, float]:
    """Bytes and seconds that a viewer and a block cost a group of viewers on a site of ten million candidates."""
    viewers = opened.viewers(0, GROUP_VIEWERS)
    bounds = opened.pool.bounds
    many = np.arange(MANY_BLOCKS) % len(bounds)
    tiled = Bounds(**{item.name: getattr(bounds, item.name)[many] for item in fields(Bounds)})
    cells = len(viewers) * MANY_BLOCKS
    started = time.process_time()
    Prospects.of(viewers, tiled, opened.parameters)
    seconds = time.process_time() - started
    tracemalloc.start()
    Prospects.of(viewers, tiled, opened.parameters)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / cells, seconds / cells


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
