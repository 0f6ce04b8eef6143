"""The definition of every paged job: what it says, and what it does when Step Functions (moto) runs it as it ships."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from statelint.linter import Linter

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PAGES_A_CHAPTER
from tests.bundle.interpreter import FunctionError, Handler, Interpreter, interpreted
from tools.bundle import ROOT

DEFINITION = (ROOT / "statemachines" / "paged-job.asl.json").read_text()
PAYLOAD_LIMIT = 256 * 1024
CHAPTERS = 3
RUN = {"id": "7", "job": "toy", "options": {}, "context": {}}
OUR_RETRIES = [
    (
        {
            "Transient",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.ResourceNotReadyException",
        },
        6,
    ),
    ({"Lambda.Unknown", "Runtime.ExitError"}, 2),
]


def plan(event: JsonObject) -> JsonObject:
    """Three chapters of four pages."""
    chapter = event["chapter"] + 1
    first = event["chapter"] * 4
    return {
        "run": RUN,
        "status": "PLANNED",
        "pages": [{"page": first + number, "start": number, "stop": number + 1} for number in range(1, 5)],
        "cursor": {"after": chapter} if chapter < CHAPTERS else None,
        "chapter": chapter,
        "maxConcurrency": 2,
        "planned": {"pages": 12, "users": 12},
        "message": None,
    }


def batch(event: JsonObject) -> JsonObject:
    return {"page": event["page"]["page"], "processed": 1, "written": 2, "skipped": 0, "failed": 0, "reasons": {}}


def record(event: JsonObject) -> JsonObject:
    return {"failedPages": sum("error" in result for result in event["results"])}


def finish(event: JsonObject) -> JsonObject:
    error, run = event["error"], event["run"]
    if error:
        cause = "closed" if run else error["Cause"]
        return {"status": "FAILED", "runId": run and run["id"], "error": error["Error"], "cause": cause}
    return {"status": "SUCCEEDED", "runId": run["id"], "error": None, "cause": None, "message": None}


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Interpreter]:
    with pytest.MonkeyPatch.context() as patch, interpreted(DEFINITION, FUNCTIONS, patch) as interpreter:
        yield interpreter


@pytest.fixture
def machine(interpreter: Interpreter) -> Interpreter:
    """With the functions above; a test puts its own in their place."""
    interpreter.functions.update(FUNCTIONS)
    return interpreter


FUNCTIONS: dict[str, Handler] = {"Plan": plan, "Batch": batch, "Record": record, "Finish": finish}


def raising(name: str, message: str = "") -> Handler:
    def function(event: JsonObject) -> Any:
        raise FunctionError(name, message)

    return function


# ---- what it says


def states_of(machine: JsonObject) -> Iterator[tuple[JsonObject, str, JsonObject]]:
    """Each state with its name and the machine, inner or outer, that it belongs to."""
    for name, state in machine["States"].items():
        yield machine, name, state
        if "ItemProcessor" in state:
            yield from states_of(state["ItemProcessor"])


def targets_of(state: JsonObject) -> Iterator[str]:
    for part in (state, *state.get("Catch", []), *state.get("Choices", [])):
        if "Next" in part:
            yield part["Next"]
    if "Default" in state:
        yield state["Default"]


STATES = list(states_of(json.loads(DEFINITION)))
TASKS = [(name, state) for _, name, state in STATES if state["Type"] == "Task"]


def test_the_definition_keeps_to_the_states_language() -> None:
    definition = json.loads(DEFINITION)
    assert definition["States"]["Pages"].pop("Label") == "Pages"  # which statelint 3.1 has not heard of
    assert Linter.validate(definition) == []


def test_every_transition_leads_to_a_state_of_its_machine_and_every_state_is_reached() -> None:
    machines = {id(machine): machine for machine, _, _ in STATES}.values()
    for machine in machines:
        reached = {machine["StartAt"]}.union(*(targets_of(state) for state in machine["States"].values()))
        assert reached == set(machine["States"])


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_a_task_retries_transient_errors_alone_and_ends_in_time(name: str, task: JsonObject) -> None:
    assert [(set(retry["ErrorEquals"]), retry["MaxAttempts"]) for retry in task["Retry"]] == OUR_RETRIES
    for retry in task["Retry"]:
        assert retry["BackoffRate"] > 1
        assert retry["JitterStrategy"] == "FULL"
        assert retry["IntervalSeconds"] < retry["MaxDelaySeconds"] <= 60
    assert 0 < task["TimeoutSeconds"] < 1000


def test_a_page_is_an_execution_of_its_own_with_a_history_of_its_own() -> None:
    [pages] = [state for _, _, state in STATES if state["Type"] == "Map"]
    assert pages["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


# ---- what it does


def test_a_run_goes_through_its_chapters_and_ends_with_the_summary(machine: Interpreter) -> None:
    ended = machine.run({"userId": "8"})
    [closed] = machine.events("Finish")
    assert (ended.status, ended.output) == ("SUCCEEDED", finish(closed))
    plans = machine.events("Plan")
    assert [event["input"] for event in plans] == [{"userId": "8"}] * 3
    assert [event["chapter"] for event in plans] == [0, 1, 2]
    assert [event["run"] for event in plans] == [None, RUN, RUN]
    assert [event["cursor"] for event in plans] == [None, {"after": 1}, {"after": 2}]
    assert len({event["execution"] for event in plans}) == 1
    assert ":execution:job:" in plans[0]["execution"]
    batches = machine.events("Batch")
    assert sorted(event["page"]["page"] for event in batches) == list(range(1, 13))
    assert all(event == {"run": RUN, "page": event["page"]} for event in batches)
    records = machine.events("Record")
    assert [event["chapter"] for event in records] == [1, 2, 3]
    assert [[result["page"] for result in event["results"]] for event in records] == [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10, 11, 12],
    ]
    assert closed == {"run": RUN, "execution": plans[0]["execution"], "error": None}


@pytest.mark.parametrize("given", [{}, [], "text", 8, None, {"run": {"id": "1"}, "cursor": 5}])
def test_any_input_reaches_plan_as_it_came(machine: Interpreter, given: Any) -> None:
    machine.functions["Plan"] = raising("InvalidInput")
    machine.run(given)
    [event] = machine.events("Plan")
    assert event["input"] == given
    assert event["run"] is None
    assert event["cursor"] is None


def test_invalid_input_fails_the_execution_by_that_name_and_with_its_message(machine: Interpreter) -> None:
    machine.functions["Plan"] = raising("InvalidInput", "userId must be a whole number, not 'x'")
    ended = machine.run({"userId": "x"})
    assert (ended.status, ended.error) == ("FAILED", "InvalidInput")
    assert json.loads(ended.cause or "")["errorMessage"] == "userId must be a whole number, not 'x'"
    assert [name for name, _ in machine.calls] == ["Plan", "Finish"]


def test_a_first_plan_that_fails_closes_the_run_that_it_may_have_opened(machine: Interpreter) -> None:
    machine.functions["Plan"] = raising("DatabaseFailure", "after the run was opened")
    machine.run({})
    [planned], [closed] = machine.events("Plan"), machine.events("Finish")
    assert closed["run"] is None
    assert closed["execution"] == planned["execution"]
    assert closed["error"]["Error"] == "DatabaseFailure"


def test_a_plan_that_step_functions_could_not_take_fails_by_a_name_of_ours(machine: Interpreter) -> None:
    machine.functions["Plan"] = lambda event: plan(event) | {"pages": ["x" * 300_000]}
    ended = machine.run({})
    assert (ended.status, ended.error) == ("FAILED", "NotAnswered")  # names with States. are refused by Fail states
    assert "States." in (ended.cause or "")


def test_a_second_run_ends_at_once_with_the_reason_and_is_no_failure(machine: Interpreter) -> None:
    answer = {"status": "ALREADY_RUNNING", "job": "toy", "runId": "6", "message": "run 6 is at work"}
    machine.functions["Plan"] = lambda event: answer
    ended = machine.run({})
    assert (ended.status, ended.output) == ("SUCCEEDED", answer)
    assert [name for name, _ in machine.calls] == ["Plan"]


def test_a_run_without_pages_succeeds(machine: Interpreter) -> None:
    machine.functions["Plan"] = lambda event: plan(event) | {"pages": [], "cursor": None}
    assert machine.run({}).status == "SUCCEEDED"
    assert [event["results"] for event in machine.events("Record")] == [[]]


def test_a_failed_page_is_recorded_by_its_key_and_its_errors_name_while_the_others_go_on(machine: Interpreter) -> None:
    def fails_on_six(event: JsonObject) -> JsonObject:
        if event["page"]["page"] == 6:
            raise FunctionError("DataUnavailable", "x" * 5000)
        return batch(event)

    machine.functions["Batch"] = fails_on_six
    assert machine.run({}).status == "SUCCEEDED"  # whether it may succeed is Finish's to say
    results = machine.events("Record")[1]["results"]
    assert results[1] == {"page": {"page": 6, "start": 2, "stop": 3}, "error": "DataUnavailable"}
    assert [result["page"] for result in (results[0], *results[2:])] == [5, 7, 8]
    assert len(machine.events("Batch")) == 12


def test_a_transient_error_is_tried_again(machine: Interpreter) -> None:
    tries: list[int] = []

    def lost_once(event: JsonObject) -> JsonObject:
        tries.append(1)
        if len(tries) == 1:
            raise FunctionError("Transient", "connection lost")
        return finish(event)

    machine.functions["Finish"] = lost_once
    machine.functions["Plan"] = lambda event: plan(event) | {"cursor": None}
    assert machine.run({}).status == "SUCCEEDED"
    assert len(tries) == 2


@pytest.mark.parametrize("name", ["InvalidInput", "KeyError", "RunClosed", "Sandbox.Timedout"])
def test_no_other_error_is_tried_again(machine: Interpreter, name: str) -> None:
    machine.functions["Plan"] = lambda event: plan(event) | {"cursor": None}
    machine.functions["Batch"] = raising(name)
    machine.run({})
    assert len(machine.events("Batch")) == 4


def test_a_plan_that_fails_later_closes_the_run(machine: Interpreter) -> None:
    def fails_later(event: JsonObject) -> JsonObject:
        if event["cursor"]:
            raise FunctionError("DatabaseFailure", "no")
        return plan(event)

    machine.functions["Plan"] = fails_later
    ended = machine.run({})
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "DatabaseFailure", "closed")
    [closed] = machine.events("Finish")
    assert closed["run"] == RUN
    assert closed["error"]["Error"] == "DatabaseFailure"


def test_a_chapter_that_cannot_be_recorded_closes_the_run(machine: Interpreter) -> None:
    machine.functions["Record"] = raising("RunClosed", "taken over")
    ended = machine.run({})
    assert (ended.status, ended.error) == ("FAILED", "RunClosed")
    [closed] = machine.events("Finish")
    assert closed["run"] == RUN
    assert json.loads(closed["error"]["Cause"])["errorMessage"] == "taken over"
    assert len(machine.events("Plan")) == 1


def test_a_step_that_step_functions_could_not_run_closes_the_run_and_fails_by_a_name_of_ours(
    machine: Interpreter,
) -> None:
    machine.functions["Record"] = lambda event: {"failedPages": "x" * 300_000}
    ended = machine.run({})
    assert (ended.status, ended.error) == ("FAILED", "NotAnswered")
    assert machine.events("Finish")[0]["error"]["Error"].startswith("States.")


def test_a_run_that_finish_calls_failed_fails_with_its_error_and_cause(machine: Interpreter) -> None:
    machine.functions["Finish"] = lambda event: {"status": "FAILED", "error": "PagesFailed", "cause": "3 of 12"}
    ended = machine.run({})
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "PagesFailed", "3 of 12")


def test_a_finish_that_fails_fails_the_execution(machine: Interpreter) -> None:
    machine.functions["Finish"] = raising("DatabaseFailure")
    ended = machine.run({})
    assert (ended.status, ended.error) == ("FAILED", "DatabaseFailure")


def test_no_payload_of_the_largest_chapter_comes_near_the_limit(machine: Interpreter) -> None:
    """500 pages at the largest keys there are, half of them failing with the longest cause, then Record fails too."""
    keys = {"page": 10**9, "start": 2**63 - 1, "stop": 2**63 - 1}
    reasons = {f"a-reason-of-some-length-{number}": 10**6 for number in range(5)}

    def half_fail(event: JsonObject) -> JsonObject:
        if event["page"]["half"]:
            raise FunctionError("DataUnavailableAndALongName", "x" * 30_000)
        return batch(event) | dict.fromkeys(("processed", "written", "skipped", "failed"), 10**9) | {"reasons": reasons}

    pages = [keys | {"half": number % 2} for number in range(PAGES_A_CHAPTER)]
    machine.functions["Plan"] = lambda event: plan(event) | {"pages": pages, "cursor": None, "maxConcurrency": 8}
    machine.functions["Batch"] = half_fail
    machine.functions["Record"] = raising("DatabaseFailure", "y" * 30_000)
    ended = machine.run({}, history=True)
    assert (ended.status, ended.error) == ("FAILED", "DatabaseFailure")
    sizes = {name: len(given.encode()) for name, given in ended.states}
    assert sizes["Record"] > 50_000  # the results, without the pages they are of
    assert max(sizes.values()) < PAYLOAD_LIMIT * 0.75
    assert sizes["Finish"] < 40_000  # the run and the error, without the results
