"""Writes a page's rows: a viewer's old rows go and the new ones come in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql

from sitejobs.jobs import runs
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.matching.match_scores.rows import COPY_COLUMNS, encode_rows
from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.topk.search import Matches
from sitejobs.postgres.copy import COPY_HEADER, COPY_TRAILER

_CLAIM_VIEWERS: Final[LiteralString] = """
INSERT INTO "MatchScoreViewer" AS stored
    ("userId", "scoredAt", "algorithmVersion", "rows", "skipped", "provisional")
SELECT given."id", %(scored_at)s, %(version)s, given."rows", given."skipped", given."provisional"
FROM unnest(%(ids)s::bigint[], %(rows)s::smallint[], %(skipped)s::text[], %(provisional)s::boolean[])
    AS given ("id", "rows", "skipped", "provisional")
ORDER BY given."id"
ON CONFLICT ("userId") DO UPDATE SET "scoredAt" = excluded."scoredAt",
    "algorithmVersion" = excluded."algorithmVersion", "rows" = excluded."rows", "skipped" = excluded."skipped",
    "provisional" = excluded."provisional"
WHERE stored."scoredAt" <= excluded."scoredAt" OR stored."scoredAt" > clock_timestamp()
RETURNING stored."userId"
"""
"""Writes one row a viewer and returns the viewers that this page may write.

In the order of ids, so that overlapping runs wait for each other instead of deadlocking. Leaves out viewers whose
stored rows are of a later run; a `scoredAt` in the future is of no later run, but of one while a clock was wrong.
"""

_DELETE_ROWS: Final[LiteralString] = """DELETE FROM "MatchScore" WHERE "userId" = ANY(%(ids)s)"""
"""Deletes all rows of these viewers."""

_COPY_ROWS: Final = sql.SQL('COPY "MatchScore" ({}) FROM STDIN (FORMAT BINARY)').format(
    sql.SQL(", ").join(map(sql.Identifier, COPY_COLUMNS))
)


@dataclass(frozen=True)
class Outcome:
    """A viewer's result: its number of rows, or why it has none.

    provisional : whether the result depends on data newer than the run's snapshot.
    """

    user_id: int
    rows: int
    skipped: SkipReason | None
    provisional: bool


@dataclass(frozen=True)
class Part:
    """Matches to write: `rows` are the viewers, by index, whose stored rows they replace.

    provisional : viewers, by index, whose matches depend on data newer than the snapshot.
    """

    viewers: Users
    matches: Matches
    rows: Indices
    provisional: Indices

    def without(self, rows: Indices) -> "Part":
        """The part without these viewers, by their rows."""
        kept = np.flatnonzero(~np.isin(self.matches.pairs.viewer, rows))
        matches = Matches(self.matches.candidates, self.matches.pairs.take(kept), self.matches.rank[kept])
        return Part(self.viewers, matches, np.setdiff1d(self.rows, rows), np.setdiff1d(self.provisional, rows))


def write_page(
    connection: Connection,
    run_id: str,
    outcomes: Sequence[Outcome],
    parts: Sequence[Part],
    interest_ids: NDArray[np.int64],
    scored_at: datetime,
    algorithm_version: str,
) -> Indices:
    """Replace the rows of all viewers named by the outcomes.

    Returns the ids that were written; those left out have results of a later run.

    Raises
    ------
    RunClosed : the run was taken over; nothing is written.
    """
    with connection.transaction():
        runs.check_alive(connection, run_id)
        ids = _claim(connection, outcomes, scored_at, algorithm_version)
        connection.execute(_DELETE_ROWS, {"ids": ids.tolist()})
        if any(len(part.matches.rank) for part in parts):
            with connection.cursor() as cursor, cursor.copy(_COPY_ROWS) as copy:
                copy.write(COPY_HEADER)
                for part in parts:
                    kept = _only(part, ids)
                    copy.write(encode_rows(kept, part.viewers, interest_ids, scored_at, algorithm_version))
                copy.write(COPY_TRAILER)
    return ids


def _claim(connection: Connection, outcomes: Sequence[Outcome], scored_at: datetime, algorithm_version: str) -> Indices:
    """Write the outcomes and return the ids of the viewers whose rows may be replaced."""
    by_id = sorted(outcomes, key=lambda outcome: outcome.user_id)
    given = {
        "scored_at": scored_at,
        "version": algorithm_version,
        "ids": [outcome.user_id for outcome in by_id],
        "rows": [outcome.rows for outcome in by_id],
        "skipped": [outcome.skipped for outcome in by_id],
        "provisional": [outcome.provisional for outcome in by_id],
    }
    return np.array([row[0] for row in connection.execute(_CLAIM_VIEWERS, given)], np.int64)


def _only(part: Part, ids: Indices) -> Matches:
    """The matches of the viewers with these ids."""
    matches = part.matches
    wanted = np.isin(part.viewers.ids, ids)[matches.pairs.viewer]
    if wanted.all():
        return matches
    rows = np.flatnonzero(wanted)
    return Matches(matches.candidates, matches.pairs.take(rows), matches.rank[rows])
