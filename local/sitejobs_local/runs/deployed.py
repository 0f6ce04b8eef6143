"""A job or workflow on AWS: its state machine found in a stack, started, and followed to its end.

Only CloudFormation and Step Functions are called, with the caller's credentials: this machine need not reach the
database. Actions that must be allowed:
cloudformation:ListStackResources, states:StartExecution, states:DescribeExecution,
states:GetExecutionHistory, states:ListMapRuns and states:DescribeMapRun.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sitejobs.errors import InvalidInput, SitejobsError
from sitejobs_local.runs.progress import RunProgress, Totals
from sitejobs_local.runs.runner import EXIT_INTERRUPTED, Outcome, failed, succeeded

POLL_SECONDS = 2.0
_STATE_MACHINE = "AWS::StepFunctions::StateMachine"
# Adaptive: a throttled request waits and is retried, so that the execution is still followed.
_CONFIG = Config(retries={"mode": "adaptive", "total_max_attempts": 10})
_EVENTS_LOOKED_AT = 100
"""Events read from a history. A wanted answer is among the first or last ten, unless its step was retried."""


class AwsRefused(SitejobsError):
    """AWS cannot be asked, or refuses."""


@dataclass(frozen=True)
class DeployedJob:
    """The state machine of a job or workflow on AWS."""

    job: str
    machine: str
    client: Any = field(repr=False)

    def start(self, payload: Mapping[str, Any]) -> str:
        """Start an execution; its ARN."""
        with told("states:StartExecution"):
            answer = self.client.start_execution(
                stateMachineArn=self.machine, name=f"cli-{uuid.uuid4()}", input=json.dumps(payload)
            )
        return str(answer["executionArn"])

    def follow(self, execution: str, progress: RunProgress, poll_seconds: float = POLL_SECONDS) -> Outcome:
        """Follow an execution to its end. An interrupt ends the following, not the execution."""
        look = Pages(self.client, execution, progress)
        try:
            described = self.watch(execution, look.again, poll_seconds)
        except KeyboardInterrupt:
            return self.left(execution, progress.totals.run_id)
        return _outcome(self.job, described, progress.totals)

    def watch(self, execution: str, look: Callable[[], None], poll_seconds: float = POLL_SECONDS) -> Mapping[str, Any]:
        """Call `look` every few seconds until the execution has ended; returns its description."""
        with told("states:DescribeExecution"):
            while (described := self.client.describe_execution(executionArn=execution))["status"] == "RUNNING":
                look()
                time.sleep(poll_seconds)
        return dict(described)

    def left(self, execution: str, run_id: str | None = None) -> Outcome:
        """The outcome of an execution that is no longer followed."""
        cause = f"no longer followed; the execution goes on: {execution}"
        summary = {"job": self.job, "runId": run_id, "status": "RUNNING", "error": "Interrupted"}
        return Outcome(EXIT_INTERRUPTED, {**summary, "cause": cause})


def find(stack: str, job: str) -> DeployedJob:
    """The state machine of a job in a stack, by its logical id: `match-scores` is `MatchScoresStateMachine`.

    Raises
    ------
    InvalidInput : there is no such stack, or it has no such job.
    AwsRefused : credentials or region are missing, or the credentials do not allow it.
    """
    wanted = "".join(part.capitalize() for part in job.split("-")) + "StateMachine"
    machines = resources_of(stack, _STATE_MACHINE)
    with told("states:StartExecution"):
        client = boto3.client("stepfunctions", config=_CONFIG)
    if wanted not in machines:
        known = ", ".join(sorted(machines)) or "none"
        raise InvalidInput(f"stack {stack!r} has no state machine {wanted} for {job} (its state machines: {known})")
    return DeployedJob(job, machines[wanted], client)


def resources_of(stack: str, kind: str) -> dict[str, str]:
    """The resources of one type in a stack: what AWS calls them, by logical id.

    Raises
    ------
    InvalidInput : there is no such stack.
    AwsRefused : credentials or region are missing, or the credentials do not allow it.
    """
    try:
        with told("cloudformation:ListStackResources"):
            client = boto3.client("cloudformation", config=_CONFIG)
            pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
            return {
                resource["LogicalResourceId"]: resource["PhysicalResourceId"]
                for page in pages
                for resource in page["StackResourceSummaries"]
                if resource["ResourceType"] == kind and resource.get("PhysicalResourceId")
            }
    except ClientError as error:
        raise InvalidInput(f"there is no stack {stack!r} in this account and region ({_message(error)})") from None


def pages_of(totals: Totals, noun: str = "users") -> str:
    """Progress of a run on AWS: `12/40 pages`. Users are not known there, so `noun` is not used."""
    return f"{totals.pages:,}/{max(totals.planned_pages, totals.pages):,} pages"


def answers(client: Any, execution: str, *, newest_first: bool = False) -> Iterator[Mapping[str, Any]]:
    """What an execution's functions returned, from the first or the last events of its history."""
    history = client.get_execution_history(
        executionArn=execution, maxResults=_EVENTS_LOOKED_AT, reverseOrder=newest_first, includeExecutionData=True
    )
    for event in history["events"]:
        answer = _answer(event.get("taskSucceededEventDetails"))
        if answer is not None:
            yield answer


@contextmanager
def if_begun() -> Iterator[None]:
    """Ignore that an execution does not exist: another one is about to start it."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"].get("Code") != "ExecutionDoesNotExist":
            raise


class Pages:
    """Counts an execution's pages: Step Functions keeps them for each Map, one a chapter."""

    def __init__(self, client: Any, execution: str, progress: RunProgress) -> None:
        self._client = client
        self._execution = execution
        self._progress = progress
        self._ended: dict[str, int] = {}
        self._planned = False

    def again(self) -> None:
        """Tell the progress how many pages have ended by now."""
        if not self._planned:
            self._read_plan()
        pages = 0
        for arn, over in self._map_runs():
            if arn not in self._ended:
                ended = _ended_items(self._client.describe_map_run(mapRunArn=arn)["itemCounts"])
                if over:
                    self._ended[arn] = ended
                pages += ended
            else:
                pages += self._ended[arn]
        self._progress.set_pages(pages)

    def _map_runs(self) -> Iterator[tuple[str, bool]]:
        for answer in self._client.get_paginator("list_map_runs").paginate(executionArn=self._execution):
            yield from ((run["mapRunArn"], run.get("stopDate") is not None) for run in answer["mapRuns"])

    def _read_plan(self) -> None:
        for answer in answers(self._client, self._execution):
            if "planned" in answer:
                self._planned = True
                self._progress.add(answer)
                return


def _answer(details: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What a function returned; None for events that are not a function's success."""
    if not details:
        return None
    try:
        output = json.loads(details.get("output") or "{}")
    except ValueError:  # cut short
        return None
    payload = output.get("Payload") if isinstance(output, dict) else None
    return payload if isinstance(payload, dict) else None


def _ended_items(counts: Mapping[str, int]) -> int:
    return sum(counts[name] for name in ("succeeded", "failed", "timedOut", "aborted"))


def _outcome(job: str, described: Mapping[str, Any], totals: Totals) -> Outcome:
    if described["status"] == "SUCCEEDED":
        return succeeded({"job": job, **json.loads(described["output"])})
    error = described.get("error") or described["status"]
    outcome = failed(job, totals.run_id, error, described.get("cause"), status=str(described["status"]))
    return replace(outcome, summary={**outcome.summary, "execution": described["executionArn"]})


@contextmanager
def told(action: str) -> Iterator[None]:
    """Turn boto3's errors into AwsRefused, except for a stack that does not exist (ValidationError)."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"].get("Code") == "ValidationError":
            raise
        raise AwsRefused(f"AWS refuses {action}: {_message(error)}") from None
    except BotoCoreError as error:
        raise AwsRefused(f"AWS cannot be asked: {error}") from None


def _message(error: ClientError) -> str:
    details = error.response["Error"]
    return f"{details.get('Code')}: {details.get('Message')}"
