"""The order of people in a snapshot: neighbours on the map stand together, the most promising of them first.

A block of neighbours lies near or far as a whole, and a block of one gender and of similar quality is wanted or
not as a whole, and so does one whose members all look for the same: the better people are sorted, the more blocks a
search can skip (`bounds.py`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.users import Users

BLOCKS_A_REGION = 16
"""Blocks cut from one region of the map: people sorted by trait keys, gender, wanted genders and static score."""


@dataclass(frozen=True)
class Keys:
    """What n people are ordered by: less than 100 bytes each, where `Users` has hundreds.

    static : (n,) the part of a score that depends on the candidate alone.
    kind : (n,) number of the set of trait keys that the user has, ascending with the sets (`kinds_of`).
    The others are as in `Users`.
    """

    ids: NDArray[np.int64]
    visible: NDArray[np.bool_]
    xyz: NDArray[np.float64]
    place: NDArray[np.int64]
    gender: NDArray[np.int8]
    wants: NDArray[np.int16]
    static: Floats
    kind: NDArray[np.int32]


def keys_of(users: Users, static: Floats, kind: NDArray[np.int32]) -> Keys:
    """The keys of these users."""
    return Keys(users.ids, users.visible, users.xyz, users.place, users.gender, users.wants, static, kind)


def groups_of(keys: Keys, block_size: int) -> tuple[list[Indices], list[Indices]]:
    """The blocks of the candidates, then those of the viewers who are no candidates: indices of each block's users."""
    visible, hidden = np.flatnonzero(keys.visible), np.flatnonzero(~keys.visible)
    return ordered(keys, visible, block_size), ordered(keys, hidden, block_size)


def ordered(keys: Keys, members: Indices, block_size: int) -> list[Indices]:
    """Cut the members, ascending, into blocks of at most `block_size` users each."""
    size = block_size * BLOCKS_A_REGION
    has_place = ~np.isnan(keys.xyz[members, 0])
    placed, unplaced = members[has_place], members[~has_place]
    unplaced = unplaced[np.lexsort((keys.ids[unplaced], keys.place[unplaced]))]
    regions = _regions(keys.xyz, placed, size)
    regions += [unplaced[start : start + size] for start in range(0, len(unplaced), size)]
    rank = _frequent_first(keys.kind[members])
    blocks = []
    for region in regions:
        wishes = keys.wants[region], keys.gender[region], rank[keys.kind[region]]
        order = np.lexsort((keys.ids[region], -keys.static[region], *wishes))
        region = region[order]
        blocks += [region[start : start + block_size] for start in range(0, len(region), block_size)]
    return blocks


def trait_sets(traits: NDArray[np.float32]) -> Flags:
    """(n, K) values, NaN where a user lacks the key -> which keys each has."""
    return ~np.isnan(traits)


def kinds_of(sets: Flags) -> tuple[Flags, NDArray[np.int32]]:
    """(n, K) -> the different rows in ascending order, and for each row which of them it is."""
    if not sets.shape[1]:
        return sets[:1], np.zeros(len(sets), np.int32)
    packed, kind = np.unique(np.packbits(sets, axis=1), axis=0, return_inverse=True)
    return np.unpackbits(packed, axis=1, count=sets.shape[1]).astype(bool), kind.reshape(-1).astype(np.int32)


def _frequent_first(kind: NDArray[Any]) -> Indices:
    """A rank for each number up to the largest: the most frequent first, of equally frequent ones the lower."""
    counts = np.bincount(kind)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return rank


def _regions(xyz: Floats, members: Indices, size: int) -> list[Indices]:
    """Halve the members along their widest axis until no part has more than `size` (a k-d tree's leaves)."""
    waiting, regions = [members], []
    while waiting:
        part = waiting.pop()
        if len(part) <= size:
            regions += [part] if len(part) else []
            continue
        # Axis by axis: of ten million people all three would be 240 MB more.
        axis = int(np.argmax([np.ptp(xyz[part, axis]) for axis in range(3)]))
        # A multiple of `size` on the left keeps the leaves full.
        middle = max(1, round(len(part) / size / 2)) * size
        part = part[np.argsort(xyz[part, axis], kind="stable")]
        waiting += [part[middle:], part[:middle]]
    return regions
