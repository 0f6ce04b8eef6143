"""The largest chapter there can be: no payload of any state comes near Step Functions' 256 KB, and no Cause is kept."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sitejobs.aliases import JsonObject
from sitejobs.errors import DataUnavailable
from sitejobs.jobs import comparison, runs
from sitejobs.jobs.job import PAGES_A_CHAPTER, PAGES_A_DRY_CHAPTER, PageSummary
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.matching.match_scores.paging import viewers_a_page
from sitejobs.matching.scoring.parameters import Parameters, Weights
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.workers import WorkerPool
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import REPOSITORY
from sitejobs_local.template.resources import Function
from tests.bundle.interpreter import Execution, FunctionError, Handler, Interpreter, interpreted
from tests.databases import site_database

LIMIT = 256 * 1024
FAR_UNDER = LIMIT * 0.6
LONG_CAUSE = "a line of a stack trace\n" * 1300
"""Near 32 KB: the longest that Step Functions keeps."""

DEFINITION = (REPOSITORY / "statemachines" / "paged-job.asl.json").read_text()
LAYER = REPOSITORY / "layers" / "sitejobs"
PAGES = 1_000_000
FIRST_PAGE = PAGES - PAGES_A_CHAPTER + 1
OPTIONS: dict[str, Any] = {
    "batchSize": 1,
    "candidateBatchSize": 20_000,
    "pauseMs": 60_000,
    "topK": 1000,
    "maxConcurrency": 8,
    "tolerateFailures": 10,
    "trigger": "schedule",
}
VIEWERS = viewers_a_page(10**9, OPTIONS["batchSize"], OPTIONS["maxConcurrency"])
"""Of each page on a site that is this large."""

USERS = PAGES * VIEWERS
REASONS = [
    SkipReason.NO_PROFILE,
    SkipReason.NO_CANDIDATES,
    SkipReason.DELETED,
    SkipReason.SUPERSEDED,
    SkipReason.FRESH,
]
HUGE = 10**9
"""More than any page can count: the largest has 10,000 viewers with 1,000 rows each."""


@dataclass
class Machine:
    """The definition as it ships, Plan, Record and Finish as they are, and pages that report the most there can be."""

    interpreter: Interpreter

    def run(self, batch: Handler, **options: Any) -> Execution:
        self.interpreter.functions["Batch"] = batch
        return self.interpreter.run(OPTIONS | options, history=True)

    def sizes(self, ended: Execution) -> dict[str, int]:
        """Bytes of the largest input of each state, of the largest call of each function, and of the output."""
        sizes: dict[str, int] = {"output": len(json.dumps(ended.output))}
        for name, given in ended.states:
            sizes[name] = max(sizes.get(name, 0), len(given.encode()))
        for name, event in self.interpreter.calls:
            call = f"{name} called"
            sizes[call] = max(sizes.get(call, 0), len(json.dumps(event)))
        return sizes


def function(name: str, folder: str, handler: str) -> Function:
    variables = {"POWERTOOLS_METRICS_NAMESPACE": "sitejobs"}
    return Function(name, name, REPOSITORY / "functions" / folder, handler, 900, 256, variables, (LAYER,))


FUNCTIONS = (
    function("Plan", "match_scores", "app.plan"),
    function("Record", "runs", "app.record"),
    function("Finish", "runs", "app.finish"),
)


def report_all_there_can_be(event: JsonObject) -> JsonObject:
    """A page that reports huge counts under every reason."""
    summary = PageSummary(processed=HUGE, written=HUGE, failed=HUGE)
    for reason in REASONS:
        summary.skip(reason, HUGE)
    counts = {name: getattr(summary, name) for name in runs.COUNTERS}
    return {"page": event["page"]["page"], **counts, "reasons": dict(summary.reasons)}


def compare_all_there_can_be(event: JsonObject) -> JsonObject:
    """The same of a dry run, with huge counts of every kind of change."""
    return {**report_all_there_can_be(event), **comparison.result(dict.fromkeys(comparison.NAMES, HUGE))}


def fail_at_length(event: JsonObject) -> JsonObject:
    raise FunctionError(DataUnavailable.__name__, LONG_CAUSE)


def context() -> JsonObject:
    """What the run's pages share, as long as it gets."""
    third = 1 / 3
    parameters = Parameters(Weights(third, third, third, third, third, third), third, third, 3, 1000, "v" * 40)
    key = f"snapshots/match-scores-{2**63 - 1}.snap"
    compared = {"leftWithin": third, "basis": {"snapshot": key, "leftWithin": third}}
    return {"snapshot": key, "users": USERS, "parameters": parameters.to_json(), **compared}


@pytest.fixture(scope="module")
def machine(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    log: Path = tmp_path_factory.mktemp("functions") / "log"
    with (
        site_database(postgres_server) as url,
        WorkerPool(FUNCTIONS, environment={"DATABASE_URL": url}, log_file=log) as pool,
        pytest.MonkeyPatch.context() as patch,
    ):

        def call(name: str, event: JsonObject) -> Any:
            answer = pool.invoke(name, json.dumps(event))
            if answer.errored:
                raise FunctionError(answer.value["errorType"], answer.value["errorMessage"] + LONG_CAUSE)
            return answer.value

        def plan(event: JsonObject) -> Any:
            """The last chapter, whose numbers are the largest."""
            pages = PAGES_A_DRY_CHAPTER if event["input"].get("dryRun") else PAGES_A_CHAPTER
            run_id = opened(url, event["execution"])
            run = {"id": run_id, "job": "match-scores", "startedAt": "2026-06-01T00:00:00.123456+00:00"}
            later = {"run": run | {"options": OPTIONS, "context": context()}, "cursor": PAGES - pages}
            return call("Plan", event | later | {"chapter": 10**6})

        functions: dict[str, Handler] = {
            "Plan": plan,
            "Batch": fail_at_length,
            "Record": lambda event: call("Record", event),
            "Finish": lambda event: call("Finish", event),
        }
        with interpreted(DEFINITION, functions, patch) as interpreter:
            yield Machine(interpreter)


def opened(url: str, execution: str) -> str:
    """A run with an id as large as ids get, and long notes on its pages."""
    with connect(url) as connection:
        connection.execute('DELETE FROM "JobRun"')
        row = connection.execute(
            """INSERT INTO "JobRun" ("id", "job", "scope", "execution", "trigger", "options") OVERRIDING SYSTEM VALUE
            VALUES (%s, 'match-scores', 'all', %s, 'schedule', %s::jsonb) RETURNING "id" """,
            [2**63 - 1, execution, json.dumps(OPTIONS)],
        ).fetchone()
        assert row is not None
        for number in range(FIRST_PAGE, PAGES + 1):
            runs.note_failed_page(connection, str(row[0]), {"page": number}, "DataUnavailable", LONG_CAUSE)
        return str(row[0])


def test_no_state_comes_near_the_limit_when_every_page_reports_all_there_can_be(machine: Machine) -> None:
    ended = machine.run(report_all_there_can_be)
    assert ended.status == "SUCCEEDED"
    assert ended.output["written"] == PAGES_A_CHAPTER * HUGE
    assert ended.output["reasons"] == dict.fromkeys(REASONS, PAGES_A_CHAPTER * HUGE)
    sizes = machine.sizes(ended)
    assert {"Plan", "Pages", "Record", "More?", "Finish", "Succeeded", "Batch called", "Record called"} <= set(sizes)
    assert sizes["Record"] > 100_000, "not the largest chapter"
    assert max(sizes.values()) < FAR_UNDER, sizes
    assert sizes["Finish"] < 10_000  # neither pages nor results go along


def test_a_dry_run_reports_more_in_smaller_chapters(machine: Machine) -> None:
    ended = machine.run(compare_all_there_can_be, dryRun=True)
    assert ended.status == "SUCCEEDED"
    assert ended.output["compared"]["lists"] == PAGES_A_DRY_CHAPTER * HUGE
    sizes = machine.sizes(ended)
    assert sizes["Record"] > 100_000, "not the largest chapter"
    assert max(sizes.values()) < FAR_UNDER, sizes


def test_failed_pages_keep_the_names_of_their_errors_and_no_cause(machine: Machine) -> None:
    ended = machine.run(fail_at_length)
    assert (ended.status, ended.error) == ("FAILED", "PagesFailed")
    sizes = machine.sizes(ended)
    assert max(sizes.values()) < FAR_UNDER, sizes
    [event] = machine.interpreter.events("Record")
    numbers = range(FIRST_PAGE, PAGES + 1)
    expected = [{"page": at, "start": (at - 1) * VIEWERS, "stop": at * VIEWERS} for at in numbers]
    assert event["results"] == [{"page": page, "error": "DataUnavailable"} for page in expected]
    cause = f"{PAGES_A_CHAPTER} of {PAGES_A_CHAPTER} pages failed, 10 tolerated. First: page {FIRST_PAGE}: "
    assert (ended.cause or "").startswith(cause)
    assert len(ended.cause or "") <= runs.MAX_CAUSE
