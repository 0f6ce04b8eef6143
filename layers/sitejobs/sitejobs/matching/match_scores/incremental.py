"""A page of an incremental run: viewers whose own inputs changed are scored anew, for the others only the candidates
that changed are scored and merged into their stored rows.
"""

from dataclasses import dataclass
from typing import Final, LiteralString

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.match_scores import visibility
from sitejobs.matching.match_scores.changes import Changes
from sitejobs.matching.match_scores.page_run import PageRun
from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.pair_scores import score_pairs
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.snapshot.file import StoredSnapshot
from sitejobs.matching.topk.screening import MARGIN, Screening, tier_step
from sitejobs.matching.topk.search import CHUNK_USERS, Matches, gather, ranked
from sitejobs.matching.topk.segment import Segment
from sitejobs.postgres.columns import fetch_columns

_READ_VIEWERS_WITH_INVALID_ROWS: Final[LiteralString] = """
SELECT DISTINCT "userId" FROM "MatchScore" WHERE "userId" = ANY(%(ids)s) AND "candidateUserId" = ANY(%(left)s)
"""
"""Viewers with a stored row of one of the candidates `left`."""

_READ_LAST_ROWS: Final[LiteralString] = """
SELECT "userId", "score", ("tier" = 'A')::int AS "tierA" FROM "MatchScore"
WHERE "userId" = ANY(%(ids)s) AND "rank" = %(rank)s
"""
"""Reads the viewers' rows of this rank: with `rank` = top K only viewers with a full list have one."""

_READ_PAIRS: Final[LiteralString] = """
SELECT "userId", "candidateUserId" FROM "MatchScore" WHERE "userId" = ANY(%(ids)s)
"""
"""Reads the viewers' stored pairs."""


@dataclass(frozen=True)
class Refreshed:
    """Outcome for viewers whose own inputs are as they were; all index the given viewers.

    matches : merged lists; `changed`: whose they are. again: viewers who lost a row and must be scored anew.
    """

    matches: Matches
    changed: Indices
    again: Indices


def refresh(page: PageRun, viewers: Users, changes: Changes) -> Refreshed:
    """Merge changed candidates into the stored rows of the viewers."""
    connection, pool, parameters = page.connection, page.pool, page.parameters
    order = np.argsort(viewers.ids)

    def rows_of(ids: Indices) -> Indices:
        return order[np.searchsorted(viewers.ids, ids, sorter=order)]

    last = fetch_columns(
        connection,
        _READ_LAST_ROWS,
        {"ids": viewers.ids, "rank": parameters.top_k},
        {"userId": "int8", "score": "float8", "tierA": "int4"},
    )
    # A list that is not full holds every candidate: whoever is new enters.
    threshold = np.full(len(viewers), -np.inf, np.float32)
    full = rows_of(last["userId"])
    threshold[full] = last["score"] + tier_step(parameters) * last["tierA"] - MARGIN
    entering, candidate = _entering(page, viewers, gather(viewers, pool, changes.candidates), threshold)
    held = fetch_columns(
        connection, _READ_VIEWERS_WITH_INVALID_ROWS, {"ids": viewers.ids, "left": changes.left}, {"userId": "int8"}
    )
    affected = np.union1d(entering, rows_of(held["userId"]))
    kept = fetch_columns(
        connection, _READ_PAIRS, {"ids": viewers.ids[affected]}, {"userId": "int8", "candidateUserId": "int8"}
    )
    stays = ~np.isin(kept["candidateUserId"], changes.left)
    at, known = _at(page.snapshot, kept["candidateUserId"][stays])
    row = np.concatenate([rows_of(kept["userId"][stays])[known], entering])
    position = np.concatenate([at[known], changes.candidates[candidate]])
    return _merged(page, viewers, affected, full, row, position)


def _merged(
    page: PageRun, viewers: Users, affected: Indices, full: Indices, row: Indices, position: Indices
) -> Refreshed:
    """Score pairs of a viewer's row and a candidate's position anew, and rank them."""
    connection, top_k = page.connection, page.parameters.top_k
    distinct, candidate = np.unique(position, return_inverse=True)
    candidates = gather(viewers, page.pool, distinct)
    order = np.argsort(row, kind="stable")
    pairs = score_pairs(viewers, candidates, row[order], candidate[order], page.now, page.parameters)
    matches = ranked(candidates, pairs, top_k)
    counts = np.bincount(matches.pairs.viewer, minlength=len(viewers))
    lost = np.zeros(len(viewers), bool)
    lost[full] = counts[full] < top_k
    # Hidden, deleted or blocked since the snapshot: rare, and scored anew.
    gone = np.setdiff1d(candidates.ids, visibility.still_candidates(connection, candidates.ids))
    chosen = matches.candidates.ids[matches.pairs.candidate]
    lost[matches.pairs.viewer[np.isin(chosen, gone)]] = True
    blocker, other = visibility.blocked_pairs(connection, viewers.ids[affected])
    blocked = set(zip(blocker.tolist(), other.tolist(), strict=True))
    if blocked:
        found = zip(viewers.ids[matches.pairs.viewer].tolist(), chosen.tolist(), strict=True)
        lost[matches.pairs.viewer[np.fromiter((pair in blocked for pair in found), bool, len(chosen))]] = True
    again = affected[lost[affected]]
    stays = np.flatnonzero(~lost[matches.pairs.viewer])
    kept = Matches(matches.candidates, matches.pairs.take(stays), matches.rank[stays])
    return Refreshed(kept, affected[~lost[affected]], again)


def _entering(page: PageRun, viewers: Users, changed: Users, threshold: NDArray[np.float32]) -> tuple[Indices, Indices]:
    """Pairs of a viewer and a changed candidate whose key reaches the viewer's threshold."""
    empty = np.empty(0, np.int64)
    if not len(changed):
        return empty, empty
    pool, parameters = page.pool, page.parameters
    screening = Screening(viewers, parameters, pool.bits, pool.popularity)
    prepared = screening.prepare(Segment.of(changed, page.now, parameters, pool.bits, pool.popularity))
    rows, found = np.arange(len(viewers)), [(empty, empty)]
    for start in range(0, len(changed), CHUNK_USERS):
        columns = slice(start, min(start + CHUNK_USERS, len(changed)))
        oneself = viewers.ids[:, None] == changed.ids[columns][None, :]
        pairs = screening.resolved(
            screening.above_threshold(rows, prepared, columns, threshold, near=True, left_out=oneself), prepared
        )
        pairs = pairs.take(pairs.key >= threshold[pairs.viewer])
        found.append((pairs.viewer, pairs.candidate))
    viewer, candidate = (np.concatenate(column) for column in zip(*found, strict=True))
    return viewer, candidate


def _at(stored: StoredSnapshot, ids: Indices) -> tuple[Indices, NDArray[np.bool_]]:
    """Positions of candidates by id, and whether they are there."""
    known_ids, positions = stored.candidates_by_id
    if not len(positions):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
    at = np.minimum(np.searchsorted(known_ids, ids), len(known_ids) - 1)
    return positions[at], known_ids[at] == ids
