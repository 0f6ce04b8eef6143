"""A synthetic site in an embedded PostgreSQL of its own, and what is timed on it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, LiteralString

from psycopg import Connection, sql

from benchmarks.figures import ChangeFigures, PartFigures, RunFigures, UserFigures
from benchmarks.servers import running_server
from benchmarks.watching import Watch
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import reset
from sitejobs_local.database.target import open_target
from sitejobs_local.places import TEMPLATE
from sitejobs_local.runs.runner import workshop_of

JOB = "match-scores"
CHUNK_BYTES = 1 << 20

_EMPTY = """TRUNCATE "MatchList", "MatchListChange", "MatchScoreViewer" """
_VACUUM = "VACUUM (ANALYZE) {table}"
_COUNT = "SELECT count(*) FROM {table}"
_SIZE = "SELECT pg_total_relation_size({name})"
_COPY_OUT = "COPY {table} TO STDOUT (FORMAT BINARY)"
_CREATE_COPY = "CREATE TABLE {copy} (LIKE {table} INCLUDING ALL)"
_COPY_IN = "COPY {copy} FROM STDIN (FORMAT BINARY)"
_DROP_COPY = "DROP TABLE {copy}"
_USERS = """
SELECT p."userId" FROM "Profile" p JOIN "User" u ON u."id" = p."userId"
WHERE p."deletedAt" IS NULL AND u."deletedAt" IS NULL
ORDER BY hashint8extended(p."userId", %(seed)s) LIMIT %(limit)s
"""
# A third of the changed users get a new place, a third lose an interest, a third get another trait.
MOVE = """
UPDATE "Profile" SET "lat" = "lat" + 0.01, "updatedAt" = CURRENT_TIMESTAMP AT TIME ZONE 'UTC'
WHERE "userId" = ANY(%(ids)s) RETURNING "userId"
"""
LOSE_INTEREST = """
DELETE FROM "UserInterest" i USING (
    SELECT "userId", min("interestId") AS "interestId" FROM "UserInterest" WHERE "userId" = ANY(%(ids)s) GROUP BY 1
) lost WHERE i."userId" = lost."userId" AND i."interestId" = lost."interestId" RETURNING i."userId"
"""
TURN_TRAIT = """
UPDATE "UserTrait" t SET "value" = CASE WHEN t."value" > 0 THEN -5 ELSE 5 END FROM (
    SELECT "userId", min("traitKey") AS "traitKey" FROM "UserTrait" WHERE "userId" = ANY(%(ids)s) GROUP BY 1
) turned WHERE t."userId" = turned."userId" AND t."traitKey" = turned."traitKey" RETURNING t."userId"
"""
_CHANGES = (MOVE, LOSE_INTEREST, TURN_TRAIT)


@dataclass(frozen=True)
class BenchSite:
    """A loaded site; its server runs. `environ` points commands at it and at nothing else."""

    home: Path
    url: str
    environ: Mapping[str, str]
    load_seconds: float

    def whole_run(self, *options: str) -> RunFigures:
        """The command, cold, on an empty table."""
        with connect(self.url) as connection:
            connection.execute(_EMPTY)
            connection.execute("CHECKPOINT")
        return self.run(*options)

    def run(self, *options: str) -> RunFigures:
        """The command as a user types it."""
        summary, seconds, peaks = self.command(JOB, "--json", *options)
        return RunFigures(
            seconds=seconds,
            rows=int(summary["written"]),
            pages=int(summary["pages"]),
            batch_peak_kb=peaks.get("match_scores.app.batch", 0),
            plan_peak_kb=peaks.get("match_scores.app.plan", 0),
        )

    def raw_copies(self, times: int, table: str = "MatchList", rows: str = "MatchScore") -> tuple[list[float], float]:
        """Seconds to COPY a table into an empty copy, and its bytes for each of the `rows` that a view shows of it."""
        with connect(self.url) as connection, tempfile.TemporaryDirectory(dir=self.home) as folder:
            # Vacuum first, so that the server does not do so during the copy.
            connection.execute(_about(table, _VACUUM))
            count, size = (
                connection.execute(statement).fetchone() for statement in (_about(rows, _COUNT), _about(table, _SIZE))
            )
            assert count is not None
            assert size is not None
            file = Path(folder) / "rows"
            _copy_out(connection, file, table)
            return [_copy_in(connection, file, table) for _ in range(times)], size[0] / max(count[0], 1)

    def parts(self) -> PartFigures:
        """A snapshot in one piece, and the brute force, in a process with one thread."""
        return PartFigures(**in_one_thread("benchmarks.parts", environ={**self.environ, "DATABASE_URL": self.url}))

    def single_users(self, seed: int, count: int) -> UserFigures:
        """Runs for so many users, a snapshot being at hand: the medians."""
        with connect(self.url) as connection:
            users = some_users(connection, seed, count)
        commands = [self.command(JOB, "--json", f"--userId={user}")[1] for user in users]
        return UserFigures(median(self._execution(user) for user in users), median(commands))

    def changes(self, seed: int, users: int) -> ChangeFigures:
        """Incremental runs after a whole one: nothing changed, and a hundredth of the users."""
        nothing = self.run("--incremental")
        with connect(self.url) as connection:
            changed = _change(connection, seed, max(3, users // 100))
        summary, seconds, _ = self.command(JOB, "--json", "--incremental")
        some = RunFigures(seconds, int(summary["written"]), int(summary["pages"]))
        fresh = int(summary["reasons"].get("fresh", 0))
        return ChangeFigures(nothing, some, changed, int(summary["processed"]) - fresh)

    def _execution(self, user_id: int) -> float:
        """Seconds from an execution's start to its end, on a machine that has just been started."""
        from sitejobs_local.aws.machine import LocalMachine

        with open_target(self.environ) as target:
            workshop = workshop_of(target, self.environ, JOB)
            with LocalMachine(
                TEMPLATE,
                database_url=target.url,
                log_file=workshop.log_file,
                work_folder=workshop.work_folder,
                prewarm=(JOB,),
            ) as machine:
                started = time.perf_counter()
                execution = machine.run(JOB, {"userId": user_id, "trigger": "cli"})
                seconds = time.perf_counter() - started
        if execution.status != "SUCCEEDED":
            raise RuntimeError(f"the run for one user ended {execution.status}: {execution.error}")
        return seconds

    def command(self, *arguments: str) -> tuple[dict[str, Any], float, Mapping[str, int]]:
        """The summary, the seconds, and the functions' peaks."""
        started = time.perf_counter()
        with _start(arguments, self.environ) as process, Watch(process) as watch:
            output, _ = process.communicate()
            seconds = time.perf_counter() - started
        if process.returncode != 0:
            raise RuntimeError(f"sitejobs {' '.join(arguments)} failed: {output.strip()}")
        summary: dict[str, Any] = json.loads(output)
        return summary, seconds, watch.peaks


@contextmanager
def bench_site(
    folder: Path, users: int, seed: int, variables: Mapping[str, str] | None = None, server: Path | None = None
) -> Iterator[BenchSite]:
    """A site in a new home below `folder`, removed at the end. As root the server's user must reach the folder.

    `variables`: more for the environment of its commands. `server`: as in `running_server`.
    """
    home = Path(tempfile.mkdtemp(prefix="sitejobs-bench-", dir=folder))
    try:
        with kept_site(home, users, seed, variables, server) as site:
            yield site
    finally:
        reset(home)
        shutil.rmtree(home)


@contextmanager
def kept_site(
    home: Path, users: int, seed: int, variables: Mapping[str, str] | None = None, server: Path | None = None
) -> Iterator[BenchSite]:
    """The site in this home, made if there is none yet; it stays."""
    home.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        home.chmod(0o711)
    environ = {**own_environ(), **(variables or {}), "SITEJOBS_HOME": str(home)}
    with running_server(home, server) as url:
        if server is not None:
            environ |= {"DATABASE_URL": url, "DATABASE_SEARCH_PATH": "public"}
        started = time.perf_counter()
        with connect(url) as connection:
            there = _has_site(connection)
        if not there:
            with _start(("population", "--users", str(users), "--seed", str(seed)), environ) as process:
                output, _ = process.communicate()
            if process.returncode != 0:
                raise RuntimeError(f"the site could not be made: {output.strip()}")
        seconds = time.perf_counter() - started
        with connect(url) as connection:
            connection.execute("VACUUM")
        yield BenchSite(home, url, environ, seconds)


def own_environ() -> dict[str, str]:
    """This process's variables but for those that would make another site or another run of it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}


_NOT_OURS = ("DATABASE_", "PG", "SITEJOBS_", "MATCH_", "COMPATIBILITY_", "SNAPSHOT_", "PYTHONDONT")
"""Variables of this environment that would make another site or another run of it, or keep Python from remembering
what it has compiled: a user's command starts with that."""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}


def in_one_thread(module: str, *arguments: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """What a module of ours prints as JSON, run in a process of its own whose matrix products take one thread."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, env={**environ, **_ONE_THREAD}, cwd=TEMPLATE.parent, stdout=subprocess.PIPE, text=True, check=True
    )
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def _has_site(connection: Connection) -> bool:
    row = connection.execute("""SELECT to_regclass('"User"') IS NOT NULL""").fetchone()
    assert row is not None
    return bool(row[0]) and connection.execute("""SELECT FROM "User" LIMIT 1""").fetchone() is not None


def _start(arguments: tuple[str, ...], environ: Mapping[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "sitejobs_local.cli", *arguments]
    return subprocess.Popen(command, env=dict(environ), stdout=subprocess.PIPE, text=True)


def _about(table: str, statement: LiteralString) -> sql.Composed:
    """The statement with the table's name, and that of its copy, put in."""
    names = {"table": sql.Identifier(table), "copy": sql.Identifier(f"{table}Copy"), "name": sql.Literal(f'"{table}"')}
    return sql.SQL(statement).format(**names)


def _copy_out(connection: Connection, path: Path, table: str) -> None:
    with path.open("wb") as file, connection.cursor() as cursor, cursor.copy(_about(table, _COPY_OUT)) as copy:
        for data in copy:
            file.write(data)


def _copy_in(connection: Connection, path: Path, table: str) -> float:
    """Seconds until the rows are committed."""
    connection.execute(_about(table, _CREATE_COPY))
    connection.execute("CHECKPOINT")
    started = time.perf_counter()
    with path.open("rb") as file, connection.cursor() as cursor, cursor.copy(_about(table, _COPY_IN)) as copy:
        while data := file.read(CHUNK_BYTES):
            copy.write(data)
    seconds = time.perf_counter() - started
    connection.execute(_about(table, _DROP_COPY))
    return seconds


def some_users(connection: Connection, seed: int, limit: int) -> list[int]:
    """Ids of so many undeleted users with a profile, others for another seed."""
    return [row[0] for row in connection.execute(_USERS, {"seed": seed, "limit": limit})]


def _change(connection: Connection, seed: int, count: int) -> int:
    """Change about so many users; returns how many had what was to change."""
    ids = some_users(connection, seed + 1, count)
    changed: set[int] = set()
    for at, statement in enumerate(_CHANGES):
        part = ids[at :: len(_CHANGES)]
        changed |= {row[0] for row in connection.execute(statement, {"ids": part})}
    return len(changed)
