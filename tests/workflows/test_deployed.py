"""A workflow of a deployed stack, started and followed job by job; the local machine stands in for AWS."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from sitejobs_local.runs.deployed import find
from sitejobs_local.runs.deployed_workflow import follow_workflow
from sitejobs_local.runs.progress import Totals
from sitejobs_local.runs.workflow_progress import Quiet, WorkflowProgress
from tests.limits import PATIENCE_S
from tests.local.cloud import aws_variables, deploy, far_environment
from tests.local.command import PROGRAM, sitejobs
from tests.workflows.conftest import Toys

STACK = "the-site"
ARN = "arn:aws:states:us-east-1:123456789012:execution:all:cli-"


@pytest.fixture(scope="module")
def stack(toy_machine: Toys) -> str:
    deploy(toy_machine.machine, STACK, {"AllStateMachine": "all"})
    return STACK


@pytest.fixture
def env(toys: Toys, stack: str) -> dict[str, str]:
    return far_environment(toys.machine)


@pytest.fixture
def aws(toys: Toys, stack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toys]:
    """Toys that boto3 finds from within this process."""
    for name, value in aws_variables(toys.machine).items():
        monkeypatch.setenv(name, value)
    yield toys


class Story(Quiet):
    """Keeps what is reported of a workflow, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def planned(self, jobs: list[str]) -> None:
        self.told.append(("planned", ",".join(jobs)))

    def begun(self, job: str) -> None:
        self.told.append(("begun", job))

    def moved(self, job: str, totals: Totals) -> None: ...

    def ended(self, job: str, line: str, seconds: float) -> None:
        self.told.append((line.partition("  ")[0], job))


def test_it_shows_a_line_a_job_and_a_table_as_a_run_at_home_does(toys: Toys, env: dict[str, str]) -> None:
    done = sitejobs("all", "--only=search,content-features", f"--stack={STACK}", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    execution, planned, *lines = done.stderr.splitlines()
    assert execution.startswith(ARN)
    assert planned == "3 jobs: profile-search-index, searchable-user, content-features"
    told = [re.fullmatch(r"([a-z-]+): succeeded  10 processed  5 rows(  [\d.]+ s)?", line) for line in lines]
    assert sorted(one[1] for one in told if one) == ["content-features", "profile-search-index", "searchable-user"]
    assert re.search(r"(?m)^searchable-user +succeeded +10 +5 ", done.stdout)
    assert toys.last_run()["trigger"] == "cli"


def test_a_job_that_fails_is_named_with_those_that_needed_it(toys: Toys, env: dict[str, str]) -> None:
    toys.tell("content-features", "fail")
    failed = sitejobs("all", "--only=content-features,trending,searchable-user", f"--stack={STACK}", env=env)
    assert failed.returncode == 1
    assert "content-features: failed  PagesFailed: 2 of 3 pages failed" in failed.stderr
    assert "trending: not started  NotStarted: it needs content-features" in failed.stderr
    assert "searchable-user: succeeded  10 processed" in failed.stderr
    assert re.search(r"(?m)^trending +not started", failed.stdout)
    assert "JobsFailed: failed: content-features: PagesFailed: 2 of 3 pages failed. not started: trending" in " ".join(
        failed.stdout.split()
    )


def test_as_json_it_is_the_summary_alone(toys: Toys, env: dict[str, str]) -> None:
    toys.tell("trending", "fail")
    failed = sitejobs("all", "--only=content-features,trending", "--json", f"--stack={STACK}", env=env)
    assert (failed.returncode, failed.stderr) == (1, "")
    summary = json.loads(failed.stdout)
    assert (summary["job"], summary["status"], summary["error"]) == ("all", "FAILED", "JobsFailed")
    assert summary["execution"].startswith(ARN)
    assert summary["runId"] == str(toys.last_run()["id"])
    assert {job: state["status"] for job, state in summary["jobs"].items()} == {
        "content-features": "SUCCEEDED",
        "trending": "FAILED",
    }


def test_a_job_is_told_when_it_ends_and_not_at_the_end_of_all(aws: Toys) -> None:
    """match-scores ends after trending was reported as started, so after content-features has ended."""
    aws.tell("match-scores", others=("trending was told",))

    class Answering(Story):
        def begun(self, job: str) -> None:
            super().begun(job)
            if job == "trending":
                aws.connection.execute("""INSERT INTO "Seen" ("job") VALUES ('trending was told')""")

    view = Answering()
    workflow = find(STACK, "all")
    execution = workflow.start({"only": ["match-scores", "compatibility", "content-features", "trending"]})
    outcome = follow_workflow(workflow, execution, WorkflowProgress(view), poll_seconds=0.05)
    assert outcome.exit_status == 0, outcome
    assert view.told[0] == ("planned", "match-scores,compatibility,content-features,trending")
    order = [
        ("begun", "content-features"),
        ("begun", "trending"),
        ("succeeded", "content-features"),
        ("begun", "compatibility"),
        ("succeeded", "match-scores"),
        ("succeeded", "compatibility"),
    ]
    assert [one for one in view.told if one in order] == order
    assert ("succeeded", "trending") in view.told


def test_one_that_is_at_work_already_says_so(aws: Toys) -> None:
    aws.tell("trending", others=("the second",))
    workflow = find(STACK, "all")
    first = workflow.start({"only": ["trending"]})
    aws.eventually("""SELECT EXISTS (SELECT FROM "Seen" WHERE "job" = 'trending')""")
    outcome = follow_workflow(workflow, workflow.start({"only": ["trending"]}), WorkflowProgress(), poll_seconds=0.05)
    assert (outcome.exit_status, outcome.summary["status"]) == (3, "ALREADY_RUNNING")
    aws.connection.execute("""INSERT INTO "Seen" ("job") VALUES ('the second')""")
    assert aws.machine.wait(first, timeout=PATIENCE_S).status == "SUCCEEDED"


def test_a_stopped_one_ends_the_following(aws: Toys) -> None:
    aws.tell("trending", others=("the stop",))
    workflow = find(STACK, "all")
    execution = workflow.start({"only": ["trending"]})
    aws.eventually("""SELECT EXISTS (SELECT FROM "Seen" WHERE "job" = 'trending')""")
    aws.machine.stop(execution)
    aws.connection.execute("""INSERT INTO "Seen" ("job") VALUES ('the stop')""")
    outcome = follow_workflow(workflow, execution, WorkflowProgress(), poll_seconds=0.05)
    assert (outcome.exit_status, outcome.summary["status"]) == (1, "FAILED")
    assert outcome.summary["execution"] == execution


def test_interrupted_the_command_ends_and_the_workflow_goes_on(toys: Toys, env: dict[str, str]) -> None:
    toys.tell("trending", others=("the interrupt",))
    arguments = [*PROGRAM, "all", "--only=trending", f"--stack={STACK}"]
    process = subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    execution = process.stderr.readline().strip()
    toys.eventually("""SELECT EXISTS (SELECT FROM "Seen" WHERE "job" = 'trending')""")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert f"the execution goes on: {execution}" in "".join(output.split("\n"))
    assert "Traceback" not in errors
    toys.connection.execute("""INSERT INTO "Seen" ("job") VALUES ('the interrupt')""")
    assert toys.machine.wait(execution, timeout=PATIENCE_S).status == "SUCCEEDED"


def test_detached_it_prints_the_executions_arn_and_leaves(toys: Toys, env: dict[str, str]) -> None:
    left = sitejobs("all", "--only=trending", "--detach", f"--stack={STACK}", env=env)
    assert (left.returncode, left.stderr) == (0, "")
    execution = left.stdout.strip()
    assert execution.startswith(ARN)
    assert toys.machine.wait(execution, timeout=PATIENCE_S).status == "SUCCEEDED"
