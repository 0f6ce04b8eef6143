"""The states of the jobs of a workflow run, and how they change when a job ends. Pure functions."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from sitejobs.aliases import JsonObject
from sitejobs.workflows.graph import Waits

Status = Literal["WAITING", "STARTED", "SUCCEEDED", "ALREADY_RUNNING", "FAILED", "NOT_STARTED"]

DONE = frozenset({"SUCCEEDED", "ALREADY_RUNNING"})
"""Statuses that count as success. A job that was already running counts: the other run writes its results."""
ENDED = DONE | {"FAILED", "NOT_STARTED"}

MAX_SHORT = 160
"""Most characters of a job's error within its workflow's error; the job's own summary has all of it."""

NOT_ANSWERED = {"error": "NotAnswered", "cause": "its end was not reported: see its own execution"}
"""The summary of a job whose end was not reported."""


@dataclass(frozen=True)
class JobState:
    """One job of a run.

    Attributes
    ----------
    execution : ARN of its execution, started or not.
    started_by : the job whose end started it; "": the run's start; None: not started.
    summary : what its run returned, or `error` and `cause` if it failed or was not started.
    """

    needs: tuple[str, ...]
    after: tuple[str, ...]
    execution: str
    status: Status = "WAITING"
    started_by: str | None = None
    summary: JsonObject = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        return {**asdict(self), "needs": list(self.needs), "after": list(self.after)}

    @classmethod
    def from_json(cls, value: JsonObject) -> "JobState":
        return cls(**{**value, "needs": tuple(value["needs"]), "after": tuple(value["after"])})


States = Mapping[str, JobState]


def waiting(waits: Mapping[str, Waits], executions: Mapping[str, str]) -> dict[str, JobState]:
    """The jobs of a run before any has started."""
    return {job: JobState(it.needs, it.after, executions[job]) for job, it in waits.items()}


def started(states: States, by: str) -> dict[str, JobState]:
    """The states after all jobs that may start have started; `by`: the job whose end allows it, "": the run's start."""
    return {
        job: replace(state, status="STARTED", started_by=by) if _may_start(state, states) else state
        for job, state in states.items()
    }


def ended(states: States, job: str, status: Status, summary: JsonObject) -> dict[str, JobState]:
    """The states after a job has ended. Jobs that need a failed one, directly or not, become NOT_STARTED."""
    after = {**states, job: replace(states[job], status=status, summary=summary)}
    # Each job comes after those it waits for, so one pass is enough.
    for name, state in after.items():
        lacking = [need for need in state.needs if after[need].status in ("FAILED", "NOT_STARTED")]
        if state.status == "WAITING" and lacking:
            after[name] = replace(state, status="NOT_STARTED", summary=_not_started(f"it needs {', '.join(lacking)}"))
    return after


def closed(states: States, error: JsonObject) -> dict[str, JobState]:
    """The states at the run's end: running jobs failed with `error`, waiting ones were not started."""
    final = dict(states)
    for job, state in states.items():
        if state.status == "STARTED":
            final = ended(final, job, "FAILED", error)
    return {
        job: replace(state, status="NOT_STARTED", summary=_not_started("the run ended before"))
        if state.status == "WAITING"
        else state
        for job, state in final.items()
    }


def set_going(states: States, by: str) -> list[str]:
    """The jobs that the end of the job `by` started; every call returns the same."""
    return [job for job, state in states.items() if state.started_by == by]


def verdict(states: States) -> tuple[str | None, str | None]:
    """Error and cause of a run by its jobs; None if all succeeded."""
    lost = [f"{job}: {_short(state.summary)}" for job, state in _of(states, "FAILED")]
    left_out = [job for job, _ in _of(states, "NOT_STARTED")]
    if not lost and not left_out:
        return None, None
    parts = [f"failed: {'; '.join(lost)}"] if lost else []
    if left_out:
        parts.append(f"not started: {', '.join(left_out)}")
    return "JobsFailed", ". ".join(parts)


def message(states: States) -> str | None:
    """What a person should know beside the counts."""
    busy = [job for job, _ in _of(states, "ALREADY_RUNNING")]
    return f"already running, not started again: {', '.join(busy)}" if busy else None


def _of(states: States, status: Status) -> list[tuple[str, JobState]]:
    return [(job, state) for job, state in states.items() if state.status == status]


def _short(summary: JsonObject) -> str:
    text = f"{summary.get('error')}: {summary.get('cause') or ''}".rstrip(": ")
    return text if len(text) <= MAX_SHORT else text[: MAX_SHORT - 3] + "..."


def _may_start(state: JobState, states: States) -> bool:
    return (
        state.status == "WAITING"
        and all(states[need].status in DONE for need in state.needs)
        and all(states[other].status in ENDED for other in state.after)
    )


def _not_started(cause: str) -> JsonObject:
    return {"error": "NotStarted", "cause": cause}
