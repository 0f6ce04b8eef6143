"""What changed between two snapshots, whatever the timestamps say, and the pages that follow from it."""

import io
import itertools
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from sitejobs.errors import DataUnavailable
from sitejobs.jobs.job import Resources, Run
from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot import exclusions
from sitejobs.matching.snapshot.candidates import READY_USERS
from sitejobs.matching.snapshot.file import StoredSnapshot, read_whole
from sitejobs.postgres.columns import fetch_columns

UNCHANGED_A_PAGE, MOST_UNCHANGED = 20, 100
"""Unchanged viewers who cost a page as much as one viewer to compute, and the most in place of one in a small page."""

MOST_A_PAGE, MOST_OF_FEW = 5_000, 10_000
"""Viewers up to which a page grows: a search for a few viewers is dear, and each page has one.

The latter where few changed and most lists are not read.
"""

COMPARED_AT_ONCE = 1_000_000
"""Users compared in one step: what a step needs does not grow with the site."""

_READ_LAST_RUN: Final[LiteralString] = """
SELECT "id", "status", "context", "startedAt" <= %(started_at)s AS "isPast" FROM "JobRun"
WHERE "job" = %(job)s AND "scope" = 'all' AND "id" < %(run_id)s AND "context" ? 'snapshot'
ORDER BY "id" DESC LIMIT 1
"""
"""Reads the last run that wrote everyone's rows, however it ended: the rows are as it left them.

A run from the future, when a clock was wrong, is no basis: rows written after it do not look newer.
"""

_READ_FAILED_PAGES: Final[LiteralString] = """
SELECT ("keys" ->> 'start')::int8 AS "start", ("keys" ->> 'stop')::int8 AS "stop" FROM "JobRunFailedPage"
WHERE "runId" = %(run_id)s
"""
"""Reads the ranges of positions of a run's failed pages."""

_READ_VIEWERS_WRITTEN_SINCE: Final[LiteralString] = """
SELECT "userId" FROM "MatchScoreViewer"
WHERE "scoredAt" > (SELECT "startedAt" FROM "JobRun" WHERE "id" = %(run_id)s) OR "provisional"
"""
"""Viewers whose rows depend on data newer than the run's snapshot."""

_READ_VIEWERS_WITHOUT_LIST: Final[LiteralString] = """
SELECT v."userId" FROM "MatchScoreViewer" v
WHERE v."rows" > 0 AND NOT EXISTS (SELECT FROM "MatchList" l WHERE l."userId" = v."userId")
"""
"""Viewers whose matches are not stored as a list yet."""

_READ_EXCLUDED_BESIDE: Final[LiteralString] = f"""
SELECT DISTINCT e."userId"::bigint AS "userId" FROM ({exclusions.PAIRS_WITH}) AS e
JOIN "MatchListChange" c ON c."userId" = e."userId" AND e."otherId" = ANY(c."candidateUserId")
"""
"""Viewers beside whose lists stands one of these others who is no candidate of theirs (or likes them, if it counts)."""

_READ_LIKED: Final[LiteralString] = """
SELECT DISTINCT l."toUserId" AS "userId" FROM "Like" l
WHERE l."fromUserId" = ANY(%(ids)s) AND l."action"::text <> 'DISLIKE' AND l."toUserId" IS NOT NULL
  AND (%(repeat)s::boolean OR NOT EXISTS (
      SELECT FROM "Like" a WHERE a."fromUserId" = l."toUserId" AND a."toUserId" = l."fromUserId"))
"""
"""Reads whom these users like who have not answered yet, or, with `repeat`, whose answer may be forgotten."""


@dataclass(frozen=True)
class Changes:
    """Changes since the run that last wrote everyone's rows.

    viewers : (users and those without profile,) by position: whose rows must be computed anew, or must go.
    candidates : positions of candidates that are new or differ as such, ascending.
    aged : (changed candidates,) of whom nothing but the time of the profile's update differs.
    left : ids, ascending, whose stored rows no longer hold: changed candidates, and former candidates.
    """

    viewers: Flags
    candidates: Indices
    aged: Flags
    left: Indices

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.viewers.any() or len(self.candidates) or len(self.left))


@dataclass(frozen=True)
class Base:
    """The run that last wrote everyone's rows, and its snapshot.

    left_within : lists that it or runs before it left as they were hold scores that are off by less.
    changed : ids of the candidates that it found changed.
    """

    run_id: int
    snapshot: StoredSnapshot
    left_within: float
    changed: Indices


def find_base(resources: Resources, run: Run, parameters: Parameters) -> Base | None:
    """What to compare with; None when there is nothing, and all must be computed."""
    given = {"job": run.job, "run_id": int(run.id), "started_at": run.started_at}
    last = resources.database.connection().execute(_READ_LAST_RUN, given).fetchone()
    if last is None:
        return None
    last_id, status, context, is_past = last
    if status != "SUCCEEDED" or not is_past or context["parameters"] != parameters.to_json():
        return None
    try:
        snapshot = StoredSnapshot(resources.work, context["snapshot"])
        ids = snapshot.index()["ids"]
        changes = context.get("changes")
        changed = ids[stored_changes(resources, changes).candidates] if changes else ids[:0]
    except DataUnavailable:
        return None
    return Base(int(last_id), snapshot, context["leftWithin"], changed)


def find_changes(
    connection: Connection, base: Base, parameters: Parameters, stored: StoredSnapshot, now: datetime
) -> Changes:
    """Compare with the last run's snapshot."""
    before, after = base.snapshot.index(), stored.index()
    changes = compare(before, base.snapshot.candidates, after, stored.candidates)
    likers = np.union1d(after["ids"][changes.candidates], changes.left)
    again = np.concatenate(
        [
            *(_failed(connection, base.run_id, before), _written_since(connection, base.run_id)),
            *(_without_list(connection), _liked(connection, parameters, likers)),
            _excluded_beside(connection, base, parameters, now),
        ]
    )
    ids = np.concatenate([after["ids"], after["without_profile"]])
    return replace(changes, viewers=changes.viewers | np.isin(ids, again))


def compare(
    before: dict[str, NDArray[Any]], before_candidates: int, after: dict[str, NDArray[Any]], after_candidates: int
) -> Changes:
    """Compare two snapshots by their indexes (`StoredSnapshot.index`) and numbers of candidates."""
    same_viewer = _same(before["ids"], before["viewer_hash"], after["ids"], after["viewer_hash"])
    gone = ~np.isin(after["without_profile"], before["without_profile"])
    old = before["ids"][:before_candidates], before["candidate_hash"][:before_candidates]
    new = after["ids"][:after_candidates], after["candidate_hash"][:after_candidates]
    candidates = np.flatnonzero(~_same(*old, *new))
    lasting = before["lasting_hash"][:before_candidates], after["lasting_hash"][candidates]
    return Changes(
        viewers=np.concatenate([~same_viewer, gone]),
        candidates=candidates,
        aged=_same(old[0], lasting[0], new[0][candidates], lasting[1]),
        left=np.sort(old[0][~_same(*new, *old)]),
    )


def fill_few(changed: int, users: int, length: int) -> bool:
    """Whether most lists, of so many entries, hold nobody of those who changed, on a site that memory holds twice."""
    return users <= READY_USERS and changed * length < users


def store_changes(resources: Resources, key: str, changes: Changes) -> None:
    """Put the changes beside the snapshot, for the run's pages."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "changes.npz"
        np.savez(path, allow_pickle=False, **vars(changes))
        resources.work.put_file(key, path)


def stored_changes(resources: Resources, key: str) -> Changes:
    """The changes of a run; kept for its next page."""

    def read() -> Changes:
        return Changes(**np.load(io.BytesIO(read_whole(resources.work, key)), allow_pickle=False))

    return resources.memory.kept(Changes, key, read)


def unchanged_a_page(batch_size: int, *, few: bool) -> int:
    """Unchanged viewers whom a page looks at in place of one whom it computes. `few`: as `fill_few` says."""
    most = MOST_OF_FEW if few else MOST_A_PAGE
    return max(UNCHANGED_A_PAGE, min(most // batch_size, MOST_UNCHANGED))


def pages_of(changes: Changes, batch_size: int, *, few: bool) -> list[tuple[int, int]]:
    """Ranges of positions: each has at most `batch_size` viewers to compute, and some to look at.

    When no candidate changed, nobody else needs a look, and ranges without a changed viewer are left out.
    """
    look = len(changes.candidates) > 0 or len(changes.left) > 0
    share = unchanged_a_page(batch_size, few=few)
    cost = np.where(changes.viewers, share, 1 if look else 0)
    page = (np.cumsum(cost) - cost) // (batch_size * share)
    wanted = np.flatnonzero(changes.viewers | look)
    if not len(wanted):
        return []
    edges = np.flatnonzero(np.diff(page[wanted], prepend=-1, append=-1))
    return [(int(wanted[start]), int(wanted[stop - 1]) + 1) for start, stop in itertools.pairwise(edges)]


def _same(ids: Indices, hashes: NDArray[Any], asked_ids: Indices, asked_hashes: NDArray[Any]) -> Flags:
    """For each asked id whether it is among the ids with the same hash."""
    if not len(ids):
        return np.zeros(len(asked_ids), bool)
    order = np.argsort(ids)
    same = np.empty(len(asked_ids), bool)
    for start in range(0, len(asked_ids), COMPARED_AT_ONCE):
        part = slice(start, start + COMPARED_AT_ONCE)
        at = order[np.minimum(np.searchsorted(ids, asked_ids[part], sorter=order), len(ids) - 1)]
        same[part] = (ids[at] == asked_ids[part]) & (hashes[at] == asked_hashes[part])
    return same


def _failed(connection: Connection, run_id: int, before: dict[str, NDArray[Any]]) -> Indices:
    """Users of the pages that failed in a run that still succeeded."""
    failed = fetch_columns(connection, _READ_FAILED_PAGES, {"run_id": run_id}, {"start": "int8", "stop": "int8"})
    ids = np.concatenate([before["ids"], before["without_profile"]])
    ranges = zip(failed["start"].tolist(), failed["stop"].tolist(), strict=True)
    return np.concatenate([np.empty(0, np.int64), *(ids[start:stop] for start, stop in ranges)])


def _written_since(connection: Connection, run_id: int) -> Indices:
    """Users whose rows rest on more than that run's snapshot: written since by a run for them alone, or provisional."""
    return fetch_columns(connection, _READ_VIEWERS_WRITTEN_SINCE, {"run_id": run_id}, {"userId": "int8"})["userId"]


def _without_list(connection: Connection) -> Indices:
    return fetch_columns(connection, _READ_VIEWERS_WITHOUT_LIST, {}, {"userId": "int8"})["userId"]


def _liked(connection: Connection, parameters: Parameters, candidates: Indices) -> Indices:
    """Viewers of whom a changed or former candidate is an admirer: the page that computes all knows of such pairs."""
    if parameters.model is None or not len(candidates):
        return np.empty(0, np.int64)
    given = {"ids": candidates, "repeat": parameters.repeat_days is not None}
    return fetch_columns(connection, _READ_LIKED, given, {"userId": "int8"})["userId"]


def _excluded_beside(connection: Connection, base: Base, parameters: Parameters, now: datetime) -> Indices:
    """Viewers for whom the last run found a candidate whom something keeps from them.

    It kept them apart at both snapshots, but not when the viewer's page looked: so nothing else tells.
    """
    if not len(base.changed):
        return np.empty(0, np.int64)
    asked = {"others": base.changed} | exclusions.given(parameters, now)
    return fetch_columns(connection, _READ_EXCLUDED_BESIDE, asked, {"userId": "int8"})["userId"]
