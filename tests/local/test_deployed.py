"""A job of a deployed stack, started and followed: moto's CloudFormation and Step Functions stand for AWS."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sitejobs.errors import InvalidInput
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import TEMPLATE
from sitejobs_local.population import generate, load
from sitejobs_local.runs import deployed
from sitejobs_local.runs.deployed import AwsRefused, find, pages_of
from sitejobs_local.runs.deployed_workflow import follow_workflow
from sitejobs_local.runs.progress import RunProgress, Totals
from sitejobs_local.runs.workflow_progress import Quiet, WorkflowProgress
from sitejobs_local.template.cloudformation import STACK_NAME
from tests.databases import site_database
from tests.limits import PATIENCE_S
from tests.local.cloud import aws_variables, deploy, far_environment
from tests.local.command import PROGRAM, environment, sitejobs
from tests.matching.random_sites import NOW

STACK = "the-site"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:sitejobs-match-scores"


class Cloud:
    """A machine that other processes take for AWS."""

    def __init__(self, aws: LocalMachine, url: str, page_begun: threading.Event) -> None:
        self.aws = aws
        self.url = url
        self.page_begun = page_begun

    @property
    def env(self) -> dict[str, str]:
        return far_environment(self.aws)

    def runs(self) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            return connection.execute('SELECT "status", "trigger", "written" FROM "JobRun" ORDER BY "id"').fetchall()


@pytest.fixture(scope="module")
def running(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("cloud")
    page_begun = threading.Event()
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            load(connection, generate(40, 1, NOW))

        def seen(event: Event) -> None:
            if event.function == "MatchScoresFunction":
                page_begun.set()

        aws = LocalMachine(
            TEMPLATE, database_url=url, log_file=folder / "log", on_event=seen, work_folder=folder / "work"
        )
        with aws:
            jobs = {
                "MatchScoresStateMachine": f"{STACK_NAME}-match-scores",
                "OnboardUserStateMachine": f"{STACK_NAME}-onboard-user",
            }
            deploy(aws, STACK, jobs)
            deploy(aws, "another", {"PayrollStateMachine": "payroll"})
            yield Cloud(aws, url, page_begun)


@pytest.fixture
def cloud(running: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    with connect(running.url) as connection:
        connection.execute('DELETE FROM "JobRun"')
    running.page_begun.clear()
    for name, value in aws_variables(running.aws).items():
        monkeypatch.setenv(name, value)
    return running


def test_a_deployed_job_is_started_and_followed_to_its_summary(cloud: Cloud) -> None:
    done = sitejobs("match-scores", "--batchSize=5", "--pauseMs=400", "--json", f"--stack={STACK}", env=cloud.env)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["job"], summary["status"]) == ("match-scores", "SUCCEEDED")
    assert cloud.runs() == [("SUCCEEDED", "cli", summary["written"])]
    assert summary["written"] > 0


def test_the_progress_counts_pages_as_step_functions_does(cloud: Cloud) -> None:
    seen: list[Totals] = []
    job = find(STACK, "match-scores")
    execution = job.start({"batchSize": 4, "pauseMs": 300, "maxConcurrency": 1, "trigger": "cli"})
    outcome = job.follow(execution, RunProgress(seen.append), poll_seconds=0.1)
    assert outcome.exit_status == 0
    pages = [totals.pages for totals in seen if totals.planned_pages]
    assert pages == sorted(pages)
    assert len(set(pages)) > 2
    assert {totals.planned_pages for totals in seen if totals.planned_pages} == {outcome.summary["pages"]}
    assert pages_of(seen[-1]) == f"{pages[-1]}/{outcome.summary['pages']} pages"
    assert seen[-1].run_id == outcome.summary["runId"]


def test_detached_it_prints_the_executions_arn_and_leaves(cloud: Cloud) -> None:
    left = sitejobs("match-scores", "--userId=1", "--detach", f"--stack={STACK}", env=cloud.env)
    assert (left.returncode, left.stderr) == (0, "")
    execution = left.stdout.strip()
    assert execution.startswith(MACHINE.replace("stateMachine", "execution") + ":cli-")
    assert cloud.aws.wait(execution, timeout=PATIENCE_S).status == "SUCCEEDED"


def test_interrupted_the_command_ends_and_the_run_goes_on(cloud: Cloud) -> None:
    slow = ("match-scores", "--batchSize=20", "--pauseMs=4000", f"--stack={STACK}")
    process = subprocess.Popen(
        [*PROGRAM, *slow], env=cloud.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    execution = process.stderr.readline().strip()
    assert cloud.page_begun.wait(PATIENCE_S)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert f"the execution goes on: {execution}" in "".join(output.split("\n"))
    assert "Traceback" not in errors
    assert cloud.aws.wait(execution, timeout=PATIENCE_S).status == "SUCCEEDED"


def test_a_run_that_fails_there_fails_here_with_its_reason(cloud: Cloud) -> None:
    job = find(STACK, "match-scores")
    outcome = job.follow(job.start({"batchSize": 0}), RunProgress(), poll_seconds=0.1)
    assert (outcome.exit_status, outcome.summary["error"]) == (2, "InvalidInput")
    assert "batchSize must be" in outcome.summary["cause"]


def test_a_stopped_execution_ends_the_following(cloud: Cloud) -> None:
    job = find(STACK, "match-scores")
    execution = job.start({"batchSize": 5, "pauseMs": 1000, "maxConcurrency": 1})
    assert cloud.page_begun.wait(PATIENCE_S)
    cloud.aws.stop(execution)
    outcome = job.follow(execution, RunProgress(), poll_seconds=0.1)
    assert (outcome.exit_status, outcome.summary["status"]) == (1, "ABORTED")
    assert outcome.summary["execution"] == execution


def test_a_job_that_is_at_work_already_says_so(cloud: Cloud) -> None:
    job = find(STACK, "match-scores")
    first = job.start({"batchSize": 20, "pauseMs": 3000})
    assert cloud.page_begun.wait(PATIENCE_S)
    outcome = job.follow(job.start({}), RunProgress(), poll_seconds=0.1)
    assert (outcome.exit_status, outcome.summary["status"]) == (3, "ALREADY_RUNNING")
    cloud.aws.wait(first, timeout=PATIENCE_S)


@pytest.mark.parametrize("has_ended", [False, True])
def test_the_pages_of_a_workflows_jobs_are_counted_to_each(cloud: Cloud, has_ended: bool) -> None:
    moved: dict[str, Totals] = {}

    class Kept(Quiet):
        def moved(self, job: str, totals: Totals) -> None:
            moved[job] = totals

    workflow = find(STACK, "onboard-user")
    progress = WorkflowProgress(Kept())
    execution = workflow.start({"userId": "8"})
    if has_ended:
        cloud.aws.wait(execution, timeout=PATIENCE_S)
    outcome = follow_workflow(workflow, execution, progress, poll_seconds=0.02)
    assert (outcome.exit_status, outcome.summary["status"]) == (0, "SUCCEEDED"), outcome
    assert {state["processed"] for state in outcome.summary["jobs"].values()} == {1}
    assert moved["match-scores"].planned_pages == 1
    assert moved["match-scores"].run_id == outcome.summary["jobs"]["match-scores"]["runId"]
    assert set(moved) == set(outcome.summary["jobs"])


def test_wrong_options_are_refused_before_anything_is_asked(cloud: Cloud) -> None:
    refused = sitejobs("match-scores", "--batchSize=0", "--stack=nowhere", env=cloud.env)
    assert (refused.returncode, "batchSize" in refused.stderr) == (2, True)


def test_a_stack_or_job_that_is_not_there_is_named(cloud: Cloud) -> None:
    with pytest.raises(InvalidInput, match="there is no stack 'nowhere' in this account and region"):
        find("nowhere", "match-scores")
    with pytest.raises(InvalidInput, match=r"has no state machine MatchScoresStateMachine.*: PayrollStateMachine\)"):
        find("another", "match-scores")


def test_without_credentials_or_region_it_says_so(cloud: Cloud) -> None:
    bare = {name: value for name, value in cloud.env.items() if not name.startswith("AWS_")}
    offline = bare | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "HOME": "/nowhere"}
    for extra, message in (({}, "region"), ({"AWS_DEFAULT_REGION": "us-east-1"}, "credentials")):
        refused = sitejobs("match-scores", f"--stack={STACK}", env=offline | extra)
        assert refused.returncode == 1
        assert "AWS cannot be asked" in refused.stderr
        assert message in refused.stderr


def test_what_aws_refuses_is_told_with_the_action(cloud: Cloud) -> None:
    gone = deployed.DeployedJob("match-scores", MACHINE + "-gone", find(STACK, "match-scores").client)
    with pytest.raises(AwsRefused, match="AWS refuses states:StartExecution: StateMachineDoesNotExist"):
        gone.start({})


def test_to_detach_needs_a_stack() -> None:
    refused = sitejobs("match-scores", "--detach", env=environment())
    assert (refused.returncode, "--detach goes with --stack=<name>" in refused.stderr) == (2, True)
