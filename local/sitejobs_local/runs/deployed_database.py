"""The database of a stack on AWS, checked and migrated by the stack's own functions.

Only CloudFormation and Lambda are called, with the caller's credentials. Actions that must be allowed:
cloudformation:ListStackResources and lambda:InvokeFunction.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import boto3
from botocore.config import Config

from sitejobs.errors import InvalidInput
from sitejobs.schema.check import Finding, Report
from sitejobs_local.runs.deployed import AwsRefused, resources_of, told

_FUNCTION: Final = "AWS::Lambda::Function"
_TIMED_OUT: Final = "Sandbox.Timedout"
# A little more than the functions' time limit. A call that was cut off is not made again: it may still be at work.
_CONFIG: Final = Config(read_timeout=930, retries={"total_max_attempts": 1})


def check(stack: str) -> Report:
    """Compare the database with what the jobs need, as the stack's functions see it."""
    answer = _call(stack, "CheckFunction", {})
    del answer["ok"]
    lists = {name: tuple(answer[name]) for name in ("search_path", "jobs")}
    findings = tuple(Finding(**{**it, "jobs": tuple(it["jobs"])}) for it in answer["findings"])
    return Report(**{**answer, **lists, "findings": findings})


def migrate(stack: str, secret: str | None = None, *, again: bool = False, schema: str | None = None) -> list[str]:
    """Create or update the bundle's tables; the names of the migrations that were applied.

    Parameters
    ----------
    secret : ARN of a secret with another login, for this call only.
    schema : the bundle's, made if need be; the functions' search path must lead there.
    """
    event = {"secret": secret, "again": again} | ({"schema": schema} if schema is not None else {})
    return list(_call(stack, "MigrateFunction", event)["applied"])


def _call(stack: str, function: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """A function's answer.

    Raises
    ------
    InvalidInput : there is no such stack or function; or the function says that something is set wrongly.
    AwsRefused : AWS cannot be asked or refuses; or the function failed, with its error.
    """
    functions = resources_of(stack, _FUNCTION)
    if function not in functions:
        raise InvalidInput(f"stack {stack!r} has no {function}: deploy this version of the bundle first")
    with told("lambda:InvokeFunction"):
        client = boto3.client("lambda", config=_CONFIG)
        answer = client.invoke(FunctionName=functions[function], Payload=json.dumps(event))
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise error_of(function, payload)
    return payload


def error_of(function: str, payload: Mapping[str, Any]) -> Exception:
    """What to raise for a function that failed, given what it answered."""
    name, message = payload.get("errorType"), payload.get("errorMessage", "")
    if name == "InvalidInput":
        return InvalidInput(str(message))
    if name == _TIMED_OUT or "Task timed out" in str(message):
        advice = "`sitejobs db migrate --print` writes the SQL for psql, which has no limit"
        return AwsRefused(f"{function} was ended at its time limit: {advice}")
    return AwsRefused(f"{function} failed: {name}: {message}")
