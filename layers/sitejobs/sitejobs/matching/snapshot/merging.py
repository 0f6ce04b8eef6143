"""Makes a snapshot of its parts: orders everybody by a few columns, then writes the blocks, some at a time.

Neighbours on the map come from all parts. So each part is taken apart once, into one file for each band of
positions, and each band is put in order by itself. Neither the parts nor the snapshot are ever in memory as a whole.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users, concatenate
from sitejobs.matching.snapshot.blocks import Keys, groups_of
from sitejobs.matching.snapshot.encoding import merged_dictionaries
from sitejobs.matching.snapshot.file import SnapshotWriter, write_users
from sitejobs.matching.snapshot.layout import padding, users_of
from sitejobs.matching.snapshot.parts import read_part, read_users, take_keys
from sitejobs.matching.topk.bounds import Bounds, bounds_of, joined_bounds
from sitejobs.workstore import WorkStore

BAND_USERS = 65_536
"""Users of a band, about: it is in memory three times, with some hundred bytes a user."""


def merge_parts(
    store: WorkStore,
    part_keys: Sequence[str],
    path: Path,
    gone: Indices,
    now: float,
    parameters: Parameters,
    block_size: int,
    band_users: int = BAND_USERS,
) -> None:
    """Write the snapshot that the whole population would give, bit by bit.

    path : of the file to write. Its folder needs room for the snapshot and, meanwhile, once more for its users.
    gone : ids that have rows of an earlier run but are no viewers any more.
    """
    parts = [read_part(store, key) for key in part_keys]
    dictionaries = merged_dictionaries([(part.dictionaries, part.interest_counts) for part in parts])
    sizes = [len(part.keys["ids"]) for part in parts]
    without_profile = np.union1d(np.concatenate([part.without_profile for part in parts]), gone)
    plan = _planned(take_keys(parts, dictionaries), block_size, band_users)
    bands = [_Band(path.parent / f"band-{number}") for number in range(len(plan.bands) - 1)]
    first = 0
    for key, part, size in zip(part_keys, parts, sizes, strict=True):
        _take_apart(read_users(store, key, part, dictionaries), plan.positions[first : first + size], plan, bands)
        first += size
    with path.open("wb") as file:
        writer = SnapshotWriter(file, int(plan.starts[-1]))
        bounds = _write_blocks(writer, plan, bands, len(dictionaries.traits))
        writer.finish(now, parameters, dictionaries, bounds, without_profile)


@dataclass(frozen=True)
class _Plan:
    """Where everybody goes.

    positions : (n,) of each user, part after part. static: by position.
    starts : (b + 1,) position of each block's first user; the first `candidate_blocks` hold the candidates.
    bands : block of each band's first user, and the number of blocks.
    """

    positions: Indices
    static: Floats
    starts: Indices
    candidate_blocks: int
    bands: Indices

    @property
    def edges(self) -> Indices:
        """Position of each band's first user, and the number of users."""
        return self.starts[self.bands]


@dataclass
class _Band:
    """A file of users whose positions follow each other; each part has appended its own."""

    path: Path
    lengths: list[list[int]] = field(default_factory=list)
    positions: list[Indices] = field(default_factory=list)

    def append(self, users: Users, positions: Indices) -> None:
        with self.path.open("ab") as file:
            self.lengths.append(write_users(file, users))
        self.positions.append(positions)

    def take(self, traits: int) -> Users:
        """The users in the order of their positions; the file goes."""
        data, at, found = self.path.read_bytes(), 0, []
        self.path.unlink()
        for lengths in self.lengths:
            sizes = np.array(lengths, np.int64)
            found.append(users_of(data, at, sizes, traits))
            at += int((sizes + padding(sizes)).sum())
        return concatenate(found).take(np.argsort(np.concatenate(self.positions)))


def _planned(keys: Keys, block_size: int, band_users: int) -> _Plan:
    visible, hidden = groups_of(keys, block_size)
    blocks = visible + hidden
    starts = np.cumsum([0, *(len(rows) for rows in blocks)], dtype=np.int64)
    order = np.concatenate([np.empty(0, np.int64), *blocks])
    positions = np.empty(len(order), np.int64)
    positions[order] = np.arange(len(order))
    band = starts[:-1] // band_users
    bands = np.append(np.flatnonzero(np.diff(band, prepend=-1)), len(blocks))
    return _Plan(positions, keys.static[order], starts, len(visible), bands)


def _take_apart(users: Users, positions: Indices, plan: _Plan, bands: list[_Band]) -> None:
    """Append a part's users to the bands in which they belong."""
    order = np.argsort(positions)
    cuts = np.searchsorted(positions[order], plan.edges)
    for number, band in enumerate(bands):
        rows = order[cuts[number] : cuts[number + 1]]
        if len(rows):
            band.append(users.take(rows), positions[rows])


def _write_blocks(writer: SnapshotWriter, plan: _Plan, bands: list[_Band], traits: int) -> Bounds:
    """Write all blocks; returns the bounds of the candidates'."""
    bounds = [bounds_of([], [])]
    for number, band in enumerate(bands):
        users, first = band.take(traits), int(plan.edges[number])
        edges = plan.starts[plan.bands[number] : plan.bands[number + 1] + 1].tolist()
        ranges = list(itertools.pairwise(edges))
        blocks = [users.take(np.arange(start - first, stop - first)) for start, stop in ranges]
        for block in blocks:
            writer.add(block)
        candidates = max(0, plan.candidate_blocks - int(plan.bands[number]))
        static = [plan.static[start:stop] for start, stop in ranges[:candidates]]
        bounds.append(bounds_of(blocks[:candidates], static))
    return joined_bounds(bounds)
