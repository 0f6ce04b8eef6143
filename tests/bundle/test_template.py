"""What template.yaml promises of every function, role, log and state machine, those to come included."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs_local.template.cloudformation import STACK_NAME
from sitejobs_local.template.resources import StateMachine
from tests.bundle.resources import (
    AS_READ,
    COMMON,
    FUNCTIONS,
    LAYERS,
    LOG_GROUPS,
    MACHINES,
    PAGED,
    ROLES,
    SCHEDULES,
    as_list,
    branches,
    function_of_versions,
    layers_of,
    role_of,
    statements_of,
)
from tools.bundle import ROOT, validate

OF_COMMANDS = ("CheckFunction", "MigrateFunction")
"""Functions that `sitejobs check --stack` and `sitejobs db migrate --stack` call."""

# Actions for which AWS knows no resource.
WITHOUT_RESOURCE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
    # Of network interfaces it knows some, but not those that are still to be made.
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}


@pytest.mark.bundle
def test_sam_and_cloudformation_accept_it() -> None:
    done = validate()
    assert done.returncode == 0, done.stdout
    assert "is a valid SAM Template" in done.stdout


def test_every_job_has_a_state_machine_of_its_name_over_a_definition_that_is_filled_in() -> None:
    stack = f"{STACK_NAME}-"
    assert all(machine.name.startswith(stack) for machine in AS_READ.state_machines.values())
    machines = {machine.name.removeprefix(stack): machine for machine in AS_READ.state_machines.values()}
    assert set(machines) == {*JOBS, *WORKFLOWS, "workflow-job"}
    arns = {function.arn for function in AS_READ.functions.values()}
    for machine in machines.values():
        assert "${" not in machine.definition()
    for job in JOBS:
        assert set(machines[job].substitutions.values()) <= arns


@pytest.mark.parametrize("name", MACHINES)
def test_a_state_machine_logs_errors_without_data_and_is_traced(name: str) -> None:
    properties = MACHINES[name]
    assert properties["Type"] == "STANDARD"
    assert properties["Tracing"] == {"Enabled": True}
    logging = properties["Logging"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)
    [destination] = logging["Destinations"]
    assert destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0] in LOG_GROUPS


def name_of(machine: StateMachine) -> str:
    return machine.name.removeprefix(f"{STACK_NAME}-")


@pytest.mark.parametrize("name", PAGED)
def test_a_state_machine_may_call_its_functions_and_start_its_own_pages_only(name: str) -> None:
    machine = AS_READ.state_machines[name]
    own_role = role_of(MACHINES[name])
    invoked = {
        function_of_versions(resource)
        for statement in statements_of(own_role)
        if "lambda:InvokeFunction" in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    assert {AS_READ.functions[function].arn for function in invoked} == set(machine.substitutions.values())
    of_itself = {
        action: [resource["Fn::Sub"] for resource in as_list(statement["Resource"])]
        for statement in statements_of(own_role)
        for action in as_list(statement["Action"])
        if action.startswith("states:")
    }
    place = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    assert of_itself["states:StartExecution"] == [place + ":stateMachine:${AWS::StackName}-" + name_of(machine)]
    executions = place + ":execution:${AWS::StackName}-" + name_of(machine)
    label = json.loads(machine.definition_file.read_text())["States"]["Pages"]["Label"]
    assert of_itself["states:StopExecution"] == [f"{executions}:*", f"{executions}/{label}:*"]
    assert set(of_itself) == {"states:StartExecution", "states:DescribeExecution", "states:StopExecution"}


def test_every_function_and_state_machine_has_a_role_of_its_own() -> None:
    roles = [role_of(properties) for properties in (*FUNCTIONS.values(), *MACHINES.values())]
    of_schedules = {target["RoleArn"]["Fn::GetAtt"][0] for it in SCHEDULES.values() for target in it["Targets"]}
    assert sorted([*roles, *of_schedules]) == sorted(ROLES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_writes_to_its_own_log_group_only(name: str) -> None:
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]
    assert [other for other, it in FUNCTIONS.items() if it["LoggingConfig"]["LogGroup"]["Ref"] == group] == [name]
    [statement] = [
        statement
        for statement in statements_of(role_of(FUNCTIONS[name]))
        if "logs:PutLogEvents" in as_list(statement["Action"])
    ]
    assert statement["Resource"] == {"Fn::GetAtt": [group, "Arn"]}
    assert set(statement["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}


@pytest.mark.parametrize("name", LOG_GROUPS)
def test_logs_are_kept_for_a_limited_time(name: str) -> None:
    assert LOG_GROUPS[name]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_every_function_runs_on_the_same_runtime_is_traced_and_sits_in_the_vpc_when_there_is_one() -> None:
    assert COMMON["Runtime"] == "python3.13"
    assert COMMON["Architectures"] == [{"Ref": "Architecture"}]
    assert COMMON["Tracing"] == "Active"
    assert COMMON["VpcConfig"]["SubnetIds"]["Fn::If"][:2] == ["InVpc", {"Ref": "VpcSubnetIds"}]
    for properties in FUNCTIONS.values():
        assert properties.get("Runtime", COMMON["Runtime"]) == COMMON["Runtime"]
        assert not {"Architectures", "Tracing", "VpcConfig"} & set(properties)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_statement_ends_before_its_function_and_a_function_before_its_state(name: str) -> None:
    function = AS_READ.functions[name]
    assert int(function.environment["STATEMENT_TIMEOUT_MS"]) <= (function.timeout - 5) * 1000
    limits = [
        limit
        for machine in AS_READ.state_machines.values()
        for arn, limit in state_limits(json.loads(machine.definition()))
        if arn == function.arn
    ]
    # A queue hides a message from others for six times the function's limit, as Lambda asks for.
    limits += [AS_READ.queues[queue].visibility_timeout // 6 + 1 for queue in queues_of(name)]
    of_rules = {arn for rule in AS_READ.rules for arn in rule.target_arns}
    assert limits or function.arn in of_rules or name in OF_COMMANDS, f"nothing calls {name}"
    assert all(function.timeout < limit for limit in limits)


def queues_of(function: str) -> list[str]:
    """Logical ids of the queues that feed a function."""
    arns = {source.queue_arn for source in AS_READ.queue_sources if source.function == function}
    return [name for name, queue in AS_READ.queues.items() if queue.arn in arns]


def state_limits(machine: JsonObject) -> Iterator[tuple[str, int]]:
    """The function that each task calls, and the state's time limit in seconds."""
    for state in machine["States"].values():
        if state["Resource" if state["Type"] == "Task" else "Type"] == "arn:aws:states:::lambda:invoke":
            yield state["Parameters"]["FunctionName"], state["TimeoutSeconds"]
        if "ItemProcessor" in state:
            yield from state_limits(state["ItemProcessor"])


@pytest.mark.parametrize("name", ROLES)
def test_no_role_may_do_anything_to_any_resource(name: str) -> None:
    for statement in statements_of(name):
        actions = as_list(statement["Action"])
        assert not [action for action in actions if "*" in action]
        for resource in branches(statement["Resource"]):
            if resource == "*":
                assert set(actions) <= WITHOUT_RESOURCE
            elif "lambda:InvokeFunction" in actions:
                assert function_of_versions(resource) in FUNCTIONS
            elif "Fn::Sub" in resource:
                # Keys under a prefix of our bucket, executions of our state machine: nothing wider.
                assert re.fullmatch(
                    r"\$\{WorkBucket\.Arn\}/[a-z]+/\*|arn:[^*]+:states:[^*]+[\w-]:?\*?|arn:[^*]+:(events|rds-db):[^*]+"
                    r"|arn:[^*]+:secretsmanager:[^*]+:secret:\$\{AWS::StackName\}/owner\*"
                    r"|\$\{MediaBucket\.Arn\}/\$\{MediaPrefix\}\*|arn:[^*]+:s3:::\$\{MediaBucketName\}(/\$\{MediaPrefix\}\*)?",
                    resource["Fn::Sub"],
                )
            else:
                assert set(resource) in ({"Fn::GetAtt"}, {"Ref"})


OWNERS_SECRET = {
    "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AWS::StackName}/owner*"
}
SNAPSHOTS = [{"Fn::Sub": "${WorkBucket.Arn}/snapshots/*"}]
UPLOADS = [
    {"Fn::Sub": "${MediaBucket.Arn}/${MediaPrefix}*"},
    {"Fn::Sub": "arn:${AWS::Partition}:s3:::${MediaBucketName}/${MediaPrefix}*"},
]


def resources_for(role: str, action: str) -> list[JsonObject]:
    """What a role may do something with."""
    may = (statement for statement in statements_of(role) if action in as_list(statement["Action"]))
    return sorted((resource for statement in may for resource in branches(statement["Resource"])), key=str)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_reads_one_secret_and_of_the_buckets_only_what_is_its_own(name: str) -> None:
    role, environment = role_of(FUNCTIONS[name]), AS_READ.functions[name].environment
    owners = [OWNERS_SECRET] if name == "MigrateFunction" else []
    assert resources_for(role, "secretsmanager:GetSecretValue") == [*owners, {"Ref": "DatabaseSecretArn"}]
    # Check tries what the others do.
    takes = name.startswith(("MatchScores", "MatchModel", "MatchQuality")) or name == "CheckFunction"
    snapshots = SNAPSHOTS if takes else []
    uploads = UPLOADS if name.startswith("Media") or name == "CheckFunction" else []
    assert resources_for(role, "s3:PutObject") == snapshots
    assert resources_for(role, "s3:GetObject") == sorted([*snapshots, *uploads], key=str)
    assert not snapshots or "WORK_BUCKET" in environment
    assert not uploads or "MEDIA_BUCKET" in environment


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_functions_of_media_carry_its_libraries(name: str) -> None:
    assert ("MediaLayer" in layers_of(name)) == name.startswith("Media")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_what_computes_in_arrays_carries_numpy_and_no_function_more_layers_than_lambda_takes(name: str) -> None:
    layers = layers_of(name)
    assert set(layers) <= set(LAYERS)
    assert len(layers) <= 4
    function = AS_READ.functions[name]
    app = (function.code / Path(*function.handler.split(".")[:-1]).with_suffix(".py")).read_text()
    computes = "sitejobs.matching" in app or "sitejobs.feed.feed_presort import" in app
    assert ("NumpyLayer" in layers) == computes


def pins(text: str) -> dict[str, str]:
    """Version by name of lines like `numpy==2.4.6`; extras belong to the name."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return dict(line.split("==") for line in lines if line)


def test_layers_pin_the_versions_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = pins("\n".join(project["dependencies"]))
    layers: dict[str, str] = {}
    for file in sorted((ROOT / "layers").glob("*/requirements.txt")):
        layers |= pins(file.read_text())
    assert ours.pop("boto3")  # the runtime brings it
    # The extra `tracer` is the X-Ray SDK, which the layer has without its botocore.
    layers["aws-lambda-powertools[tracer]"] = layers.pop("aws-lambda-powertools")
    assert {name: layers.get(name) for name in ours} == ours
    assert "aws-xray-sdk" in layers
    assert not {"boto3", "botocore"} & set(layers)


def test_the_emulated_runtime_has_the_boto3_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = pins("\n".join(project["dependencies"]))
    assert pins((ROOT / "tools" / "requirements-runtime.txt").read_text())["boto3"] == ours["boto3"]


def test_a_boundary_bounds_every_role() -> None:
    bounded = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    assert {json.dumps(role["PermissionsBoundary"]) for role in ROLES.values()} == {json.dumps(bounded)}


def test_every_function_has_an_event_and_every_state_machine_an_input() -> None:
    events = {path.name for path in (ROOT / "events").glob("*.json")}
    stems = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name.removesuffix("Function")).lower() for name in FUNCTIONS}
    assert events == {f"{stem}.json" for stem in stems} | {f"{name}.input.json" for name in (*JOBS, *WORKFLOWS)}


@pytest.mark.parametrize("name", [*JOBS, *WORKFLOWS])
def test_a_state_machines_input_is_one_that_the_job_takes(name: str) -> None:
    given = json.loads((ROOT / "events" / f"{name}.input.json").read_text())
    assert (JOBS | WORKFLOWS)[name].options.model_validate(given).model_dump(exclude_defaults=True)
