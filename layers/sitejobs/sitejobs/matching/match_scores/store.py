"""Writes a page's lists: a viewer's old list goes and the new one comes in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, LiteralString

import numpy as np
from psycopg import Connection, Copy, sql

from sitejobs.jobs import runs
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.matching.match_scores.list_columns import CHANGE_COLUMNS, COPY_COLUMNS
from sitejobs.matching.match_scores.lists import EncodedChange, EncodedList
from sitejobs.matching.match_scores.old_rows import forget_rows
from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.pair_scores import Pairs
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.topk.search import Matches
from sitejobs.postgres.columns import fetch_lists
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

_READ_STORED: Final[LiteralString] = """
SELECT l."userId", l."fingerprint", l."score" || l."spareScore" AS "score" FROM "MatchList" l
WHERE l."userId" = ANY(%(ids)s) AND l."scoredAt" <= %(scored_at)s AND NOT EXISTS (
    SELECT FROM "MatchListChange" c WHERE c."userId" = l."userId" AND c."listScoredAt" = l."scoredAt")
"""
"""Reads what tells whether the viewers' stored lists differ from new ones. One with changes beside it always does."""

_DELETE_LISTS: Final[LiteralString] = """DELETE FROM "MatchList" WHERE "userId" = ANY(%(ids)s)"""
"""Deletes the lists of these viewers."""

_DELETE_CHANGES: Final[LiteralString] = """DELETE FROM "MatchListChange" WHERE "userId" = ANY(%(ids)s)"""
"""Deletes what is stored beside the lists of these viewers."""

_DOUBT_OTHER_LISTS: Final[LiteralString] = """
UPDATE "MatchScoreViewer" v SET "provisional" = true FROM "MatchListChange" c
WHERE v."userId" = ANY(%(ids)s) AND c."userId" = v."userId" AND NOT EXISTS (
    SELECT FROM "MatchList" l WHERE l."userId" = c."userId" AND l."scoredAt" = c."listScoredAt")
"""
"""Where another run has replaced the list since this page read it, the next run computes the viewer anew."""

_COPY_LISTS: Final = sql.SQL('COPY "MatchList" ({}) FROM STDIN (FORMAT BINARY)').format(
    sql.SQL(", ").join(map(sql.Identifier, COPY_COLUMNS))
)
_COPY_CHANGES: Final = sql.SQL('COPY "MatchListChange" ({}) FROM STDIN (FORMAT BINARY)').format(
    sql.SQL(", ").join(map(sql.Identifier, CHANGE_COLUMNS))
)

_ROWS_AT_ONCE: Final = 64
"""Rows that are sent with one call: a few hundred KB of lists, and some KB of changes."""


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

    spares : those next after a full list's matches, by viewer, of the same candidates.
    provisional : viewers, by index, whose matches depend on data newer than the snapshot.
    decided : viewers, by index, without a match because they decided about all, or all about them.
    """

    viewers: Users
    matches: Matches
    spares: Pairs
    rows: Indices
    provisional: Indices
    decided: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def without(self, rows: Indices) -> "Part":
        """The part without these viewers, by their rows."""
        kept = np.flatnonzero(~np.isin(self.matches.pairs.viewer, rows))
        matches = Matches(self.matches.candidates, self.matches.pairs.take(kept), self.matches.rank[kept])
        spares = self.spares.take(np.flatnonzero(~np.isin(self.spares.viewer, rows)))
        left = (np.setdiff1d(kept, rows) for kept in (self.rows, self.provisional, self.decided))
        return Part(self.viewers, matches, spares, *left)


@dataclass(frozen=True)
class Written:
    """Ids of the viewers that a page might write, and of those among them whose lists stay as they are."""

    claimed: Indices
    unchanged: Indices


def write_page(
    connection: Connection,
    run_id: str,
    outcomes: Sequence[Outcome],
    lists: Sequence[EncodedList],
    scored_at: datetime,
    algorithm_version: str,
    rewrite_epsilon: float,
    changes: Sequence[EncodedChange] = (),
) -> Written:
    """Replace the lists of all viewers named by the outcomes, where they differ from the stored ones.

    Viewers left out have results of a later run. A list differs unless all but the newness in its scores is the same,
    and that has moved no score by as much as `rewrite_epsilon`. `changes` are stored beside the lists of their viewers.

    Raises
    ------
    RunClosed : the run was taken over; nothing is written.
    """
    with connection.transaction():
        runs.check_alive(connection, run_id)
        ids = _claim(connection, outcomes, scored_at, algorithm_version)
        mine = set(ids.tolist())
        lists, changes = [it for it in lists if it.user_id in mine], [it for it in changes if it.user_id in mine]
        beside = np.array([it.user_id for it in changes], np.int64)
        unchanged = unchanged_lists(connection, lists, scored_at, rewrite_epsilon)
        replaced = np.setdiff1d(np.setdiff1d(ids, unchanged), beside)
        connection.execute(_DELETE_LISTS, {"ids": replaced.tolist()})
        connection.execute(_DELETE_CHANGES, {"ids": np.union1d(replaced, beside).tolist()})
        forget_rows(connection, np.setdiff1d(replaced, np.array([it.user_id for it in lists], np.int64)))
        stay = set(unchanged.tolist())
        differing = [it.row for it in lists if it.user_id not in stay]
        if differing:
            with connection.cursor() as cursor, cursor.copy(_COPY_LISTS) as copy:
                _put(copy, differing)
        if changes:
            with connection.cursor() as cursor, cursor.copy(_COPY_CHANGES) as copy:
                _put(copy, [it.row for it in changes])
            connection.execute(_DOUBT_OTHER_LISTS, {"ids": beside.tolist()})
    return Written(ids, unchanged)


def _put(copy: Copy, rows: Sequence[bytes]) -> None:
    copy.write(COPY_HEADER)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        copy.write(b"".join(rows[start : start + _ROWS_AT_ONCE]))
    copy.write(COPY_TRAILER)


def unchanged_lists(
    connection: Connection, lists: Sequence[EncodedList], scored_at: datetime, rewrite_epsilon: float
) -> Indices:
    """Ids of the viewers whose stored lists need not be replaced; one from the future, of a wrong clock, always is."""
    if not lists or not rewrite_epsilon:
        return np.empty(0, np.int64)
    given = {"ids": np.array([it.user_id for it in lists], np.int64), "scored_at": scored_at}
    types = {"userId": "int8", "fingerprint": "int8", "score": "float4"}
    stored = fetch_lists(connection, _READ_STORED, given, types)
    prints = {int(user[0]): (int(print_[0]), scores) for user, print_, scores in zip(*stored.values(), strict=True)}
    same = []
    for it in lists:
        print_, scores = prints.get(it.user_id, (None, it.scores))
        # Of another length are the scores of a list that somebody took the spares from.
        as_stored = print_ == it.fingerprint and len(scores) == len(it.scores)
        if as_stored and np.abs(scores - it.scores).max() < rewrite_epsilon:
            same.append(it.user_id)
    return np.array(same, np.int64)


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
