"""Finds the lists that changed candidates may concern without reading the others.

Who is in a list was worth at least as much as its last spare when the list was computed. So screening the changed
candidates as they were, against the ends of the lists, finds every list that may hold one of them; screening them as
they are finds those that one may enter. Of all lists only the ends are read, of these few the rest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.match_scores.changes import Changes
from sitejobs.matching.match_scores.page_run import Basis, PageRun
from sitejobs.matching.match_scores.stored_lists import Ends, read_ends
from sitejobs.matching.scoring.arrays import Indices, Singles
from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.snapshot.snapshot import vocabulary_of
from sitejobs.matching.topk.group import CHUNK_USERS
from sitejobs.matching.topk.keys import key_margin
from sitejobs.matching.topk.screening import Screening
from sitejobs.matching.topk.segment import Segment
from sitejobs.matching.topk.sieve import Question


@dataclass(frozen=True)
class Entering:
    """Pairs whose key reaches the end of the viewer's list: rows of viewers, and indices of changed candidates."""

    row: Indices
    changed: Indices


def concerned(page: PageRun, basis: Basis, viewers: Users, changes: Changes) -> tuple[Indices, Entering]:
    """Rows, ascending, of the viewers whose lists a changed candidate may be in or enter, and the pairs of these."""
    ends = read_ends(page.connection, viewers, page.parameters, page.stored_worth)
    found = find_entering(page, viewers, changes, ends)
    rows = np.unique(
        np.concatenate(
            [
                found.row,
                _holding(page, basis, viewers, ends),
                # By a model the end is told by a price that may have changed.
                np.flatnonzero(np.isin(ends.id, changes.left)),
            ]
        )
    )
    return rows, Entering(np.searchsorted(rows, found.row), found.changed)


def find_entering(page: PageRun, viewers: Users, changes: Changes, ends: Ends) -> Entering:
    """The changed candidates who may enter lists."""
    pool, changed = page.pool, page.pool.users(changes.candidates)
    threshold = _lowered(page, ends)
    return Entering(*_reaching(viewers, changed, threshold, page.now, page.parameters, pool.bits, pool.popularity))


def _holding(page: PageRun, basis: Basis, viewers: Users, ends: Ends) -> Indices:
    """Rows of the viewers whose lists may hold one of those who changed or left, each as it was."""
    before = basis.snapshot
    ids, positions = before.everybody_by_id
    at = positions[np.searchsorted(ids, viewers.ids)]
    order = np.argsort(at)
    # A list that was left as it was may hold a score that is off by so much.
    threshold = (_lowered(page, ends) - np.float32(basis.left_within))[order]
    bits, popularity = vocabulary_of(before.dictionaries), before.dictionaries.popularity
    them = before.users_at(at[order])
    return order[_reaching(them, basis.former, threshold, page.now, page.parameters, bits, popularity)[0]]


def _lowered(page: PageRun, ends: Ends) -> Singles:
    """(v,) keys below which nobody reaches the end: a candidate's may have fallen by the lag since the list's time."""
    margin = 2 * key_margin(page.parameters)
    return np.asarray(ends.last - ends.lag(page.now, page.parameters) - margin, np.float32)


def _reaching(
    viewers: Users,
    them: Users,
    threshold: Singles,
    now: float,
    parameters: Parameters,
    bits: InterestBits | None,
    popularity: NDArray[np.int32],
) -> tuple[Indices, Indices]:
    """Pairs of a viewer and one of them whose key reaches the viewer's threshold."""
    empty = np.empty(0, np.int64), np.empty(0, np.int64)
    if not len(them):
        return empty
    screening = Screening(viewers, parameters, bits, popularity)
    prepared = screening.prepare(Segment.of(them, now, parameters, bits, popularity))
    rows, found = np.arange(len(viewers)), [empty]
    for start in range(0, len(them), CHUNK_USERS):
        columns = slice(start, min(start + CHUNK_USERS, len(them)))
        themselves = np.nonzero(viewers.ids[:, None] == them.ids[columns])
        question = Question.about(rows, columns, (themselves[0], themselves[1]))
        pairs = screening.resolved(screening.above_threshold(question, prepared, threshold), prepared)
        pairs = pairs.take(pairs.key >= threshold[pairs.viewer])
        found.append((pairs.viewer, pairs.candidate))
    viewer, candidate = (np.concatenate(column) for column in zip(*found, strict=True))
    return viewer, candidate
