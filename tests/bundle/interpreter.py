"""Step Functions by moto, unpatched but for its speed, runs a definition as it ships with a test's functions."""

import io
import itertools
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda.models import LambdaFunction

from sitejobs.aliases import JsonObject
from sitejobs_local.aws.moto_patches import quick_executions
from tests.limits import PATIENCE_S

Handler = Callable[[JsonObject], Any]


class FunctionError(Exception):
    """What a function raises: the error's name as the definition sees it, and its message."""

    def __init__(self, name: str, message: str = "") -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


@dataclass(frozen=True)
class Execution:
    """How an execution ended, and the events that its functions were called with."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    states: list[tuple[str, str]]
    """Each state entered and its input as text, but for those inside a page."""


@dataclass
class Interpreter:
    """One state machine over `functions`, which a test may replace between runs."""

    client: Any
    arn: str
    functions: dict[str, Handler]
    calls: list[tuple[str, JsonObject]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def run(self, given: Any, *, history: bool = False) -> Execution:
        """Run one execution to its end. `history`: take its states too, which takes moto long."""
        self.calls.clear()
        name = f"test-{next(self.numbers)}"
        started = self.client.start_execution(stateMachineArn=self.arn, name=name, input=json.dumps(given))
        began = time.monotonic()
        while not _is_over(ended := self.client.describe_execution(**_of(started))):
            passed = time.monotonic() - began
            assert passed < PATIENCE_S, f"still running after {PATIENCE_S} s"
            time.sleep(0.01 + passed / 20)  # to ask takes moto 10 ms
        output = json.loads(ended["output"]) if ended["status"] == "SUCCEEDED" else None
        states = self._states(started) if history else []
        return Execution(ended["status"], output, ended.get("error"), ended.get("cause"), states)

    def events(self, function: str) -> list[JsonObject]:
        """What one function was called with in the last run, in order."""
        return [event for name, event in self.calls if name == function]

    def invoke(self, name: str, event: JsonObject) -> tuple[str, bool]:
        """Call a function as Lambda would: the payload as text, and whether it is an error."""
        self.calls.append((name, event))
        try:
            return json.dumps(self.functions[name](event)), False
        except FunctionError as error:
            described = {"errorMessage": error.message, "errorType": error.name, "stackTrace": ["line"]}
            return json.dumps(described), True

    def _states(self, started: Mapping[str, Any]) -> list[tuple[str, str]]:
        pages = self.client.get_paginator("get_execution_history").paginate(**_of(started))
        entered = [event.get("stateEnteredEventDetails") for page in pages for event in page["events"]]
        return [(details["name"], details["input"]) for details in entered if details]


@contextmanager
def interpreted(definition: str, functions: Mapping[str, Handler], patch: pytest.MonkeyPatch) -> Iterator[Interpreter]:
    """A state machine of a definition whose placeholders are `${<name>FunctionArn}` for each of the functions."""
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_ACCESS_KEY_ID", "interpreted")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "interpreted")
    patch.delenv("AWS_PROFILE", raising=False)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}), quick_executions():
        role = boto3.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        made = boto3.client("lambda")
        for name in functions:
            answer = made.create_function(
                FunctionName=name, Runtime="python3.13", Role=role, Handler="a.b", Code={"ZipFile": _some_zip()}
            )
            definition = definition.replace(f"${{{name}FunctionArn}}", answer["FunctionArn"])
        client = boto3.client("stepfunctions")
        arn = client.create_state_machine(name="job", definition=definition, roleArn=role)["stateMachineArn"]
        interpreter = Interpreter(client, arn, dict(functions))

        def invoke(function: Any, event: str | JsonObject) -> tuple[str, bool, str]:
            given = json.loads(event) if isinstance(event, str) else event
            payload, errored = interpreter.invoke(function.function_name, given)
            return payload, errored, ""

        patch.setattr(LambdaFunction, "_invoke_lambda", invoke)  # moto's own would start Docker
        yield interpreter


def _is_over(described: JsonObject) -> bool:
    """Whether an execution has ended: moto sets its output a moment after its status."""
    return "output" in described or described["status"] not in ("RUNNING", "SUCCEEDED")


def _of(started: Mapping[str, Any]) -> dict[str, str]:
    return {"executionArn": started["executionArn"]}


def _some_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.py", "")
    return content.getvalue()
