"""Snapshots in the work bucket: taken by a run, found again by later ones, opened once an environment."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.errors import DataUnavailable
from sitejobs.jobs.job import Resources, Run
from sitejobs.matching.options import MATCH_SCORES, SnapshotVariables
from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.candidates import READY_USERS
from sitejobs.matching.snapshot.file import StoredSnapshot, read_whole, write_snapshot
from sitejobs.matching.snapshot.kept_quizzes import KeptQuizzes
from sitejobs.matching.snapshot.kept_rows import KeptRows, read_since
from sitejobs.matching.snapshot.merging import merge_parts
from sitejobs.matching.snapshot.parts import store_part
from sitejobs.matching.snapshot.population import Population, read_population, read_range
from sitejobs.matching.snapshot.snapshot import take_snapshot
from sitejobs.postgres.columns import fetch_columns
from sitejobs.variables import read_environment
from sitejobs.workstore import WorkStore

_READ_FORMER_VIEWERS: Final[LiteralString] = """
SELECT v."userId" FROM "MatchScoreViewer" v
WHERE v."rows" > 0 AND NOT EXISTS (
    SELECT FROM "Profile" p JOIN "User" u ON u."id" = p."userId"
    WHERE p."userId" = v."userId" AND p."deletedAt" IS NULL AND u."deletedAt" IS NULL)
"""
"""Users with stored rows who are viewers no longer."""

_READ_RECENT_SNAPSHOTS: Final[LiteralString] = """
SELECT "context" ->> 'snapshot' FROM "JobRun"
WHERE "job" = %(job)s AND "startedAt" > %(started_at)s - make_interval(secs => %(seconds)s)
  AND "startedAt" <= %(started_at)s
  AND "context" ? 'snapshot'
ORDER BY "startedAt" DESC, "id" DESC LIMIT 3
"""
"""Keys of the newest snapshots of the last `seconds`, newest first."""


def take(
    resources: Resources, run: Run, parameters: Parameters, block_size: int, base: StoredSnapshot | None = None
) -> StoredSnapshot:
    """Read the population and store its snapshot under the run's id. `base`: has what need not be read again."""
    connection = resources.database.connection()
    kept = base.quizzes() if base else None
    population = _population(resources, run, parameters, kept, base)
    now, gone = run.started_at.timestamp(), _former_viewers(run, connection)
    snapshot = take_snapshot(population, gone, now, parameters, block_size, kept)
    with put(resources.work, _key(run)) as path:
        write_snapshot(snapshot, path)
    return opened(resources, _key(run))


def take_part(resources: Resources, run: Run, parameters: Parameters, number: int, first: int, last: int) -> None:
    """Read the users of a key range and store them as a part of the run's snapshot."""
    resources.memory.forget()  # an earlier page's snapshot and segments would take the memory that reading needs
    population = read_range(resources.database.connection(), run.started_at, first, last, parameters)
    store_part(resources.work, _part_key(run, number), population, run.started_at.timestamp(), parameters)


def merge(resources: Resources, run: Run, parameters: Parameters, block_size: int, parts: int) -> StoredSnapshot:
    """Make the run's snapshot of its parts, numbered from 1.

    Raises
    ------
    DataUnavailable : a part is not there, because its page failed.
    """
    resources.memory.forget()
    gone = _former_viewers(run, resources.database.connection())
    keys = [_part_key(run, number) for number in range(1, parts + 1)]
    with put(resources.work, _key(run)) as path:
        try:
            merge_parts(resources.work, keys, path, gone, run.started_at.timestamp(), parameters, block_size)
        except DataUnavailable as error:
            raise DataUnavailable(
                f"a part of the snapshot is missing, the run's failed pages say why: {error}"
            ) from error
    return opened(resources, _key(run))


def recent(resources: Resources, run: Run, parameters: Parameters) -> StoredSnapshot | None:
    """The newest snapshot that is young enough for a single user's run and was taken with these parameters."""
    seconds = read_environment(SnapshotVariables, resources.environment).max_age_seconds
    rows = (
        resources.database.connection()
        .execute(_READ_RECENT_SNAPSHOTS, {"job": run.job, "started_at": run.started_at, "seconds": seconds})
        .fetchall()
    )
    for (key,) in rows:
        try:
            stored = opened(resources, key)
        except DataUnavailable:
            continue  # expired, or the run that names it is still taking it
        if stored.parameters.of_snapshot() == parameters.of_snapshot():
            return stored
    return None


def opened(resources: Resources, key: str) -> StoredSnapshot:
    """The snapshot of this key; the last one stays open for the next page."""
    if not resources.memory.holds(StoredSnapshot, key):
        resources.memory.forget()  # what was made of another snapshot goes with it
    return resources.memory.kept(StoredSnapshot, key, lambda: StoredSnapshot(resources.work, key))


def part_users(environment: Mapping[str, str]) -> int:
    """Most users of a part."""
    return read_environment(SnapshotVariables, environment).part_users


def _former_viewers(run: Run, connection: Connection) -> Indices:
    if run.job != MATCH_SCORES.name:
        return np.empty(0, np.int64)  # only this job has rows of viewers to remove
    return fetch_columns(connection, _READ_FORMER_VIEWERS, {}, {"userId": "int8"})["userId"]


@contextmanager
def put(store: WorkStore, key: str) -> Iterator[Path]:
    """A file to write; then it is stored under the key."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot"
        yield path
        store.put_file(key, path)


def _key(run: Run) -> str:
    return f"snapshots/{run.job}-{run.id}.snap"


def _population(
    resources: Resources, run: Run, parameters: Parameters, quizzes: KeptQuizzes | None, base: StoredSnapshot | None
) -> Population:
    """All users. Beside match-scores' snapshots stand the rows that a later run may keep."""
    connection = resources.database.connection()
    if run.job != MATCH_SCORES.name:
        return read_population(connection, run.started_at, parameters=parameters, kept=quizzes)
    earlier = _kept_rows(resources.work, base.key) if base else None
    population, rows = read_since(connection, run.started_at, parameters, quizzes, earlier)
    if rows and len(population.users["id"]) <= READY_USERS:
        with put(resources.work, _rows_key(_key(run))) as path:
            rows.write(path)
    return population


def _rows_key(key: str) -> str:
    return f"{key}.rows"


def _kept_rows(store: WorkStore, key: str) -> KeptRows | None:
    """The rows beside a snapshot, if there are any."""
    try:
        return KeptRows.of_bytes(read_whole(store, _rows_key(key)))
    except DataUnavailable:
        return None


def _part_key(run: Run, number: int) -> str:
    return f"{_key(run)}.part-{number}"
