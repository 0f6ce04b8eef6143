"""Executions that ended without closing their run, as EventBridge reports them.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sitejobs.errors import InvalidInput

DETAIL_TYPE = "Step Functions Execution Status Change"
METRIC_OF = {"FAILED": "runsFailed", "TIMED_OUT": "runsTimedOut", "ABORTED": "runsAborted"}
"""The statuses of an execution that close its run, and the metric that counts each."""


@dataclass(frozen=True)
class Ending:
    """An execution that did not succeed. `error` and `cause` are Step Functions' own."""

    execution: str
    machine: str
    status: str
    started_at: datetime
    error: str
    cause: str

    @property
    def told_by_jobs(self) -> bool:
        """Whether a workflow failed of its jobs alone, and the end of each of their executions is told."""
        return self.error == "JobsFailed" and not re.search(r": (NotAnswered|StepFunctions\.|States\.)", self.cause)


def read_ending(event: Mapping[str, Any]) -> Ending:
    """The ending that an event of EventBridge reports.

    Raises
    ------
    InvalidInput : the event is another one, or its status is none of `METRIC_OF`.
    """
    if event.get("detail-type") != DETAIL_TYPE:
        raise InvalidInput(f"detail-type must be {DETAIL_TYPE!r}, not {event.get('detail-type')!r}")
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        raise InvalidInput("detail must be an object")
    status = detail.get("status")
    if status not in METRIC_OF:
        raise InvalidInput(f"detail.status must be one of {', '.join(METRIC_OF)}, not {status!r}")
    return Ending(
        execution=_text(detail, "executionArn"),
        machine=_text(detail, "stateMachineArn"),
        status=status,
        started_at=_moment(detail.get("startDate")),
        error=str(detail.get("error") or status),
        cause=str(detail.get("cause") or ""),
    )


def job_of(machine: str, prefix: str, jobs: Collection[str]) -> str | None:
    """The job of a state machine, by the end of its ARN after the stack's prefix; None if it is another's."""
    name = machine.rpartition(":")[2]
    job = name.removeprefix(prefix)
    return job if job in jobs and name == prefix + job else None


def _text(detail: Mapping[str, Any], name: str) -> str:
    value = detail.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"detail.{name} must be an ARN, not {value!r}")
    return value


def _moment(milliseconds: object) -> datetime:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        raise InvalidInput(f"detail.startDate must be milliseconds since 1970, not {milliseconds!r}")
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        raise InvalidInput(f"detail.startDate is no moment in time: {milliseconds!r}") from None
