"""match-scores of an older version and of this one, by turns on two equal sites: `make bench ARGS="beside ..."`.

    python -m benchmarks beside --old=COMMIT --users 10000 --seed 1

What a full run costs in processor time, log and space, and what a second one leaves behind. Of several times the least
counts: another program can only add to them.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, LiteralString

import psutil
from psycopg import Connection, sql

from benchmarks.command import ROOT, command_parser, note
from benchmarks.servers import programs
from benchmarks.site import JOB, BenchSite, bench_site
from sitejobs.postgres.connection import connect
from tools.docs import table

_TABLES: Final[LiteralString] = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relname IN ('MatchScore', 'MatchScoreRow', 'MatchList', 'MatchListChange', 'MatchScoreViewer')
ORDER BY 1
"""
"""The tables of match-scores, which differ from version to version."""

_LOG_POSITION: Final[LiteralString] = "SELECT pg_current_wal_insert_lsn() - '0/0'"
_SIZE: Final[LiteralString] = "SELECT pg_total_relation_size({name}::regclass)"
_DEAD: Final[LiteralString] = """
SELECT sum((pgstattuple(oid)).dead_tuple_len) FROM pg_class
WHERE oid = {name}::regclass OR oid = (SELECT reltoastrelid FROM pg_class WHERE oid = {name}::regclass)
"""


@dataclass(frozen=True)
class Cost:
    """What one full run took: seconds of a clock and of processors, bytes of write-ahead log and of tables."""

    wall: float
    server: float
    functions: float
    log: float
    size: float


@dataclass(frozen=True)
class Second:
    """What a full run over the lists of the one before left: bytes of dead rows, seconds of a processor to vacuum."""

    dead: float
    vacuum: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = command_parser("beside", __doc__)
    parser.add_argument("--old", required=True, help="commit to compare with")
    parser.add_argument("--users", type=int, default=10_000, help="size of the sites")
    parser.add_argument("--seed", type=int, default=1, help="another seed: other sites")
    parser.add_argument("--server", type=programs, help="folder of PostgreSQL's programs; otherwise the embedded ones")
    parser.add_argument("--times", type=int, default=1, help="repetitions of each full run")
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        sites: dict[str, BenchSite] = {}
        for name, tree in {"old": stack.enter_context(_checkout(given.old)), "new": ROOT}.items():
            note(f"{name}: making a site of {given.users:,} users")
            path = {"PYTHONPATH": f"{tree / 'layers' / 'sitejobs'}:{tree / 'local'}"}
            sites[name] = stack.enter_context(bench_site(given.folder, given.users, given.seed, path, given.server))
        first: dict[str, Cost] = {}
        for turn in range(given.times):
            for name, site in sites.items():
                note(f"{name}: full run {turn + 1} of {given.times}")
                first[name] = least(first.get(name), full_run(site))
        second = {}
        for name, site in sites.items():
            note(f"{name}: a second full run")
            second[name] = _second_run(site)
    print(shown(first, second))
    return 0


def shown(first: Mapping[str, Cost], second: Mapping[str, Second]) -> str:
    """The figures as a table: those of two names, and the later one's share of the earlier one's."""
    rows, names = [], tuple(first)
    for what, name, unit, scale in _ROWS:
        if name in _OF_SECOND and not second:
            continue
        before, after = (getattr((second if name in _OF_SECOND else first)[side], name) for side in names)
        share = f"{after / before:.2f}" if before else ""
        rows.append((what, f"{before / scale:,.2f} {unit}", f"{after / scale:,.2f} {unit}", share))
    return table(("", *names, " / ".join(reversed(names))), rows)


_OF_SECOND = frozenset(item.name for item in fields(Second))
_ROWS = (
    ("whole run", "wall", "s", 1.0),
    ("processor time of the server", "server", "s", 1.0),
    ("processor time of the functions", "functions", "s", 1.0),
    ("write-ahead log", "log", "MB", 1e6),
    ("size of the tables", "size", "MB", 1e6),
    ("dead after a second full run", "dead", "MB", 1e6),
    ("processor time to vacuum them", "vacuum", "s", 1.0),
)


@contextmanager
def _checkout(commit: str) -> Iterator[Path]:
    """The files of a commit, in a folder that goes at the end."""
    with tempfile.TemporaryDirectory(prefix="sitejobs-old-") as folder:
        files = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=files, check=True)
        yield Path(folder)


def full_run(site: BenchSite) -> Cost:
    """A full run into empty tables."""
    with connect(site.url) as connection:
        tables = _tables(connection)
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, tables))))
        connection.execute("CHECKPOINT")
        server, functions, log = _Server(connection), _functions(), _number(connection, _LOG_POSITION)
        begun, started = server.seconds(), time.perf_counter()
        site.command(JOB, "--json")
        wall = time.perf_counter() - started
        return Cost(
            wall=wall,
            server=server.seconds() - begun,
            functions=_functions() - functions,
            log=_number(connection, _LOG_POSITION) - log,
            size=sum(_number(connection, _SIZE, name) for name in tables),
        )


def _second_run(site: BenchSite) -> Second:
    site.command(JOB, "--json")
    with connect(site.url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pgstattuple")
        tables = _tables(connection)
        dead = sum(_number(connection, _DEAD, name) for name in tables)
        backend = psutil.Process(connection.info.backend_pid)
        begun = _busy(backend)
        for name in tables:
            connection.execute(sql.SQL("VACUUM {}").format(sql.Identifier(name)))
        return Second(dead, _busy(backend) - begun)


class _Server:
    """Processor time of a database server without the session that asks."""

    def __init__(self, connection: Connection) -> None:
        self._own = connection.info.backend_pid
        self._main = psutil.Process(self._own).parent()

    def seconds(self) -> float:
        """Of all its processes, those that have ended included."""
        times = self._main.cpu_times()
        alive = [process for process in self._main.children() if process.pid != self._own]
        return float(sum(times[:4]) + sum(map(_busy, alive)))


def _busy(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.NoSuchProcess:
        return 0.0


def _functions() -> float:
    """Processor time of the commands so far, and of the functions that they ran."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tables(connection: Connection) -> list[str]:
    return [str(name) for (name,) in connection.execute(_TABLES)]


def _number(connection: Connection, query: LiteralString, name: str = "") -> float:
    row = connection.execute(sql.SQL(query).format(name=sql.Literal(f'"{name}"'))).fetchone()
    return float(row[0] or 0) if row else 0.0


def least(known: Cost | None, found: Cost) -> Cost:
    """The least of each figure."""
    if known is None:
        return found
    return Cost(*(min(getattr(known, item.name), getattr(found, item.name)) for item in fields(Cost)))


if __name__ == "__main__":
    sys.exit(main())
