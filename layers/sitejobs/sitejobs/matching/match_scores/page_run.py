"""What the steps of a page of match-scores share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.errors import DataUnavailable
from sitejobs.jobs.job import Resources, Run
from sitejobs.matching.match_scores.changes import stored_changes
from sitejobs.matching.options import MatchScoresOptions
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.snapshot import work_files
from sitejobs.matching.snapshot.candidates import open_pool
from sitejobs.matching.snapshot.file import StoredSnapshot
from sitejobs.matching.topk.pool import CandidatePool


@dataclass(frozen=True)
class Basis:
    """What an incremental run compared with.

    former : the candidates who changed or left, as they were.
    left_within : lists that were left as they were hold scores that are off by less.
    """

    snapshot: StoredSnapshot
    former: Users
    left_within: float


@dataclass(frozen=True)
class PageRun:
    """What a page works with.

    started_at : the run's start, to which all ages refer.
    rewrite_epsilon : a stored list whose scores newness alone has moved by less stays.
    dry_run : whether lists are compared with the stored ones instead of written.
    open_pool : the snapshot's candidates, read on first use and kept for the run's next page.
    open_basis : what few changed candidates are looked for with; None when lists are to be read whole.
    """

    connection: Connection
    run_id: str
    started_at: datetime
    parameters: Parameters
    snapshot: StoredSnapshot
    rewrite_epsilon: float
    dry_run: bool
    open_pool: Callable[[], CandidatePool]
    open_basis: Callable[[], Basis | None]

    @property
    def now(self) -> float:
        """The run's start in seconds since 1970."""
        return self.started_at.timestamp()

    def at(self, ids: Indices) -> tuple[Indices, Flags]:
        """Positions of candidates by id, and whether they are there."""
        known_ids, positions = self.snapshot.candidates_by_id
        if not len(positions):
            return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
        at = np.minimum(np.searchsorted(known_ids, ids), len(known_ids) - 1)
        return positions[at], known_ids[at] == ids

    def stored_worth(self, scores: Floats, ids: Indices) -> Floats:
        """What stored candidates are worth, as `Pairs.worth`, from their scores; those who left have no price.

        Not finite where a score is too small to tell.
        """
        if self.parameters.model is None:
            return scores
        at, known = self.at(ids)
        price = np.where(known, self.snapshot.index()["price"][at], 0) if len(at) else np.zeros(0)
        with np.errstate(divide="ignore"):
            return np.asarray(2 * np.log(np.where(scores < np.finfo(np.float32).tiny, 0, scores)) - price)

    @property
    def pool(self) -> CandidatePool:
        """The candidates as of the run's start."""
        return self.open_pool()


def page_run(resources: Resources, run: Run, options: MatchScoresOptions) -> PageRun:
    """Open what a page of this run needs.

    Raises
    ------
    DataUnavailable : the run's snapshot has gone from the work bucket.
    """
    parameters = Parameters.from_json(run.context["parameters"])
    snapshot = work_files.opened(resources, run.context["snapshot"])

    def pool() -> CandidatePool:
        return resources.memory.kept(
            CandidatePool,
            (snapshot.key, run.started_at, parameters),
            lambda: open_pool(snapshot, run.started_at.timestamp(), parameters),
        )

    def basis() -> Basis | None:
        if "basis" not in run.context:
            return None
        try:
            return resources.memory.kept(Basis, run.id, lambda: _basis(resources, run.context))
        except DataUnavailable:  # lists read whole tell the same
            return None

    connection = resources.database.connection()
    epsilon, dry_run = options.rewrite_epsilon, options.dry_run
    return PageRun(connection, run.id, run.started_at, parameters, snapshot, epsilon, dry_run, pool, basis)


def _basis(resources: Resources, context: JsonObject) -> Basis:
    before = StoredSnapshot(resources.work, context["basis"]["snapshot"])
    ids, positions = before.candidates_by_id
    left = stored_changes(resources, context["changes"]).left
    former = before.users_at(np.sort(positions[np.searchsorted(ids, left)]))
    return Basis(before, former, context["basis"]["leftWithin"])
