"""Pairs that a search must not find."""

from dataclasses import dataclass, field

import numpy as np

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.users import Users


@dataclass(frozen=True)
class Exclusions:
    """Pairs that must not be found: `row` indexes the viewers, `user_id` is the candidate's id."""

    row: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    user_id: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def plus(self, row: Indices, user_id: Indices) -> "Exclusions":
        return Exclusions(np.concatenate([self.row, row]), np.concatenate([self.user_id, user_id]))

    def of(self, rows: Indices) -> "Exclusions":
        """Those of the viewers at these ascending rows, who are numbered anew."""
        kept = np.isin(self.row, rows)
        return Exclusions(np.searchsorted(rows, self.row[kept]), self.user_id[kept])

    def among(self, users: Users) -> tuple[Indices, Indices]:
        """The excluded pairs whose candidate is one of the users: viewers' rows and users' rows, these ascending."""
        ids, rows = users.by_id
        at = np.minimum(np.searchsorted(ids, self.user_id), max(len(ids) - 1, 0))
        known = np.flatnonzero(ids[at] == self.user_id) if len(ids) else at[:0]
        candidate = rows[at[known]]
        order = np.argsort(candidate, kind="stable")
        return self.row[known[order]], candidate[order]
