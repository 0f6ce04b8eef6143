"""The stack's workflows and schedules: definitions, rights, and rules whose events start the right jobs."""

import json
import re
from typing import Any

import pytest
from statelint.linter import Linter

from sitejobs.options import parse_options
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs.workflows.graph import STEPS
from sitejobs.workflows.options import AllOptions
from sitejobs_local.template.cloudformation import STACK_NAME
from sitejobs_local.template.loops import read_template
from sitejobs_local.template.template import load_template
from tests.workflows.conftest import ROOT, Toys

DOCUMENT = read_template(ROOT / "template.yaml")
RESOURCES: dict[str, dict[str, Any]] = DOCUMENT["Resources"]
AS_READ = load_template(ROOT / "template.yaml")
RULES = {name: it["Properties"] for name, it in RESOURCES.items() if it["Type"] == "AWS::Events::Rule"}
RULES = {name: it for name, it in RULES.items() if "ScheduleExpression" in it}
LARGE_PAGES: dict[str, dict[str, int]] = {
    "match-scores": {"batchSize": 500, "pauseMs": 0},
    "compatibility": {"batchSize": 1000},
    "build-user-traits": {"batchSize": 5000},
    "user-interest-sets": {"batchSize": 5000},
    "searchable-user": {"batchSize": 10_000},
    "profile-search-index": {"userBatchSize": 2000, "pauseMs": 0},
    "content-features": {"batchSize": 5000},
    "affinity": {"batchSize": 5000},
    "trending": {"batchSize": 5000},
    "feed-presort": {"batchSize": 1000, "maxConcurrency": 8},
    "feed-presort-cleanup": {"batchSize": 5000},
}
EXPECTED: dict[str, tuple[str, dict[str, Any]]] = {
    "DailyRule": ("cron(0 0 * * ? *)", {"paging": LARGE_PAGES}),
    "MatchingRule": (
        "cron(30 * * * ? *)",
        {
            "only": ["match-model", "match-scores", "compatibility"],
            "incremental": True,
            "paging": {
                "match-scores": {"batchSize": 1000, "pauseMs": 0},
                "compatibility": LARGE_PAGES["compatibility"],
            },
        },
    ),
    "FeedRule": (
        "cron(5/15 * * * ? *)",
        {
            "only": ["feed-presort"],
            "incremental": True,
            "paging": {"feed-presort": LARGE_PAGES["feed-presort"]},
        },
    ),
    "ContentRule": (
        "cron(15 * * * ? *)",
        {
            "only": ["content-features", "trending"],
            "incremental": True,
            "paging": {job: LARGE_PAGES[job] for job in ("content-features", "trending")},
        },
    ),
    "MediaRule": ("cron(45 * * * ? *)", {"only": ["media-metadata-batch"]}),
    "CleanupRule": (
        "cron(0 4 ? * SUN *)",
        {
            "only": ["match-model", "feed-presort-cleanup"],
            "paging": {
                "match-model": {"batchSize": 5000},
                "feed-presort-cleanup": LARGE_PAGES["feed-presort-cleanup"],
            },
        },
    ),
}
PLACE = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:"


@pytest.mark.parametrize("name", ["workflow", "workflow-job"])
def test_the_definitions_keep_to_the_states_language(name: str) -> None:
    text = (ROOT / "statemachines" / f"{name}.asl.json").read_text()
    assert Linter.validate(json.loads(text)) == []
    assert "${" not in re.sub(r"\$\{(Workflow|WorkflowsFunctionArn|WorkflowJobArn)\}", "", text)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflows_state_machine_runs_the_workflow_of_its_name(name: str) -> None:
    machine = AS_READ.state_machine(name)
    assert machine.definition_file.name == "workflow.asl.json"
    assert machine.substitutions["Workflow"] == name
    assert machine.substitutions["WorkflowJobArn"] == AS_READ.state_machine("workflow-job").arn


def test_the_jobs_machines_are_found_by_the_name_of_the_job() -> None:
    machines = AS_READ.functions["WorkflowsFunction"].environment["JOB_MACHINES"]
    for job in STEPS:
        assert AS_READ.state_machine(job).arn == machines + job


def statements(resource: str) -> list[dict[str, Any]]:
    properties = RESOURCES[resource]["Properties"]
    policies = properties.get("Policies") or [properties]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def test_workflow_job_may_run_the_jobs_of_the_graph_and_itself() -> None:
    start, watch = statements("WorkflowJobStateMachineRole")
    logical = {AS_READ.state_machine(job).logical_id for job in STEPS}
    assert start["Action"] == "states:StartExecution"
    assert {resource["Ref"] for resource in start["Resource"]} == logical
    assert set(watch["Action"]) == {"states:DescribeExecution", "states:StopExecution"}
    assert {resource["Fn::Sub"] for resource in watch["Resource"]} == {
        f"{PLACE}execution:${{AWS::StackName}}-{job}:*" for job in STEPS
    }


def test_workflows_may_run_workflow_job_and_hear_of_its_end_and_call_their_function() -> None:
    may = {
        action: statement["Resource"]
        for statement in statements("WorkflowBasics")
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert may["lambda:InvokeFunction"] == {"Fn::Sub": "${WorkflowsFunction.Arn}:*"}
    assert may["states:StartExecution"]["Fn::Sub"] == PLACE + "stateMachine:${AWS::StackName}-workflow-job"
    assert may["states:StopExecution"]["Fn::Sub"] == PLACE + "execution:${AWS::StackName}-workflow-job:*"
    assert may["events:PutRule"]["Fn::Sub"].endswith(":rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")
    machines = [AS_READ.state_machine(name).logical_id for name in (*WORKFLOWS, "workflow-job")]
    for machine in machines:
        role = RESOURCES[machine]["Properties"]["Role"]["Fn::GetAtt"][0]
        assert RESOURCES[role]["Properties"]["ManagedPolicyArns"] == [{"Ref": "WorkflowBasics"}]


# Schedules ------------------------------------------------------------------------------------------------------


def test_these_are_the_schedules() -> None:
    assert set(RULES) == set(EXPECTED)


@pytest.mark.parametrize("name", RULES)
def test_a_schedule_has_a_time_of_its_own_and_the_switch_of_all(name: str) -> None:
    rule = RULES[name]
    assert rule["State"] == {"Ref": "Schedules"}
    expression = rule["ScheduleExpression"]
    assert expression == EXPECTED[name][0]
    _, _, day, _, weekday, _ = expression.removeprefix("cron(").removesuffix(")").split()
    assert "?" in (day, weekday)
    switch = DOCUMENT["Parameters"]["Schedules"]
    assert (switch["Default"], switch["AllowedValues"]) == ("DISABLED", ["ENABLED", "DISABLED"])


@pytest.mark.parametrize("name", RULES)
def test_a_start_that_cannot_be_delivered_is_tried_again_and_then_kept(name: str) -> None:
    [target] = RULES[name]["Targets"]
    assert target["Arn"] == {"Ref": AS_READ.state_machine("all").logical_id}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert 60 <= target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 3600
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["UndeliveredEvents", "Arn"]}}


def test_the_rules_alone_may_start_all_and_fill_the_queue_of_what_was_not_delivered() -> None:
    [start] = statements("ScheduleRole")
    assert start["Action"] == "states:StartExecution"
    assert start["Resource"] == {"Ref": AS_READ.state_machine("all").logical_id}
    [_, send] = statements("QueuePolicy")  # the first one asks for TLS
    assert send["Principal"] == {"Service": "events.amazonaws.com"}
    assert send["Resource"] == [{"Fn::GetAtt": [name, "Arn"]} for name in ("MediaQueue", "UndeliveredEvents")]
    senders = {arn["Fn::GetAtt"][0] for arn in send["Condition"]["ArnEquals"]["aws:SourceArn"]}
    assert senders == {name for name, it in RESOURCES.items() if it["Type"] == "AWS::Events::Rule"}


@pytest.mark.parametrize("name", RULES)
def test_the_event_of_a_schedule_starts_the_right_jobs(toys: Toys, name: str) -> None:
    """EventBridge starts the target's machine with the target's constant input, unchanged."""
    [target] = RULES[name]["Targets"]
    event = json.loads(target["Input"])
    assert event == {**EXPECTED[name][1], "trigger": "schedule"}
    ended = toys.run(AS_READ.state_machines[target["Arn"]["Ref"]].name.removeprefix(f"{STACK_NAME}-"), **event)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    seen = toys.seen()
    assert tuple(job for job in STEPS if job in seen) == parse_options(AllOptions, event).jobs()
    expected = EXPECTED[name][1]
    shared = {"trigger": "workflow"} | ({"incremental": True} if expected.get("incremental") else {})
    for job, it in seen.items():
        assert it["given"] == shared | expected.get("paging", {}).get(job, {})
    assert toys.last_run()["trigger"] == "schedule"
