"""A site whose runs are disturbed from outside: by locks, triggers, signals and sessions ended by the server."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row

from sitejobs.aliases import JsonObject
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import Execution, LocalMachine
from sitejobs_local.database.postgres import Server
from tests.limits import PATIENCE_S

PLAN, BATCH = "MatchScoresPlanFunction", "MatchScoresFunction"
RECORD, FINISH = "RunsRecordFunction", "RunsFinishFunction"

OPTIONS: JsonObject = {"batchSize": 40, "pauseMs": 0, "topK": 20, "maxConcurrency": 2, "rewriteEpsilon": 0}
"""About eight pages, two at a time."""


Rows = dict[tuple[int, int], dict[str, Any]]
Listener = Callable[[Event], None]

_ROWS = """SELECT * FROM "MatchScore" """
_VIEWERS_OFF = """
SELECT v."userId" FROM "MatchScoreViewer" v
LEFT JOIN LATERAL (
    SELECT count(*) AS "count", COALESCE(max("rank"), 0) AS "last", count(DISTINCT "rank") AS "ranks",
           COALESCE(bool_and(m."scoredAt" <= v."scoredAt") AND min(m."scoredAt") = max(m."scoredAt"), true) AS "own"
    FROM "MatchScore" m WHERE m."userId" = v."userId") stored ON true
WHERE NOT (stored."count" = v."rows" AND stored."last" = v."rows" AND stored."ranks" = v."rows" AND stored."own")
UNION ALL
SELECT m."userId" FROM "MatchScore" m
WHERE NOT EXISTS (SELECT FROM "MatchScoreViewer" v WHERE v."userId" = m."userId")
"""
_WAITING = """
SELECT "pid" FROM pg_stat_activity
WHERE "datname" = current_database() AND "wait_event_type" = 'Lock' AND "pid" <> ALL(%s)
"""
_SESSIONS = """
SELECT "pid" FROM pg_stat_activity
WHERE "datname" = %s AND "pid" <> pg_backend_pid() AND "backend_type" = 'client backend'
"""
_GATE = """
CREATE OR REPLACE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {condition} THEN PERFORM pg_advisory_xact_lock_shared(1); END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER gate BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION gate()
"""


@dataclass
class Gate:
    """A lock that the run's sessions wait for while it is closed. `holder`: the session that closes it."""

    holder: Connection
    watcher: Connection
    close: Callable[[], object]
    open: Callable[[], object]

    def wait(self, sessions: int = 1) -> list[int]:
        """Wait until this many sessions wait for a lock; returns their ids."""
        deadline = time.monotonic() + PATIENCE_S
        mine = [self.holder.info.backend_pid]
        while len(found := [row[0] for row in self.watcher.execute(_WAITING, [mine])]) < sessions:
            assert time.monotonic() < deadline, f"{len(found)} sessions wait, not {sessions}"
            time.sleep(0.005)
        return found


LONGER_THAN_A_LOOK_MS = 5000
"""How long a page that has written its rows waits for us to look, on a busy machine."""


@dataclass
class Site:
    """One database, and the machine that runs jobs on it. Each call opens a connection, since any may be ended."""

    server: Server
    url: str
    log: Path
    _machine: LocalMachine | None = None
    events: list[Event] = field(default_factory=list)
    listener: Listener | None = None
    started: list[str] = field(default_factory=list)

    @property
    def machine(self) -> LocalMachine:
        assert self._machine is not None
        return self._machine

    @machine.setter
    def machine(self, machine: LocalMachine) -> None:
        self._machine = machine

    # ---- runs

    def run(self, **options: Any) -> Execution:
        return self.wait(self.start(**options))

    def start(self, **options: Any) -> str:
        self.started.append(self.machine.start("match-scores", OPTIONS | options))
        return self.started[-1]

    def forget(self) -> None:
        """End what a test has left running, and forget recorded failures."""
        self.listener = None
        for execution in self.started:
            if self.machine.describe(execution).status == "RUNNING":
                self.machine.stop(execution)
                for function in (PLAN, BATCH, RECORD, FINISH):
                    self.kill_workers(function)
        self.started.clear()
        self.events.clear()

    def wait(self, execution: str) -> Execution:
        return self.machine.wait(execution, PATIENCE_S)

    def call(self, function: str, event: JsonObject) -> JsonObject:
        """Call a function through the Lambda API; returns its answer."""
        lambdas = self.machine.client("lambda")
        answer = lambdas.invoke(FunctionName=self.function(function), Payload=json.dumps(event))
        parsed: JsonObject = json.loads(answer["Payload"].read())
        return parsed

    def function(self, logical_id: str) -> str:
        return self.machine.template.functions[logical_id].name

    def hear(self, event: Event) -> None:
        """The machine's listener."""
        self.events.append(event)
        if self.listener is not None:
            self.listener(event)

    def errors(self, function: str) -> list[str]:
        """The errors of the function's failed calls: name and message."""
        return [
            f"{event.error['errorType']}: {event.error['errorMessage']}"
            for event in self.events
            if event.error is not None and event.function == self.function(function)
        ]

    # ---- what is stored

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> Rows:
        """Every stored match, all columns but scoredAt."""
        with connect(self.url) as connection:
            found = connection.cursor(binary=True, row_factory=dict_row).execute(_ROWS).fetchall()
        for row in found:
            del row["scoredAt"]
        return {(row["userId"], row["candidateUserId"]): row for row in found}

    def rows_of(self, viewer: int) -> Rows:
        return {key: row for key, row in self.rows().items() if key[0] == viewer}

    def assert_whole(self) -> None:
        """Check that no viewer has rows of two runs, more or fewer rows than were written, or a rank twice."""
        assert self.query(_VIEWERS_OFF) == []

    def run_rows(self) -> list[tuple[Any, ...]]:
        """Scope, status and error of each run, oldest first."""
        return self.query('SELECT "scope", "status", "error" FROM "JobRun" ORDER BY "id"')

    def failed_pages(self) -> list[tuple[Any, ...]]:
        return self.query('SELECT "page", "error", "detail" FROM "JobRunFailedPage" ORDER BY "runId", "page"')

    def real_clock(self) -> None:
        """Let runs start at the real time; otherwise all start at one moment, so that their rows can be compared."""
        self.query('ALTER TABLE "JobRun" ALTER "startedAt" SET DEFAULT now()')

    def age(self, seconds: int = 7200) -> None:
        """Set back the heartbeat of the running runs by this long."""
        self.query('UPDATE "JobRun" SET "heartbeatAt" = "heartbeatAt" - make_interval(secs => %s)', seconds)

    def set_database(self, setting: str) -> None:
        """Change a server setting for all sessions that begin from now on."""
        with connect(self.url) as connection:
            name = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL("ALTER DATABASE {} SET {}").format(name, sql.SQL(setting)))

    # ---- disturbances

    @contextmanager
    def gate(self, table: str, condition: str) -> Iterator[Gate]:
        """Close the gate: inserts of rows that fulfil a condition on NEW wait for it."""
        with connect(self.url) as holder, connect(self.url) as watcher:
            holder.execute(_GATE.format(condition=condition, table=f'"{table}"').encode())
            gate = Gate(
                holder,
                watcher,
                close=lambda: holder.execute("SELECT pg_advisory_lock(1)"),
                open=lambda: holder.execute("SELECT pg_advisory_unlock(1)"),
            )
            gate.close()
            yield gate

    @contextmanager
    def lock(self, statement: str) -> Iterator[Gate]:
        """An open gate. Closing it runs a statement in its holder's transaction, which then holds the locks."""
        with connect(self.url) as holder, connect(self.url) as watcher:
            yield Gate(
                holder,
                watcher,
                close=lambda: holder.execute(b"BEGIN; " + statement.encode()),
                open=lambda: holder.execute("COMMIT"),
            )

    def kill_workers(self, function: str) -> None:
        """Kill every environment of a function, and wait until none of them can take an event."""
        pids = self.machine._pool.pids(self.function(function))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            with suppress(ChildProcessError):  # the machine has noticed already
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def assert_killed(self, function: str, times: int) -> None:
        """At least so often: an environment that was killed before its first event fails the event that it is given."""
        errors = self.errors(function)
        assert len(errors) >= times
        assert all(error.startswith("Runtime.ExitError: ") for error in errors), errors

    @contextmanager
    def administrator(self) -> Iterator[Connection]:
        with psycopg.connect(self.server.database_url("postgres"), autocommit=True) as connection:
            yield connection

    def end_sessions(self) -> int:
        """End every session of the site's database; returns how many there were."""
        with self.administrator() as administrator:
            pids = [row[0] for row in administrator.execute(_SESSIONS, [self.name])]
            for pid in pids:
                administrator.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return len(pids)

    def take_away(self) -> None:
        """Refuse new logins to the database, and end all sessions."""
        self._allow_connections(False)
        self.end_sessions()

    def bring_back(self) -> None:
        self._allow_connections(True)

    def away_during_first(self, function: str) -> None:
        """Make the database unavailable when the function is first called, until that call has failed."""
        name, once = self.function(function), threading.Event()

        def listen(event: Event) -> None:
            if event.function == name and event.kind == "started" and not once.is_set():
                once.set()
                self.take_away()
            elif event.function == name and event.error is not None:
                self.bring_back()

        self.listener = listen

    def after_plan(self, change: Callable[[], object]) -> None:
        """Make a change after Plan has answered, before any page begins."""
        name = self.function(PLAN)

        def listen(event: Event) -> None:
            if event.function == name and event.kind == "finished":
                change()

        self.listener = listen

    @property
    def name(self) -> str:
        return str(psycopg.conninfo.conninfo_to_dict(self.url)["dbname"])

    def _allow_connections(self, allowed: bool) -> None:
        with self.administrator() as administrator:
            statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
            administrator.execute(statement.format(sql.Identifier(self.name), sql.Literal(allowed)))
