"""How long the keyed jobs take, beside a raw COPY of the rows they write: `make bench ARGS=keyed-jobs`.

    python -m benchmarks keyed-jobs --users 10000 100000 --jobs build-user-traits user-interest-sets

A job is measured on a warm machine, from an execution's start to its end: everything from empty tables, with nothing
changed, and with a hundredth of the users changed. With the standard sizes and all jobs the table goes into
docs/benchmarks.md, else it is only printed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, LiteralString

from psycopg import Connection, sql

from benchmarks.command import PAGE, command_parser, keep_results, note
from benchmarks.match_scores import FOR_SURE, TIMES
from benchmarks.site import CHUNK_BYTES, BenchSite, bench_site, some_users
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.database.target import open_target
from sitejobs_local.places import TEMPLATE
from sitejobs_local.runs.runner import workshop_of
from tools.docs import renewed, table

SIZES = (10_000, 100_000)
LIMIT_S = 3600.0
PART = "keyed jobs"


@dataclass(frozen=True)
class Benched:
    """A job as it is measured.

    Attributes
    ----------
    tables : all that it writes.
    changes : what happens to users %(ids)s, each statement to a part of them; each returns the users it changed.
    options : those of a run that are not the defaults.
    """

    name: str
    tables: tuple[str, ...]
    changes: tuple[LiteralString, ...]
    options: Mapping[str, int] = field(default_factory=dict)


JOBS: tuple[Benched, ...] = (
    Benched(
        "build-user-traits",
        ("UserTrait", "UserTraitState", "QuizOptionSeen"),
        (
            """
            UPDATE "QuizResult" r SET "answers" = r."answers" - (SELECT min(k) FROM jsonb_object_keys(r."answers") k)
            WHERE r."userId" = ANY(%(ids)s) AND r."answers" <> '{}' RETURNING r."userId"
            """,
            """
            DELETE FROM "QuizResult" r USING (
                SELECT "userId", min("quizId") AS "quizId" FROM "QuizResult" WHERE "userId" = ANY(%(ids)s) GROUP BY 1
            ) lost WHERE r."userId" = lost."userId" AND r."quizId" = lost."quizId" RETURNING r."userId"
            """,
        ),
    ),
    Benched(
        "user-interest-sets",
        ("InterestUserSet", "InterestSubjectUserSet", "InterestSetState"),
        (
            """
            DELETE FROM "UserInterest" i USING (
                SELECT "userId", min("interestId") AS "interestId" FROM "UserInterest"
                WHERE "userId" = ANY(%(ids)s) GROUP BY 1
            ) lost WHERE i."userId" = lost."userId" AND i."interestId" = lost."interestId" RETURNING i."userId"
            """,
            """
            INSERT INTO "UserInterest" ("userId", "subjectId", "interestId")
            SELECT u."id", i."subjectId", i."id" FROM unnest(%(ids)s::bigint[]) AS u ("id")
            CROSS JOIN (SELECT "id", "subjectId" FROM "Interest" ORDER BY "id" DESC LIMIT 1) i
            ON CONFLICT DO NOTHING RETURNING "userId"
            """,
        ),
    ),
    Benched(
        "searchable-user",
        ("SearchableUser",),
        (
            """
            UPDATE "Profile" SET "avatarUrl" = CASE WHEN "avatarUrl" IS NULL THEN 'new' END
            WHERE "userId" = ANY(%(ids)s) RETURNING "userId"
            """,
            """UPDATE "Profile" SET "isVisible" = NOT "isVisible" WHERE "userId" = ANY(%(ids)s) RETURNING "userId" """,
        ),
    ),
    Benched(
        "profile-search-index",
        ("ProfileSearchIndex",),
        (
            """UPDATE "Profile" SET "bio" = 'climbs' WHERE "userId" = ANY(%(ids)s) RETURNING "userId" """,
            """
            UPDATE "Profile" SET "birthdate" = "birthdate" - 400
            WHERE "userId" = ANY(%(ids)s) RETURNING "userId"
            """,
        ),
        # With batches of 100 and pauses between them, mostly pauses and steps of the state machine would be timed.
        {"userBatchSize": 1000, "pauseMs": 0},
    ),
)
"""A job that is not listed here is not measured."""


@dataclass(frozen=True)
class Figures:
    """One job on one site. Times are those of executions, in seconds; one entry a repetition."""

    job: str
    users: int
    rows: int
    pages: int
    full: list[float]
    raw: list[float]
    nothing: list[float]
    changed: int
    incremental: list[float]


class Machine:
    """A warm machine for one job on one site."""

    def __init__(self, machine: LocalMachine, job: str, options: Mapping[str, int]) -> None:
        self._machine = machine
        self._job = job
        self._options = options

    def run(self, **options: Any) -> tuple[float, dict[str, Any]]:
        """Seconds from the execution's start to its end, and its summary."""
        started = time.perf_counter()
        execution = self._machine.wait(
            self._machine.start(self._job, {**self._options, **options, "trigger": "cli"}), LIMIT_S
        )
        seconds = time.perf_counter() - started
        if execution.status != "SUCCEEDED":
            raise RuntimeError(f"{self._job} ended {execution.status}: {execution.error}")
        return seconds, execution.output

    def timed(self, **options: bool) -> tuple[float, int]:
        """Seconds of a run, and the rows that it wrote."""
        seconds, summary = self.run(**options)
        return seconds, int(summary["written"])


def measure(job: Benched, site: BenchSite, users: int, seed: int, times: int) -> Figures:
    """All figures of a job on a site."""
    with connect(site.url) as connection, warm_machine(site, job) as machine:
        full = []
        for repetition in range(times + 1):
            empty(connection, job)
            seconds, summary = machine.run()
            full += [seconds] if repetition else []  # the first one starts the functions' processes
        raw = [raw_copy(connection, job) for _ in range(times)]
        settle(connection, job)
        nothing = [machine.run(incremental=True)[0] for _ in range(times)]
        changed, incremental = 0, []
        for repetition in range(times):
            changed = change(connection, job, seed + repetition, max(2, users // 100))
            incremental.append(machine.run(incremental=True)[0])
    rows, pages = int(summary["written"]), int(summary["pages"])
    return Figures(job.name, users, rows, pages, full, raw, nothing, changed, incremental)


@contextmanager
def warm_machine(site: BenchSite, job: Benched) -> Iterator[Machine]:
    """The machine that the command line would start."""
    with open_target(site.environ) as target:
        workshop = workshop_of(target, site.environ, job.name)
        with LocalMachine(
            TEMPLATE,
            database_url=target.url,
            log_file=workshop.log_file,
            work_folder=workshop.work_folder,
            prewarm=(job.name,),
        ) as machine:
            yield Machine(machine, job.name, job.options)


def empty(connection: Connection, job: Benched) -> None:
    """Empty the job's tables."""
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, job.tables))))
    connection.execute("CHECKPOINT")


def settle(connection: Connection, job: Benched) -> None:
    """Vacuum and checkpoint now, so that the server does not do so during a run."""
    for name in job.tables:
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(name)))
    connection.execute("CHECKPOINT")


def raw_copy(connection: Connection, job: Benched) -> float:
    """Seconds to COPY the rows of all its tables into empty copies of them, with their indexes."""
    return sum(_copied(connection, name) for name in job.tables)


def _copied(connection: Connection, name: str) -> float:
    names = {"table": sql.Identifier(name), "copy": sql.Identifier(f"{name}Copy")}
    with tempfile.TemporaryFile() as file, connection.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY {table} TO STDOUT (FORMAT BINARY)").format(**names)) as copy:
            for data in copy:
                file.write(data)
        file.seek(0)
        connection.execute(sql.SQL("CREATE TABLE {copy} (LIKE {table} INCLUDING ALL)").format(**names))
        connection.execute("CHECKPOINT")
        started = time.perf_counter()
        with cursor.copy(sql.SQL("COPY {copy} FROM STDIN (FORMAT BINARY)").format(**names)) as copy:
            while chunk := file.read(CHUNK_BYTES):
                copy.write(chunk)
        seconds = time.perf_counter() - started
        connection.execute(sql.SQL("DROP TABLE {copy}").format(**names))
    return seconds


def change(connection: Connection, job: Benched, seed: int, count: int) -> int:
    """Change about so many users; returns how many had what was to change."""
    ids = some_users(connection, seed, count)
    changed: set[int] = set()
    for at, statement in enumerate(job.changes):
        changed |= {row[0] for row in connection.execute(statement, {"ids": ids[at :: len(job.changes)]})}
    return len(changed)


def keyed_table(figures: Sequence[Figures]) -> str:
    """A row a job and size."""
    head = (
        "job", "users", "rows", "everything", "rows/s", "raw COPY", "x raw", "nothing changed", "changed",
        "incremental", "of everything",
    )  # fmt: skip
    return table(head, [_row(it) for it in sorted(figures, key=lambda it: (it.job, it.users))])


PARTS: dict[str, Callable[[Sequence[Figures]], str]] = {PART: keyed_table}
"""The marked parts of the page, and what makes them."""


def _row(it: Figures) -> tuple[str, ...]:
    full, raw, incremental = median(it.full), median(it.raw), median(it.incremental)
    return (
        it.job,
        f"{it.users:,}",
        f"{it.rows:,}",
        f"{full:.2f} s",
        f"{it.rows / full:,.0f}",
        f"{raw:.2f} s",
        f"{full / raw:.2f}",
        f"{median(it.nothing):.2f} s",
        f"{it.changed:,} users",
        f"{incremental:.2f} s",
        f"{incremental / full:.1%}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the table; returns the exit status."""
    given = _parser().parse_args(arguments)
    given.results.parent.mkdir(parents=True, exist_ok=True)
    if given.render:
        figures = [Figures(**value) for value in json.loads(given.results.read_text())]
    else:
        figures = run(given.users, given.jobs, given.seed, given.folder, given.results, given.times)
    contents = {name: make(figures) for name, make in PARTS.items()}
    print("\n\n".join(contents.values()))
    standard = tuple(given.users) == SIZES and len(given.jobs) == len(JOBS)
    page = given.docs or (PAGE if given.render or standard else None)
    if page is not None:
        text = page.read_text()
        for name, content in contents.items():
            text = renewed(text, name, content)
        page.write_text(text)
        note(f"written to {page}")
    return 0


def run(
    sizes: Sequence[int], jobs: Sequence[str], seed: int, folder: Path, results: Path, times: int | None = None
) -> list[Figures]:
    """Measure each size; what is done is kept in the file `results`, should a later one fail."""
    figures: list[Figures] = []
    for users in sizes:
        note(f"{users:,} users: making the site")
        with bench_site(folder, users, seed) as site:
            for job in JOBS:
                if job.name in jobs:
                    note(job.name)
                    figures.append(measure(job, site, users, seed, times or (TIMES if users <= FOR_SURE else 1)))
                    results.write_text(json.dumps([asdict(it) for it in figures], indent=1))
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("keyed-jobs", __doc__)
    names = [job.name for job in JOBS]
    parser.add_argument("--users", type=int, nargs="+", default=list(SIZES), help="sizes of the sites")
    parser.add_argument("--jobs", nargs="+", choices=names, default=names, help="the jobs to measure")
    parser.add_argument("--seed", type=int, default=1, help="another seed: other sites")
    parser.add_argument("--times", type=int, help=f"repetitions, else {TIMES} up to {FOR_SURE:,} users and 1 beyond")
    keep_results(parser, "keyed-jobs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
