"""A workflow on AWS, followed job by job.

The jobs' states are read from histories of executions. In the workflow's own, Plan's answer names the jobs that wait
for nothing. In the execution of workflow-job around each job, Ended's answer says how the job ended and which jobs
start next. A workflow at home is followed by the same answers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sitejobs_local.aws.machine import Execution
from sitejobs_local.runs.deployed import POLL_SECONDS, DeployedJob, Pages, answers, if_begun, told
from sitejobs_local.runs.runner import Outcome
from sitejobs_local.runs.workflow_progress import WorkflowProgress
from sitejobs_local.runs.workflow_runner import outcome_of

_AROUND_A_JOB = "workflow-job"


def follow_workflow(
    deployed: DeployedJob, execution: str, progress: WorkflowProgress, poll_seconds: float = POLL_SECONDS
) -> Outcome:
    """Follow a workflow's execution to its end. An interrupt ends the following, not the execution."""
    look = _Jobs(deployed.client, execution, progress)
    try:
        ended = _execution(deployed.watch(execution, look.again, poll_seconds))
    except KeyboardInterrupt:
        return deployed.left(execution, progress.run_id)
    with told("states:GetExecutionHistory"):
        look.again()  # it may have ended before it was looked at once
        if ended.status == "SUCCEEDED":
            progress.step(ended.output)
            return outcome_of(deployed.job, ended, progress)
        look.at_last()
    outcome = outcome_of(deployed.job, ended, progress)
    return replace(outcome, summary={**outcome.summary, "execution": execution})


@dataclass(frozen=True)
class _AtWork:
    """A job that was started: the execution around it, and the pages of its own."""

    around: str
    pages: Pages


class _Jobs:
    """Tells a workflow's progress the states of its jobs."""

    def __init__(self, client: Any, execution: str, progress: WorkflowProgress) -> None:
        self._client = client
        self._execution = execution
        self._progress = progress
        self._at_work: dict[str, _AtWork] = {}

    def again(self) -> None:
        """Tell the progress the jobs' present states, those of jobs that followed on others included."""
        if not self._progress.jobs:
            self._read_plan()
        looked_at: set[str] = set()
        while unseen := [job for job in self._at_work if job not in looked_at]:
            looked_at.update(unseen)
            for job in unseen:
                with if_begun():
                    self._look_at(job)

    def at_last(self) -> None:
        """Tell what Finish returned: the summary, which includes jobs whose end was not seen."""
        for answer in answers(self._client, self._execution, newest_first=True):
            if isinstance(answer.get("jobs"), dict):
                self._progress.step(answer)
                return

    def _read_plan(self) -> None:
        for answer in answers(self._client, self._execution):
            if answer.get("status") == "PLANNED":
                self._tell(answer)
                return

    def _look_at(self, job: str) -> None:
        at_work = self._at_work[job]
        ended = next((answer for answer in answers(self._client, at_work.around) if "ended" in answer), None)
        with if_begun():  # once more after the end: since the last look it may have begun, and all its pages passed
            at_work.pages.again()
        if ended is not None:
            del self._at_work[job]
            self._tell(ended)

    def _tell(self, answer: Mapping[str, Any]) -> None:
        self._progress.step(answer)
        for order in answer["ready"]:
            job, name = order["job"], order["name"]
            machines = order["machine"].removesuffix(job).replace(":stateMachine:", ":execution:")
            pages = Pages(self._client, f"{machines}{job}:{name}", self._progress.jobs[job])
            self._at_work[job] = _AtWork(f"{machines}{_AROUND_A_JOB}:{name}", pages)


def _execution(described: Mapping[str, Any]) -> Execution:
    output = json.loads(described["output"]) if described.get("output") else None
    return Execution(
        described["executionArn"], described["status"], output, described.get("error"), described.get("cause")
    )
