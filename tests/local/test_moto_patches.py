"""Each change to moto: it is still needed, it changes no result, and it is taken back."""

import copy
import json
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from sitejobs_local.aws import moto_patches

from .machines import FIXTURE

# isort: split
from moto import mock_aws
from moto.core import utils as core_utils
from moto.core.base_backend import AccountSpecificBackend
from moto.s3.models import FakeKey
from moto.stepfunctions.parser.api import ResourceNotFound
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
from moto.stepfunctions.parser.asl.eval import states
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import boto_client, json_path
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from tests.limits import PATIENCE_S

CALL = (
    (FIXTURE / "call.asl.json")
    .read_text()
    .replace("${SlowFunctionArn}", "arn:aws:lambda:us-east-1:123456789012:function:x")
)
ENDPOINT = "http://127.0.0.1:9"


def nothing(name: str, event: str) -> tuple[str, bool]:
    return "null", False


@pytest.fixture
def patched() -> Iterator[None]:
    with moto_patches.patched(ENDPOINT, nothing):
        yield


def modules_after(statement: str, environment: dict[str, str] | None = None) -> set[str]:
    """Names of the modules that a fresh interpreter has after a statement."""
    script = f"import json, sys\n{statement}\nprint(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-c", script]
    return set(json.loads(subprocess.run(command, capture_output=True, check=True, env=environment).stdout))


def test_moto_still_imports_all_of_ec2_for_its_interpreter_and_we_do_not() -> None:
    assert "moto.ec2.models" in modules_after("import moto.stepfunctions.parser.models")
    ours = modules_after("import sitejobs_local.aws.local_aws")
    assert "moto.stepfunctions.parser.models" in ours
    assert not {"moto.ec2", "moto.batch"} & ours


def test_moto_still_reads_the_users_profile_for_its_regions_and_services() -> None:
    script = (
        "from botocore.exceptions import ProfileNotFound\nfrom moto.core.base_backend import AccountSpecificBackend\n"
        "from moto.core import utils\n"
        "for ask in (AccountSpecificBackend.get_session, lambda: utils.Session().get_available_services()):\n"
        "    try:\n        ask()\n    except ProfileNotFound:\n        print('needed')\n"
    )
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env={"AWS_PROFILE": "nonexistent"})

    assert answer.stdout == "needed\nneeded\n"


def test_our_stand_ins_for_sessions_know_what_moto_asks(patched: None) -> None:
    assert AccountSpecificBackend.get_session().get_available_partitions() == ["aws"]
    assert AccountSpecificBackend.get_session().get_available_regions("lambda") == ["us-east-1"]
    assert "stepfunctions" in vars(core_utils)["Session"]().get_available_services()


def test_moto_still_makes_a_client_for_every_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)

    assert boto_client.boto_client_for("us-east-1", "sqs") is not boto_client.boto_client_for("us-east-1", "sqs")


def test_we_make_one_client_of_this_machine_a_service(patched: None) -> None:
    first, second, other = (boto_client.boto_client_for("us-east-1", name) for name in ("sqs", "sqs", "lambda"))

    assert first is second is not other
    assert first.meta.endpoint_url == ENDPOINT


def test_moto_still_cannot_wait_for_an_execution_that_a_state_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        states_client = boto3.client("stepfunctions", region_name="us-east-1")

        def create(name: str, state: dict[str, Any]) -> str:
            definition = json.dumps({"StartAt": "Only", "States": {"Only": {**state, "End": True}}})
            role = "arn:aws:iam::123456789012:role/any"
            answer = states_client.create_state_machine(name=name, definition=definition, roleArn=role)
            return str(answer["stateMachineArn"])

        called = create("called", {"Type": "Pass"})
        task = "arn:aws:states:::states:startExecution.sync:2"
        caller = create("caller", {"Type": "Task", "Resource": task, "Parameters": {"StateMachineArn": called}})
        execution = states_client.start_execution(stateMachineArn=caller, name="one")["executionArn"]
        deadline = time.monotonic() + PATIENCE_S
        while (status := states_client.describe_execution(executionArn=execution)["status"]) == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert status == "FAILED"


def test_moto_still_looks_twice_a_second_whether_an_execution_has_ended() -> None:
    assert vars(state_task_service_callback)["_DELAY_SECONDS_SYNC_CONDITION_CHECK"] == 0.5


def waiting_to_begin() -> StepFunctionsParserBackend:
    """A backend with an execution that has no worker yet."""
    backend = StepFunctionsParserBackend("us-east-1", "123456789012")
    machine: Any = types.SimpleNamespace(executions=[types.SimpleNamespace(exec_worker=None)])
    backend.state_machines.append(machine)
    return backend


def test_moto_still_fails_to_describe_a_maps_run_while_an_execution_is_about_to_begin() -> None:
    with pytest.raises(AttributeError):
        waiting_to_begin().describe_map_run("arn:of:a:run")


def test_we_describe_a_maps_run_while_an_execution_is_about_to_begin(patched: None) -> None:
    with pytest.raises(ResourceNotFound):
        waiting_to_begin().describe_map_run("arn:of:a:run")


class AboutToBegin(StepFunctionsParserBackend):
    """A backend whose execution has a worker without an environment yet."""

    def describe_execution(self, execution_arn: str) -> Any:
        return types.SimpleNamespace(exec_worker=types.SimpleNamespace(env=None))


def test_moto_still_fails_to_list_the_map_runs_of_an_execution_that_is_about_to_begin() -> None:
    with pytest.raises(AttributeError):
        AboutToBegin("us-east-1", "123456789012").list_map_runs("arn:of:an:execution")


def test_we_list_none_of_an_execution_that_is_about_to_begin(patched: None) -> None:
    assert AboutToBegin("us-east-1", "123456789012").list_map_runs("arn:of:an:execution") == {"mapRuns": []}


@pytest.mark.parametrize("module", [json_path, result_path])
def test_moto_still_parses_a_path_at_every_look_up(module: Any) -> None:
    assert vars(module)["parse"]("$.a.b") is not vars(module)["parse"]("$.a.b")


@pytest.mark.parametrize("module", [json_path, result_path])
def test_we_parse_a_path_once(module: Any, patched: None) -> None:
    assert vars(module)["parse"]("$.a.b") is vars(module)["parse"]("$.a.b")


def test_moto_still_parses_a_definition_each_time_and_we_once(patched: None) -> None:
    parse = AmazonStateLanguageParser.parse
    original = vars(parse)["__wrapped__"]

    assert original(CALL)[0] is not original(CALL)[0]
    assert parse(CALL)[0] is parse(CALL)[0]


@pytest.mark.parametrize("module", [states, execute_state])
def test_moto_still_copies_with_the_general_deepcopy(module: Any) -> None:
    assert vars(module)["copy"] is copy


def test_our_copy_of_json_is_equal_and_apart(patched: None) -> None:
    pages = {"pages": [{"page": page, "text": "x", "list": [1.5, None, True]} for page in range(2)]}
    copied = vars(states)["copy"].deepcopy(pages)
    assert copied == pages
    assert copied["pages"][0] is not pages["pages"][0]
    assert copied["pages"][0]["list"] is not pages["pages"][0]["list"]


def test_our_copy_leaves_what_is_not_json_to_the_general_one(patched: None) -> None:
    class Thing:
        pass

    thing = Thing()
    (copied,) = vars(states)["copy"].deepcopy([thing])

    assert type(copied) is Thing
    assert copied is not thing


def test_moto_still_reads_an_object_at_every_look() -> None:
    key = FakeKey("k", b"more than a byte", "123456789012", "us-east-1")

    assert key.value is not key.value


def test_we_read_an_object_once_and_see_its_changes(patched: None) -> None:
    key = FakeKey("k", b"more than a byte", "123456789012", "us-east-1")
    assert key.value is key.value

    setattr(key, "value", b"something else")  # noqa: B010 - the type checker holds it for read-only
    assert key.value == b"something else"
    assert key.contentsize == 14


def test_every_change_is_taken_back() -> None:
    changes = [(owner, name) for owner, name, _ in moto_patches._changes(ENDPOINT, nothing)]
    before = [vars(owner)[name] for owner, name in changes]
    with moto_patches.patched(ENDPOINT, nothing):
        during = [vars(owner)[name] for owner, name in changes]
    after = [vars(owner)[name] for owner, name in changes]

    assert len(changes) == 22
    assert not [name for (_, name), old, new in zip(changes, before, during, strict=True) if old is new]
    assert all(old is new for old, new in zip(before, after, strict=True))
