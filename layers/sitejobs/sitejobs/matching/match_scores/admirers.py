"""Which candidates like a page's viewers already."""

import numpy as np

from sitejobs.matching.match_scores.page_run import PageRun
from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.topk.admirers import Admirers
from sitejobs.matching.topk.exclusions import Exclusions


def admirers_of(page: PageRun, row: Indices, user_id: Indices, exclusions: Exclusions) -> Admirers:
    """Those of the snapshot's candidates, once each, without excluded pairs."""
    if not len(row):
        return Admirers()
    pairs = _numbered(np.concatenate([row, exclusions.row]), np.concatenate([user_id, exclusions.user_id]))
    position, known = page.at(user_id)
    different, first = np.unique(pairs[: len(row)], return_index=True)
    kept = first[known[first] & ~np.isin(different, pairs[len(row) :])]
    return Admirers(row[kept], position[kept], user_id[kept])


def _numbered(row: Indices, user_id: Indices) -> Indices:
    """One number for each pair."""
    people, code = np.unique(user_id, return_inverse=True)
    return np.asarray(row * len(people) + code)
