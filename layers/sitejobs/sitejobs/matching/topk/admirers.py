"""Candidates who have said yes to a viewer already: by a model their chance is 1, which no bound of the search knows.

So a search passes them over, and scores them with what it has found.
"""

from dataclasses import dataclass, field

import numpy as np

from sitejobs.matching.scoring.arrays import Indices


def _none() -> Indices:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Admirers:
    """Pairs of a viewer, by row, and a candidate who likes it, by position and id; each pair once."""

    row: Indices = field(default_factory=_none)
    position: Indices = field(default_factory=_none)
    user_id: Indices = field(default_factory=_none)

    def of(self, rows: Indices) -> "Admirers":
        """Those of the viewers at these ascending rows, who are numbered anew."""
        kept = np.isin(self.row, rows)
        return Admirers(np.searchsorted(rows, self.row[kept]), self.position[kept], self.user_id[kept])

    def without(self, gone: Indices) -> "Admirers":
        """The pairs but for candidates of these ids."""
        kept = ~np.isin(self.user_id, gone)
        return Admirers(self.row[kept], self.position[kept], self.user_id[kept])


NO_ADMIRERS = Admirers()
