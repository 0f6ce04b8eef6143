"""What moto 5.2.5 needs to be a machine at home: kept apart from the user's AWS settings, and quick.

Each change is one entry of `_changes`, made while a machine runs and taken back after it; a test a piece fails once
moto no longer needs it. Importing this module imports moto, which takes about half a second.
"""

import copy
import functools
import io
import json
import os
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import boto3
import botocore.session
import moto
from botocore.config import Config
from botocore.exceptions import ClientError

from sitejobs_local.template.cloudformation import ACCOUNT_ID, REGION

Invoke = Callable[[str, str], tuple[str, bool]]
"""A function's name and an event as JSON text -> the payload as JSON text, and whether it is an error."""


@contextmanager
def _without_ec2() -> Iterator[None]:
    """Let the interpreter of state machines be imported without EC2's tables of regions and instance types.

    It wants one enumeration of `moto.batch.utils`, and the package `moto.batch` imports all of EC2: 0.6 s for
    nothing. While this lasts the package is an empty one over the same folder.
    """
    stand_in = types.ModuleType("moto.batch")
    stand_in.__path__ = [os.path.join(moto.__path__[0], "batch")]  # noqa: PTH118 - a package's path is text
    taken = sys.modules.setdefault("moto.batch", stand_in)
    try:
        yield
    finally:
        if taken is stand_in:
            del sys.modules["moto.batch"]


with _without_ec2():
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.models import LambdaFunction, lambda_backends
    from moto.core import utils as core_utils
    from moto.core.base_backend import AccountSpecificBackend
    from moto.core.config import default_user_config
    from moto.s3.models import FakeKey
    from moto.stepfunctions.parser.api import ResourceNotFound
    from moto.stepfunctions.parser.asl.component.common.path import result_path
    from moto.stepfunctions.parser.asl.component.state.exec import execute_state
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
        StateTaskServiceSfn,
    )
    from moto.stepfunctions.parser.asl.eval import states
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.asl.utils import boto_client, json_path
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends

    from sitejobs_local.aws import moto_queues

# How often an execution that waits for another one looks whether it has ended; moto's own is 0.5 s.
_SYNC_SECONDS: Final = 0.05
# What moto sets a moment after the status.
_OUTPUT_PATIENCE_SECONDS: Final = 0.2
_ATOMS: Final = frozenset((str, int, float, bool, type(None)))

_parsed: Final = functools.lru_cache(maxsize=64)(AmazonStateLanguageParser.parse)


@contextmanager
def patched(endpoint: str, invoke: Invoke) -> Iterator[None]:
    """Moto with every change below, its state machines really executed, its Lambda functions being `invoke`."""
    with ExitStack() as stack:
        for owner, name, replacement in _changes(endpoint, invoke):
            stack.enter_context(_replaced(owner, name, replacement))
        settings: Any = default_user_config
        before = settings.get("stepfunctions")
        settings["stepfunctions"] = {"execute_state_machine": True}
        stack.callback(settings.__setitem__, "stepfunctions", before)
        yield


@contextmanager
def quick_executions() -> Iterator[None]:
    """Moto as it is, but that its executions take a fraction of the time: an execution ends as it would without."""
    with ExitStack() as stack:
        for owner, name, replacement in _quicker():
            stack.enter_context(_replaced(owner, name, replacement))
        yield


def isolated_session() -> boto3.Session:
    """A session that knows nothing of the user's profiles, credentials, files or AWS_* variables."""
    declared = botocore.session.Session.SESSION_VARIABLES
    variables = {name: (key, None, default, convert) for name, (key, _, default, convert) in declared.items()}
    for file in ("config_file", "credentials_file"):
        variables[file] = (None, None, os.devnull, None)
    return boto3.Session(
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - moto takes anything
        region_name=REGION,
        botocore_session=botocore.session.Session(session_vars=variables),
    )


def client(session: boto3.Session, service: str, endpoint: str) -> Any:
    """A client of the local server, whatever proxies the environment names."""
    settings = Config(proxies={}, max_pool_connections=64, retries={"mode": "standard", "total_max_attempts": 2})
    return session.client(service, endpoint_url=endpoint, config=settings)


def parse_definition(text: str) -> None:
    """Check a definition as moto will when it runs it; the result is kept for that.

    Raises
    ------
    Exception : of several kinds, for a definition that moto does not understand.
    """
    _parsed(text)


def _changes(endpoint: str, invoke: Invoke) -> Iterator[tuple[Any, str, Any]]:
    """Owner, attribute and replacement of each change."""
    # The one place where every kind of invocation (tasks, queues, buckets, the API) ends.
    yield LambdaFunction, "_invoke_lambda", _invocation(invoke)

    # moto asks boto3's default session for the names of regions and services, which reads the user's profile.
    yield AccountSpecificBackend, "get_session", staticmethod(_OneRegion)
    yield core_utils, "Session", isolated_session

    # A task makes a new client with the user's settings every time, and then goes through HTTP to its own process:
    # 15 ms. Lambda tasks go straight to the function, other services through one client each.
    yield boto_client, "boto3", _task_clients(endpoint)

    # startExecution takes and answers names in the case that AWS does not use in definitions, and so never works.
    yield StateTaskServiceSfn, "_sync2_api_output_of", staticmethod(_as_awaited)
    yield state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", _SYNC_SECONDS

    # While an execution is about to begin, asking for a Map's run, or for all of the execution, raises AttributeError.
    yield StepFunctionsParserBackend, "describe_map_run", _describe_map_run
    yield StepFunctionsParserBackend, "list_map_runs", _list_map_runs

    # A ranged GET reads the whole object from a file first: 40 ms for 50 MB.
    yield FakeKey, "value", _remembered_value(vars(FakeKey)["value"])

    yield from moto_queues.changes()
    yield from _quicker()


def _quicker() -> Iterator[tuple[Any, str, Any]]:
    """The changes that alter only how long moto takes for an execution."""
    # Every look-up parses its JSONPath anew: 2 ms each.
    yield json_path, "parse", functools.lru_cache(maxsize=4096)(vars(json_path)["parse"])
    yield result_path, "parse", functools.lru_cache(maxsize=4096)(vars(result_path)["parse"])

    # Every item of a Map copies all the items, twice, with the slow general deepcopy: once as its input, and once
    # with the stack that its tasks push to and pop from, whose values below are only read.
    yield states, "copy", _QuickCopy
    yield execute_state, "copy", types.SimpleNamespace(deepcopy=list)

    # A definition is parsed when it is created and for each execution: 50 ms each.
    yield AmazonStateLanguageParser, "parse", staticmethod(_parsed)


@contextmanager
def _replaced(owner: Any, name: str, replacement: Any) -> Iterator[None]:
    before = vars(owner)[name]  # not getattr: static and class methods must go back as they were
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _invocation(invoke: Invoke) -> Callable[..., tuple[str, bool, str]]:
    def _invoke_lambda(function: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        text = event if isinstance(event, str) else json.dumps({} if event is None else event)
        payload, errored = invoke(function.function_name, text)
        return payload, errored, ""

    return _invoke_lambda


class _OneRegion:
    """What moto wants of a session: which regions there are."""

    def get_available_partitions(self) -> list[str]:
        return ["aws"]

    def get_available_regions(self, service: str, partition_name: str = "aws") -> list[str]:
        return [REGION]


class _TaskLambda:
    """Invoke as boto3's Lambda client has it, without the way through the network."""

    def invoke(self, **parameters: Any) -> Mapping[str, Any]:
        name = parameters["FunctionName"]
        try:
            function = lambda_backends[ACCOUNT_ID][REGION].get_function(name)
        except UnknownFunctionException as error:
            details = {"Code": "ResourceNotFoundException", "Message": f"Function not found: {name}"}
            metadata = {"HTTPStatusCode": 404, "RequestId": "local"}
            raise ClientError({"Error": details, "ResponseMetadata": metadata}, "Invoke") from error
        payload, errored, _ = function._invoke_lambda(parameters.get("Payload", b"{}").decode())
        answer = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": io.BytesIO(payload.encode())}
        return {**answer, "FunctionError": "Unhandled"} if errored else answer


class _TaskStates:
    """Executions as a state that starts one and waits for it has them; `client` is a Step Functions client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def start_execution(self, **parameters: Any) -> Mapping[str, Any]:
        given = {_lowered(name): value for name, value in parameters.items()}
        answer = self._client.start_execution(**given)
        return {"ExecutionArn": answer["executionArn"], "StartDate": answer["startDate"].isoformat()}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - as the API names it
        found: Any = stepfunctions_parser_backends[ACCOUNT_ID][REGION].describe_execution(executionArn)
        if found.status in ("SUCCEEDED", "FAILED"):
            deadline = time.monotonic() + _OUTPUT_PATIENCE_SECONDS
            while found.output is None and found.error is None and time.monotonic() < deadline:
                time.sleep(0.001)
        return {name: value for name, value in found.to_describe_output().items() if not name.endswith("Date")}


def _lowered(name: str) -> str:
    return name[:1].lower() + name[1:]


def _as_awaited(typ: type, value: dict[str, Any]) -> None:
    """Turn a described execution into what .sync:2 gives a definition: `Output` and the like, JSON parsed."""
    for name in list(value):
        item = value.pop(name)
        parsed = json.loads(item) if name in ("input", "output") and isinstance(item, str) else item
        value[name[:1].upper() + name[1:]] = parsed


def _describe_map_run(backend: StepFunctionsParserBackend, map_run_arn: str) -> dict[str, Any]:
    for execution in backend._get_executions():
        environment = execution.exec_worker.env if execution.exec_worker else None
        record = environment.map_run_record_pool_manager.get(map_run_arn) if environment else None
        if record is not None:
            return dict(record.describe())
    raise ResourceNotFound(f"No Map Run has the name {map_run_arn}.")


def _list_map_runs(backend: StepFunctionsParserBackend, execution_arn: str) -> dict[str, Any]:
    execution: Any = backend.describe_execution(execution_arn=execution_arn)
    environment = execution.exec_worker.env if execution.exec_worker else None
    records = environment.map_run_record_pool_manager.get_all() if environment else []
    return {"mapRuns": [record.list_item() for record in records]}


def _task_clients(endpoint: str) -> types.SimpleNamespace:
    """What stands for the module boto3 where moto makes the clients of tasks."""

    @functools.cache
    def cached(service: str) -> Any:
        if service == "lambda":
            return _TaskLambda()
        found = client(isolated_session(), service, endpoint)
        return _TaskStates(found) if service == "stepfunctions" else found

    return types.SimpleNamespace(client=lambda *, service_name, **_: cached(service_name))


class _QuickCopy:
    """What moto uses of the module copy, quick for JSON."""

    @classmethod
    def deepcopy(cls, value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        if kind is dict:
            return {key: cls.deepcopy(item) for key, item in value.items()}
        if kind is list:
            return [cls.deepcopy(item) for item in value]
        return copy.deepcopy(value)


def _remembered_value(original: Any) -> property:
    """A key's bytes, read from its file once."""

    def read(key: FakeKey) -> bytes:
        remembered: bytes | None = vars(key).get("remembered_value")
        if remembered is None:
            remembered = vars(key)["remembered_value"] = original.fget(key)
        return remembered

    def write(key: FakeKey, value: bytes) -> None:
        vars(key).pop("remembered_value", None)
        original.fset(key, value)

    return property(read, write)
