"""Snapshots in the work bucket: taken by a run, found again by later ones, opened once an environment."""

import tempfile
from pathlib import Path
from typing import Final, LiteralString

from pydantic import Field

from sitejobs.errors import DataUnavailable
from sitejobs.jobs.job import Resources, Run
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.file import StoredSnapshot, write_snapshot
from sitejobs.matching.snapshot.population import read_population
from sitejobs.matching.snapshot.snapshot import take_snapshot
from sitejobs.postgres.columns import fetch_columns
from sitejobs.variables import Variables, read_environment

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


class SnapshotVariables(Variables):
    """The SNAPSHOT_* variables."""

    max_age_seconds: int = Field(default=3600, alias="SNAPSHOT_MAX_AGE_SECONDS", ge=0)


def take(resources: Resources, run: Run, parameters: Parameters, block_size: int) -> StoredSnapshot:
    """Read the population and store its snapshot under the run's id."""
    connection = resources.database.connection()
    now = run.started_at.timestamp()
    population = read_population(connection, run.started_at)
    gone = fetch_columns(connection, _READ_FORMER_VIEWERS, {}, {"userId": "int8"})["userId"]
    snapshot = take_snapshot(population, gone, now, parameters, block_size)
    key = f"snapshots/match-scores-{run.id}.snap"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot"
        write_snapshot(snapshot, path)
        resources.work.put_file(key, path)
    return opened(resources, key)


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
