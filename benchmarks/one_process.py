"""Runs of jobs in this process: a function's handlers one call after another, and what each call takes.

What is measured hardly depends on what else the machine does: processor time of the function and of its session of the
database, and how often the one waits for the other.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
from psycopg import Connection

from benchmarks.hourly import Folder
from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.jobs import runs
from sitejobs.jobs.job import PagedJob, Resources
from sitejobs.postgres.connection import Database, connect
from sitejobs_local.cost.rates import RunRate, Taken

LIMIT_MS = 900_000


class Context:
    """As much of an invocation's context as the handlers ask for."""

    function_name, memory_limit_in_mb = "bench", 1769
    invoked_function_arn, aws_request_id = "arn:aws:lambda:us-east-1:000000000000:function:bench", "bench"

    def get_remaining_time_in_millis(self) -> int:
        return LIMIT_MS


@dataclass
class Meter:
    """Seconds of processor time of this process and of the session so far, and round trips between them."""

    session: psutil.Process
    trips: int = 0

    def read(self) -> tuple[float, float, int]:
        used = self.session.cpu_times()
        return time.process_time(), used.user + used.system, self.trips


class OneProcess:
    """A function's environment without the function: one session, one folder for the work bucket."""

    def __init__(self, url: str, work: Path) -> None:
        self._url, self._work = url, Folder(work)

    def run(self, name: str, given: Mapping[str, Any]) -> RunRate:
        """Run a job, and say what it took."""
        with connect(self._url) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        resources = Resources(Database(self._url), self._work, {})
        try:
            with _environment(self._url), _counted(resources.database.connection()) as meter, _logged() as log:
                keys, pages, plan, batch = _run(job_of(name), resources, given, meter)
                sys.stdout.flush()
                return RunRate(keys, pages, plan, batch, log.stat().st_size)
        finally:
            resources.database.close()


def job_of(name: str) -> PagedJob:
    """The job of a name: in `<package>/<name>.py` or `<package>/<name>/job.py`, beside its options."""
    package = JOBS[name].options.__module__.removesuffix(".options")
    file = f"{package}.{name.replace('-', '_')}"
    spec = find_spec(file)
    assert spec is not None
    job: PagedJob = import_module(file if spec.submodule_search_locations is None else f"{file}.job").JOB
    return job


def _run(job: PagedJob, resources: Resources, given: Mapping[str, Any], meter: Meter) -> tuple[int, int, Taken, Taken]:
    """Keys, pages, and what the calls of Plan and of Batch took."""
    from sitejobs.handlers.paged import batch_handler, plan_handler

    plan, batch = plan_handler(job, lambda: resources), batch_handler(job, lambda: resources)
    connection = resources.database.connection()
    context: Any = Context()
    planning, working = Taken(0, 0, 0), Taken(0, 0, 0)
    state: JsonObject = {"run": None, "cursor": None, "chapter": 0}
    execution, keys, pages = f"bench-{time.time_ns()}", 0, 0
    while not state["chapter"] or state["cursor"] is not None:
        before = meter.read()
        state = plan({"input": dict(given), "execution": execution, **state}, context)
        planning = _more(planning, before, meter.read())
        results = []
        for page in state["pages"]:
            before = meter.read()
            results.append(batch({"run": state["run"], "page": page}, context))
            working = _more(working, before, meter.read())
        runs.record_chapter(connection, state["run"]["id"], state["chapter"], results)
        keys += sum(result["processed"] for result in results)
        pages += len(results)
        state = {name: state[name] for name in ("run", "cursor", "chapter")}
    runs.close_run(connection, state["run"]["id"], None)
    return keys, pages, planning, working


def _more(taken: Taken, before: tuple[float, float, int], after: tuple[float, float, int]) -> Taken:
    computes, waits, trips = (late - early for early, late in zip(before, after, strict=True))
    return Taken(taken.computes + computes, taken.waits + waits, taken.trips + trips)


@contextmanager
def _counted(connection: Connection) -> Iterator[Meter]:
    """Count the round trips of this process: psycopg waits for each, and for each piece of a COPY, which is none."""
    meter = Meter(psutil.Process(connection.info.backend_pid))
    wait = Connection.wait

    def counted(self: Connection, generator: Any, *given: Any, **named: Any) -> Any:
        meter.trips += getattr(generator, "__name__", "") not in ("copy_to", "copy_from")
        return wait(self, generator, *given, **named)

    Connection.wait = counted  # type: ignore[method-assign, assignment] # nothing else tells how often a session is asked
    try:
        yield meter
    finally:
        Connection.wait = wait  # type: ignore[method-assign]


@contextmanager
def _environment(url: str) -> Iterator[None]:
    """What the handlers read from a function's environment."""
    given = {
        "DATABASE_URL": url,
        "POWERTOOLS_TRACE_DISABLED": "1",
        "POWERTOOLS_METRICS_NAMESPACE": "sitejobs",
        "POWERTOOLS_SERVICE_NAME": "bench",
    }
    kept = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _logged() -> Iterator[Path]:
    """Send what this process prints to a file meanwhile."""
    sys.stdout.flush()
    kept = os.dup(1)
    with tempfile.NamedTemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield Path(file.name)
        finally:
            sys.stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)
