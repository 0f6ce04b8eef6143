"""The machine at home, end to end: moto's Step Functions over worker processes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitejobs_local.aws.machine import Execution
from tests.limits import PATIENCE_S

from .machines import Watched
from .processes import eventually


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One machine for the tests that leave it as it was."""
    watched = Watched(tmp_path_factory.mktemp("machine"))
    with watched.machine:
        yield watched


def test_a_run_goes_from_plan_to_finish_and_gives_its_summary(shared: Watched) -> None:
    execution = shared.run({"pages": 3})

    assert execution.status == "SUCCEEDED"
    assert execution.output == {"status": "SUCCEEDED", "error": None, "cause": None, "runId": execution.arn}
    (plan,), (record,) = shared.calls("PlanFunction"), shared.calls("RecordFunction")
    assert plan.event["input"] == {"pages": 3}
    assert plan.event["execution"] == execution.arn
    assert plan.event["run"] is plan.event["cursor"] is None
    assert [result["page"] for result in record.event["results"]] == [0, 1, 2]
    assert len(shared.calls("BatchFunction")) == 3


def test_events_tell_the_start_and_the_end_of_each_invocation(shared: Watched) -> None:
    shared.run({"pages": 1, "acts": {"0": {"do": "raise"}}})

    kinds = [(event.kind, event.function) for event in shared.events]
    assert kinds[:4] == [
        ("started", "PlanFunction"),
        ("finished", "PlanFunction"),
        ("started", "BatchFunction"),
        ("finished", "BatchFunction"),
    ]
    failed = shared.events[3]
    assert failed.event["page"]["page"] == 0
    assert failed.result is None
    assert failed.error is not None
    assert failed.error["errorType"] == "ValueError"
    recorded = shared.events[5]
    assert recorded.result == {"failedPages": 1, "results": 1}
    assert recorded.error is None
    assert (recorded.seconds or 0) > 0
    assert recorded.request_bytes > 100
    assert recorded.response_bytes == len('{"failedPages": 1, "results": 1}')
    assert (recorded.peak_memory_kb or 0) > 5_000


def test_pages_that_fail_in_every_way_are_caught_by_name_and_the_others_go_on(shared: Watched) -> None:
    acts = {
        "1": {"do": "raise"},
        "2": {"do": "sleep", "seconds": 30},
        "3": {"do": "exit"},
        "4": {"do": "kill"},
        "5": {"do": "unserialisable"},
        "6": {"do": "transient"},
    }
    execution = shared.run({"pages": 9, "maxConcurrency": 4, "acts": acts})

    assert execution.status == "SUCCEEDED"
    outcome = [result.get("error", "done") for result in shared.recorded()]
    assert outcome == [
        "done",
        "ValueError",
        "Sandbox.Timedout",
        "Runtime.ExitError",
        "Runtime.ExitError",
        "done",  # what act returns is not what batch returns
        "Transient",
        "done",
        "done",
    ]
    pages = [result["page"]["page"] if "error" in result else result["page"] for result in shared.recorded()]
    assert pages == list(range(9))
    tries = [sum(call.event["page"]["page"] == page for call in shared.calls("BatchFunction")) for page in range(9)]
    assert tries == [1, 1, 1, 2, 2, 1, 3, 1, 1]


def test_a_transient_error_is_tried_again_after_a_pause_and_then_forgotten(shared: Watched, tmp_path: Path) -> None:
    act = {"do": "transient", "marker": str(tmp_path / "marker")}
    execution = shared.run({"pages": 1, "acts": {"0": act}})

    assert execution.status == "SUCCEEDED"
    assert [call.error is None for call in shared.calls("BatchFunction")] == [False, True]
    assert shared.recorded()[0]["processed"] == 1


def test_a_thousand_pages_go_in_two_chapters_over_as_many_processes_as_asked_for(shared: Watched) -> None:
    execution = shared.run({"pages": 1000, "maxConcurrency": 4})

    assert execution.status == "SUCCEEDED"
    assert [call.event["cursor"] for call in shared.calls("PlanFunction")] == [None, 500]
    assert [call.result["results"] for call in shared.calls("RecordFunction")] == [500, 500]
    assert [result["page"] for result in shared.recorded()] == list(range(1000))
    at_once = most = 0
    for event in shared.events:
        at_once += {"started": 1, "finished": -1}[event.kind]
        most = max(most, at_once)
    assert most == 4
    # Those of earlier tests, at most four, are used first.
    assert len({result["written"] for result in shared.recorded()}) <= 4


def test_no_pages_is_a_run_too(shared: Watched) -> None:
    assert shared.run({"pages": 0}).status == "SUCCEEDED"
    assert shared.recorded() == []


def test_a_second_run_that_plan_refuses_ends_with_its_message(shared: Watched) -> None:
    execution = shared.run({"pages": 1, "running": True})

    assert execution.status == "SUCCEEDED"
    assert execution.output["status"] == "ALREADY_RUNNING"
    assert execution.output["message"] == "another run works"
    assert [event.function for event in shared.events] == ["PlanFunction", "PlanFunction"]


def test_an_error_of_the_first_plan_fails_the_execution_with_its_name_and_cause(shared: Watched) -> None:
    execution = shared.run({"planError": "userId must be a number"})

    assert (execution.status, execution.error, execution.output) == ("FAILED", "ValueError", None)
    assert json.loads(execution.cause or "")["errorMessage"] == "userId must be a number"


@pytest.mark.parametrize(("option", "error"), [("recordError", "ValueError"), ("finishError", "TooManyFailed")])
def test_an_error_after_the_first_plan_is_finished_with_and_fails(shared: Watched, option: str, error: str) -> None:
    execution = shared.run({"pages": 1, option: "TooManyFailed"})

    assert (execution.status, execution.error, execution.cause) == ("FAILED", error, "told so")
    assert len(shared.calls("FinishFunction")) == 1


def test_a_function_that_does_not_exist_fails_as_on_aws(shared: Watched) -> None:
    execution = shared.run({"nowhere": True}, "toy-call")

    assert (execution.status, execution.error) == ("FAILED", "Lambda.ResourceNotFoundException")


def test_a_task_may_name_the_function_itself(shared: Watched) -> None:
    succeeded = shared.run({"direct": True}, "toy-call")
    failed = shared.run({"direct": True, "do": "raise"}, "toy-call")

    assert (succeeded.status, list(succeeded.output)) == ("SUCCEEDED", ["pid"])
    assert (failed.status, failed.error) == ("FAILED", "ValueError")


def test_a_result_over_256_kb_fails_as_on_aws(shared: Watched) -> None:
    assert shared.run({"do": "large", "bytes": 250_000}, "toy-call").status == "SUCCEEDED"
    execution = shared.run({"do": "large", "bytes": 256 * 1024}, "toy-call")

    assert (execution.status, execution.error) == ("FAILED", "States.DataLimitExceeded")


def test_waiting_gives_up_in_time_and_the_execution_goes_on(shared: Watched, tmp_path: Path) -> None:
    arn = shared.machine.start("toy-call", {"do": "wait", "until": str(tmp_path / "enough")})

    with pytest.raises(TimeoutError, match=r"still runs after 0\.1 s"):
        shared.machine.wait(arn, timeout=0.1)
    assert shared.machine.describe(arn).status == "RUNNING"
    (tmp_path / "enough").touch()
    assert shared.machine.wait(arn, timeout=PATIENCE_S).status == "SUCCEEDED"


def test_the_apis_of_aws_are_there_for_clients_of_their_own(shared: Watched) -> None:
    steps, functions = shared.machine.client("stepfunctions"), shared.machine.client("lambda")
    machine = shared.machine.template.state_machine("toy-call")
    arn = steps.start_execution(stateMachineArn=machine.arn, name="by-hand", input='{"a": 1}')["executionArn"]
    shared.machine.wait(arn, timeout=PATIENCE_S)
    described = steps.describe_execution(executionArn=arn)
    answer = functions.invoke(FunctionName="toy-echo", Payload=b'{"b": 2}')
    failed = functions.invoke(FunctionName="toy-act", Payload=b'{"do": "raise"}')

    assert described["status"] == "SUCCEEDED"
    assert list(json.loads(described["output"])) == ["pid"]
    assert json.load(answer["Payload"])["event"] == {"b": 2}
    assert "FunctionError" in failed
    assert json.load(failed["Payload"])["errorType"] == "ValueError"
    queues = shared.machine.client("sqs").list_queues()["QueueUrls"]
    assert {url.rsplit("/", 1)[1] for url in queues} == {"DeadLetters", "toy-uploads", "BrokenChores", "Chores"}


def test_functions_reach_this_machines_s3_and_ranges_of_its_objects(shared: Watched) -> None:
    invoke = shared.machine.client("lambda").invoke
    invoke(FunctionName="toy-objects", Payload=b'{"put": "a/b c", "body": "0123456789"}')
    answer = invoke(FunctionName="toy-objects", Payload=b'{"get": "a/b c", "range": "bytes=2-4"}')

    assert json.load(answer["Payload"]) == {"body": "234", "metadata": {"kind": "toy"}}


@pytest.mark.parametrize("milliseconds", [0, 1, 5, 20, 40])
def test_a_stop_soon_after_the_start_is_not_lost(shared: Watched, milliseconds: int) -> None:
    shared.events.clear()
    arn = shared.machine.start("toy-call", {"do": "sleep", "seconds": 0.2, "again": True})
    time.sleep(milliseconds / 1000)
    shared.machine.stop(arn)

    assert shared.machine.wait(arn, timeout=PATIENCE_S) == Execution(arn, "ABORTED")
    api = shared.machine.client("stepfunctions")
    assert eventually(lambda: api.describe_execution(executionArn=arn)["status"] != "RUNNING")
    assert shared.machine.wait(arn, timeout=PATIENCE_S) == Execution(arn, "ABORTED")
    assert len(shared.calls("toy-slow")) <= 1


def test_one_process_has_one_machine_at_a_time(shared: Watched, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="has a LocalMachine already"), Watched(tmp_path).machine:
        pass
    assert shared.run({"pages": 1}).status == "SUCCEEDED"


def test_a_retired_state_machines_own_environments_end_and_those_of_others_stay(shared: Watched) -> None:
    shared.run({"pages": 1})
    shared.run({"do": "print", "bytes": 1}, "toy-call")
    pool = shared.machine._pool
    assert pool.pids("toy-slow")
    shared.machine.retire("toy-call")

    assert pool.pids("toy-slow") == set()
    assert pool.pids("PlanFunction")
