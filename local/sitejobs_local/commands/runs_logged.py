"""`sitejobs runs ID --log`: what the functions of a run logged."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import notes, prepared

_SPARE: Final = timedelta(minutes=2)
"""Clocks differ, and the last lines come after the run is closed."""
_LEFT_OUT: Final = {
    *("level", "location", "message", "timestamp", "service", "cold_start", "run_id", "runId", "xray_trace_id"),
    *("function_name", "function_memory_size", "function_arn", "function_request_id"),
}


def print_log(run_id: int, stack: str | None) -> None:
    """Print a line for each that the run's functions logged, oldest first."""
    from sitejobs_local.runs.recorded import overview
    from sitejobs_local.runs.runner import folder_of

    with prepared() as (target, connection):
        run, folder = overview(connection, run_id), folder_of(target, os.environ, "logs")
    until = (run["finishedAt"] or datetime.now(UTC)) + _SPARE
    since = run["startedAt"] - _SPARE
    found = _of_this_machine(folder, since, until) if stack is None else _of_aws(stack, run["job"], since, until)
    lines = list(filter(None, (_line(text, str(run_id), run["job"], since, until) for text in found)))
    for _, line in sorted(lines, key=lambda line: line[0]):  # those of one moment stay as they were written
        click.echo(line)
    if not lines:
        where = f"the log group of {run['job']} in stack {stack}" if stack else f"{folder} on this machine"
        notes().print(f"nothing of run {run_id} is in {where}", markup=False, highlight=False)


def _of_this_machine(folder: Path, since: datetime, until: datetime) -> Iterator[str]:
    """Lines of all logs that were written to since then: a workflow's jobs are in the workflow's."""
    for file in sorted(folder.glob("*.log")):
        if file.stat().st_mtime >= since.timestamp():
            with file.open(encoding="utf-8", errors="replace") as opened:
                yield from opened


def _of_aws(stack: str, job: str, since: datetime, until: datetime) -> Iterator[str]:
    """Events of the log group of the job's functions. Needs logs:FilterLogEvents."""
    import boto3
    from botocore.exceptions import ClientError

    from sitejobs_local.runs.deployed import told

    group = f"/aws/lambda/{stack}-{job}"
    between = {"startTime": round(since.timestamp() * 1000), "endTime": round(until.timestamp() * 1000)}
    with told("logs:FilterLogEvents"):
        try:
            pages = boto3.client("logs").get_paginator("filter_log_events")
            for page in pages.paginate(logGroupName=group, **between):
                yield from (str(event["message"]) for event in page["events"])
        except ClientError as error:
            if error.response["Error"].get("Code") != "ResourceNotFoundException":
                raise
            raise InvalidInput(f"there is no log group {group} in this account and region") from None


def _line(text: str, run_id: str, job: str, since: datetime, until: datetime) -> tuple[datetime, str] | None:
    """When it was logged, and a line for a person, if the run's functions logged it."""
    if f'"{run_id}"' not in text:
        return None
    try:
        logged: dict[str, Any] = json.loads(text)
        at = datetime.strptime(logged["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z")
    except (ValueError, KeyError, TypeError):
        return None
    of_run = str(logged.get("run_id", logged.get("runId"))) == run_id
    of_job = job in (logged.get("service"), logged.get("job")) or logged.get("service") in ("runs", "workflows")
    if not (of_run and of_job and since <= at <= until):
        return None
    facts = " ".join(f"{name}={_short(value)}" for name, value in logged.items() if name not in _LEFT_OUT)
    return at, f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} {logged['level']} {logged['message']} {facts}".rstrip()


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
