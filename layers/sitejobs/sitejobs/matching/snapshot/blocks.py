"""The order of people in a snapshot: neighbours on the map stand together, the most promising of them first.

A block of neighbours lies near or far as a whole, and a block of one gender and of similar quality is wanted or
not as a whole: the better people are sorted, the more blocks a search can skip (`bounds.py`).
"""

import numpy as np

from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.matching.scoring.users import Users

BLOCKS_A_REGION = 16
"""Blocks cut from one region of the map, where people are sorted by trait keys, gender and static score."""


def ordered(users: Users, static: Floats, block_size: int) -> list[Indices]:
    """Cut the users into blocks: indices of each block's users, at most `block_size` in one.

    `static`: (n,) the part of a score that depends on the candidate alone.
    """
    size = block_size * BLOCKS_A_REGION
    placed = np.flatnonzero(users.has_place)
    unplaced = np.flatnonzero(~users.has_place)
    unplaced = unplaced[np.lexsort((users.ids[unplaced], users.place[unplaced]))]
    regions = _regions(users.xyz, placed, size)
    regions += [unplaced[start : start + size] for start in range(0, len(unplaced), size)]
    masks = _mask_order(users)
    blocks = []
    for region in regions:
        region = region[np.lexsort((users.ids[region], -static[region], users.gender[region], masks[region]))]
        blocks += [region[start : start + block_size] for start in range(0, len(region), block_size)]
    return blocks


def _mask_order(users: Users) -> Indices:
    """(n,) a number for each set of trait keys, so that equal sets stand together: the most frequent ones first."""
    if not users.traits.shape[1]:
        return np.zeros(len(users), np.int64)
    packed = np.packbits(~np.isnan(users.traits), axis=1)
    keys, members, counts = np.unique(packed, axis=0, return_inverse=True, return_counts=True)
    order = np.empty(len(keys), np.int64)
    order[np.lexsort((np.arange(len(keys)), -counts))] = np.arange(len(keys))
    return np.asarray(order[members.reshape(-1)])


def _regions(xyz: Floats, members: Indices, size: int) -> list[Indices]:
    """Halve the members along their widest axis until no part has more than `size` (a k-d tree's leaves)."""
    waiting, regions = [members], []
    while waiting:
        part = waiting.pop()
        if len(part) <= size:
            regions += [part] if len(part) else []
            continue
        points = xyz[part]
        axis = int(np.ptp(points, axis=0).argmax())
        # A multiple of `size` on the left keeps the leaves full.
        middle = max(1, round(len(part) / size / 2)) * size
        order = np.argsort(points[:, axis], kind="stable")
        waiting += [part[order[middle:]], part[order[:middle]]]
    return regions
