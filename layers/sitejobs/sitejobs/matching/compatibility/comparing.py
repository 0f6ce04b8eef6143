"""Compares a page's viewers with all their targets, TARGETS_AT_ONCE targets in memory at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from psycopg import Connection

from sitejobs.matching.compatibility import people
from sitejobs.matching.compatibility.people import Codes, Packed
from sitejobs.matching.compatibility.scoring import Scores, joined, score_pairs
from sitejobs.matching.compatibility.targets import Targets
from sitejobs.matching.scoring.arrays import Indices

TARGETS_AT_ONCE = 10_000
"""Targets compared at a time, even if a query loads fewer: with few rows numpy's fixed cost of a call dominates."""


@dataclass(frozen=True)
class Compared:
    """The rows of n viewers, ids ascending.

    hashes : (n,) of each viewer's inputs. counts: (n,) number of targets. totals: n sums of the targets' hashes.
    scores : all pairs, by viewer and target. interest_ids: code -> id of the interest.
    """

    viewers: Indices
    hashes: Indices
    counts: Indices
    totals: list[int]
    scores: Scores
    interest_ids: Indices


def compare(connection: Connection, found: Targets, at_a_time: int) -> Compared:
    """Load viewers and targets (`at_a_time` targets a query), and compare all pairs but those with deleted targets."""
    changed = np.setdiff1d(found.viewers, people.still_here(connection, found.viewers))
    packed = people.load(connection, found.viewers, changed)
    order = np.argsort(packed.ids)
    codes = Codes.of(packed)
    viewers = people.encode(packed, codes, viewers=True)
    counts, totals = np.zeros(len(found.viewers), np.int64), [0] * len(found.viewers)
    by_target = np.argsort(found.target, kind="stable")
    parts = []
    for targets in _loaded(connection, np.unique(found.target), at_a_time):
        pairs, target = _pairs_with(targets, found.target, by_target)
        viewer = found.viewer[pairs]
        counts += np.bincount(viewer, minlength=len(counts))
        totals = [a + b for a, b in zip(totals, _sums(viewer, targets.target_hash[target], len(counts)), strict=True)]
        parts.append(score_pairs(viewers, people.encode(targets, codes), order[viewer], target))
    return Compared(found.viewers, packed.viewer_hash[order], counts, totals, joined(parts), codes.interests[:, 1])


def _loaded(connection: Connection, ids: Indices, at_a_time: int) -> Iterator[Packed]:
    """The undeleted users in groups of up to `TARGETS_AT_ONCE`, or `at_a_time` if that is more; one group at least."""
    at_once = max(TARGETS_AT_ONCE, at_a_time)
    for start in range(0, max(len(ids), 1), at_once):
        here = people.still_here(connection, ids[start : start + at_once])
        parts = range(0, max(len(here), 1), at_a_time)
        yield people.joined([people.load(connection, here[part : part + at_a_time]) for part in parts])


def _pairs_with(targets: Packed, wanted: Indices, order: Indices) -> tuple[Indices, Indices]:
    """Indices of the `wanted` ids that are among the targets, and each one's row there. `order` sorts `wanted`."""
    rows = np.flatnonzero(targets.is_target)
    rows = rows[np.argsort(targets.ids[rows])]
    if not len(rows):
        return rows, rows
    known, ascending = targets.ids[rows], wanted[order]
    first, last = np.searchsorted(ascending, known[0]), np.searchsorted(ascending, known[-1], side="right")
    pairs = order[first:last]
    at = np.searchsorted(known, wanted[pairs])
    here = known[at] == wanted[pairs]
    return pairs[here], rows[at[here]]


def _sums(owners: Indices, values: Indices, count: int) -> list[int]:
    """Exact sums of 64-bit numbers by owner. The 32-bit halves are summed apart, as doubles hold their sums exactly."""
    low = np.bincount(owners, values & 0xFFFFFFFF, minlength=count).astype(np.int64).tolist()
    high = np.bincount(owners, values >> 32, minlength=count).astype(np.int64).tolist()
    return [(a << 32) + b for a, b in zip(high, low, strict=True)]
