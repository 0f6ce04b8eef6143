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
from sitejobs.postgres.columns import fetch_lists

_READ_LISTS: Final[LiteralString] = """
SELECT "userId", "candidateUserId", COALESCE("score"[%(rank)s::int], '-Infinity') AS "score",
       ("tierA" >= %(rank)s)::int AS "isTierA"
FROM "MatchList" WHERE "userId" = ANY(%(ids)s)
"""
"""Reads the viewers' lists, and score and tier of the match of this rank: with `rank` = top K of full lists alone."""


@dataclass(frozen=True)
class Refreshed:
    """Outcome for viewers whose own inputs are as they were; all index the given viewers.

    matches : merged lists; `changed`: whose they are. again: viewers who lost a row and must be scored anew.
    """

    matches: Matches
    changed: Indices
    again: Indices


@dataclass(frozen=True)
class _Stored:
    """The stored lists of some viewers: pairs of a viewer's row and a candidate's id; `full`: rows of full lists.

    threshold : (v,) key of the last match of a full list, less rounding. Other lists hold every candidate: whoever is
    new enters.
    """

    row: Indices
    candidate_id: Indices
    full: Indices
    threshold: NDArray[np.float32]


def refresh(page: PageRun, viewers: Users, changes: Changes) -> Refreshed:
    """Merge changed candidates into the stored lists of the viewers."""
    stored = _stored_lists(page, viewers)
    # A list that was not rewritten says a little too much of its last match.
    lowered = stored.threshold - np.float32(page.rewrite_epsilon)
    entering, candidate, key = _entering(page, viewers, gather(viewers, page.pool, changes.candidates), lowered)
    stays = ~np.isin(stored.candidate_id, changes.left)
    at, known = _at(page.snapshot, stored.candidate_id)
    stays &= known
    # Where somebody went, others may be as good as one who enters below the last: only those above it are sure.
    went = np.isin(entering, stored.row[~stays])
    sure = ~went | (key >= stored.threshold[entering])
    affected = np.union1d(entering, stored.row[np.isin(stored.candidate_id, changes.left)])
    stays &= np.isin(stored.row, affected)
    row = np.concatenate([stored.row[stays], entering[sure]])
    position = np.concatenate([at[stays], changes.candidates[candidate[sure]]])
    return _merged(page, viewers, affected, stored.full, row, position)


def _stored_lists(page: PageRun, viewers: Users) -> _Stored:
    given = {"ids": viewers.ids, "rank": page.parameters.top_k}
    types = {"userId": "int8", "candidateUserId": "int8", "score": "float4", "isTierA": "int4"}
    found = fetch_lists(page.connection, _READ_LISTS, given, types)
    none = [np.empty(0, np.int64)]
    order = np.argsort(viewers.ids)
    rows = order[np.searchsorted(viewers.ids, np.concatenate(none + found["userId"]), sorter=order)]
    last, tier_a = (np.concatenate([np.empty(0), *found[name]]) for name in ("score", "isTierA"))
    threshold = np.full(len(viewers), -np.inf, np.float32)
    threshold[rows] = last + tier_step(page.parameters) * tier_a - MARGIN
    return _Stored(
        row=np.repeat(rows, [len(ids) for ids in found["candidateUserId"]]),
        candidate_id=np.concatenate(none + found["candidateUserId"]).astype(np.int64),
        full=rows[np.isfinite(last)],
        threshold=threshold,
    )


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


def _entering(
    page: PageRun, viewers: Users, changed: Users, threshold: NDArray[np.float32]
) -> tuple[Indices, Indices, NDArray[np.float32]]:
    """Pairs of a viewer and a changed candidate whose key reaches the viewer's threshold, and the keys."""
    empty = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    if not len(changed):
        return empty
    pool, parameters = page.pool, page.parameters
    screening = Screening(viewers, parameters, pool.bits, pool.popularity)
    prepared = screening.prepare(Segment.of(changed, page.now, parameters, pool.bits, pool.popularity))
    rows, found = np.arange(len(viewers)), [empty]
    for start in range(0, len(changed), CHUNK_USERS):
        columns = slice(start, min(start + CHUNK_USERS, len(changed)))
        oneself = viewers.ids[:, None] == changed.ids[columns][None, :]
        pairs = screening.resolved(
            screening.above_threshold(rows, prepared, columns, threshold, near=True, left_out=oneself), prepared
        )
        pairs = pairs.take(pairs.key >= threshold[pairs.viewer])
        found.append((pairs.viewer, pairs.candidate, pairs.key))
    viewer, candidate, key = (np.concatenate(column) for column in zip(*found, strict=True))
    return viewer, candidate, key


def _at(stored: StoredSnapshot, ids: Indices) -> tuple[Indices, NDArray[np.bool_]]:
    """Positions of candidates by id, and whether they are there."""
    known_ids, positions = stored.candidates_by_id
    if not len(positions):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
    at = np.minimum(np.searchsorted(known_ids, ids), len(known_ids) - 1)
    return positions[at], known_ids[at] == ids
