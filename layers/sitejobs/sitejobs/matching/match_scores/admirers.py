"""Candidates who have said yes to a viewer already: by a model their chance is 1, which no bound of the search knows.

So they are left out of it, scored one by one, and ranked among what it found.
"""

from dataclasses import dataclass

import numpy as np

from sitejobs.matching.match_scores.page_run import PageRun
from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.chances import judge_pairs
from sitejobs.matching.scoring.pair_scores import joined_pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users, concatenate
from sitejobs.matching.topk.search import Exclusions, Matches, gather, ranked


@dataclass(frozen=True)
class Admirers:
    """Pairs of a viewer, by row, and a candidate who likes it. `candidate` indexes `users`."""

    row: Indices
    candidate: Indices
    users: Users

    @property
    def user_id(self) -> Indices:
        """(p,) ids of the candidates."""
        return self.users.ids[self.candidate]

    @classmethod
    def of(cls, page: PageRun, viewers: Users, row: Indices, user_id: Indices, exclusions: Exclusions) -> "Admirers":
        """Those of the snapshot's candidates, once each, without excluded pairs."""
        if not len(row):
            return cls(row, row, viewers.take(row))
        barred = _numbered(np.concatenate([row, exclusions.row]), np.concatenate([user_id, exclusions.user_id]))
        at, known = page.at(user_id)
        pairs, first = np.unique(barred[: len(row)], return_index=True)
        kept = first[known[first] & ~np.isin(pairs, barred[len(row) :])]
        positions, candidate = np.unique(at[kept], return_inverse=True)
        return cls(row[kept], candidate, gather(viewers, page.pool, positions))

    def without(self, gone: Indices) -> "Admirers":
        """The pairs but for candidates of these ids."""
        return self._take(~np.isin(self.user_id, gone))

    def among(self, found: Matches, viewers: Users, now: float, parameters: Parameters) -> Matches:
        """The best of both."""
        if not len(self.row):
            return found
        everyone = np.ones(len(self.row), bool)
        pairs = judge_pairs(viewers, self.users, self.row, self.candidate, now, parameters, admirers=everyone)
        moved = dict(vars(pairs)) | {"candidate": pairs.candidate + len(found.candidates)}
        candidates = concatenate([found.candidates, self.users])
        return ranked(candidates, joined_pairs(found.pairs, type(pairs)(**moved)), parameters.top_k)

    def _take(self, kept: Flags) -> "Admirers":
        return Admirers(self.row[kept], self.candidate[kept], self.users)


def _numbered(row: Indices, user_id: Indices) -> Indices:
    """One number for each pair."""
    people, code = np.unique(user_id, return_inverse=True)
    return np.asarray(row * len(people) + code)
