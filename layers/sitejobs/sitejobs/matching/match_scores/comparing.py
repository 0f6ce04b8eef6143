"""A dry run of match-scores: a page's new lists beside the stored ones, in a transaction that cannot write."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.jobs.comparison import compare
from sitejobs.matching.match_scores.store import Outcome, Part
from sitejobs.postgres.columns import fetch_lists

_READ_ONLY: Final[LiteralString] = """SET TRANSACTION READ ONLY"""

_READ_STORED: Final[LiteralString] = """
SELECT m."userId", m."candidateUserId" FROM "MatchCandidates" m WHERE m."userId" = ANY(%(ids)s)
"""
"""Reads the candidates of these viewers' stored matches, best first."""


def compare_page(connection: Connection, outcomes: Sequence[Outcome], parts: Sequence[Part]) -> Counter[str]:
    """Compare the lists of all viewers named by the outcomes with what is stored of them."""
    ids = np.array([outcome.user_id for outcome in outcomes], np.int64)
    with connection.transaction():
        connection.execute(_READ_ONLY)
        found = fetch_lists(connection, _READ_STORED, {"ids": ids}, {"userId": "int8", "candidateUserId": "int8"})
    stored = {int(user[0]): them.tolist() for user, them in zip(*found.values(), strict=True)}
    new = {user_id: them for part in parts for user_id, them in _lists_of(part).items()}
    counts: Counter[str] = Counter()
    for user_id in ids.tolist():
        counts.update(compare(stored.get(user_id, ()), new.get(user_id, ())))
    return counts


def _lists_of(part: Part) -> dict[int, list[int]]:
    """Candidates of each viewer, best first."""
    pairs, candidates = part.matches.pairs, part.matches.candidates
    ends = np.searchsorted(pairs.viewer, np.arange(len(part.viewers) + 1)).tolist()
    them = candidates.ids[pairs.candidate]
    return {int(part.viewers.ids[row]): them[ends[row] : ends[row + 1]].tolist() for row in part.rows.tolist()}
