"""What template.yaml promises of every function, role, log and state machine, those to come included."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from sitejobs.catalog import JOBS
from sitejobs.media.media_metadata import PAGE_SECONDS
from sitejobs.media.rules import Rules, read_rules
from sitejobs.media.uploads import CALL_SECONDS
from sitejobs.settings import database_url, read_settings
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs_local.cloudformation import Resolver, read_yaml
from sitejobs_local.template import load_template
from tools.bundle import ROOT, validate

JsonObject = dict[str, Any]

TEMPLATE = ROOT / "template.yaml"
DOCUMENT = read_yaml(TEMPLATE)
RESOURCES: dict[str, JsonObject] = DOCUMENT["Resources"]
COMMON: JsonObject = DOCUMENT["Globals"]["Function"]
AS_READ = load_template(TEMPLATE)
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
}


def of_type(kind: str) -> dict[str, JsonObject]:
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


FUNCTIONS = of_type("AWS::Serverless::Function")
MACHINES = of_type("AWS::Serverless::StateMachine")
LAYERS = of_type("AWS::Serverless::LayerVersion")
LOG_GROUPS = of_type("AWS::Logs::LogGroup")
ROLES = of_type("AWS::IAM::Role")
SCHEDULES = {name: it for name, it in of_type("AWS::Events::Rule").items() if "ScheduleExpression" in it}
PAGED = [name for name, it in MACHINES.items() if it["DefinitionUri"] == "statemachines/paged-job.asl.json"]


def role_of(properties: JsonObject) -> str:
    name, attribute = properties["Role"]["Fn::GetAtt"]
    assert attribute == "Arn"
    return str(name)


def statements_of(role: str) -> Iterator[JsonObject]:
    """What a role may do, by its own policies and by those of ours attached to it."""
    attached = [policy["Ref"] for policy in ROLES[role].get("ManagedPolicyArns", []) if "Ref" in policy]
    policies = [*ROLES[role].get("Policies", []), *(RESOURCES[name]["Properties"] for name in attached)]
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions_of(role: str) -> set[str]:
    return {action for statement in statements_of(role) for action in as_list(statement["Action"])}


def layers_of(function: str) -> list[str]:
    return [layer["Ref"] for layer in COMMON["Layers"] + FUNCTIONS[function].get("Layers", [])]


@pytest.mark.bundle
@pytest.mark.timeout(900)  # the first to run makes SAM's environment
def test_sam_and_cloudformation_accept_it() -> None:
    done = validate()
    assert done.returncode == 0, done.stdout
    assert "is a valid SAM Template" in done.stdout


def test_every_job_has_a_state_machine_of_its_name_over_a_definition_that_is_filled_in() -> None:
    machines = {machine.name: machine for machine in AS_READ.state_machines.values()}
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


@pytest.mark.parametrize("name", PAGED)
def test_a_state_machine_may_call_its_functions_and_start_its_own_pages_only(name: str) -> None:
    machine = AS_READ.state_machines[name]
    own_role = role_of(MACHINES[name])
    invoked = {
        resource["Fn::GetAtt"][0]
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
    assert of_itself["states:StartExecution"] == [place + ":stateMachine:${StateMachinePrefix}" + machine.name]
    executions = place + ":execution:${StateMachinePrefix}" + machine.name
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
        assert not {"Runtime", "Architectures", "Tracing", "VpcConfig"} & set(properties)


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
    assert limits or function.arn in of_rules, f"nothing calls {name}"
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


def branches(resources: Any) -> list[Any]:
    """Resources with both sides of their conditions."""
    found: list[Any] = []
    for resource in as_list(resources):
        found += resource["Fn::If"][1:] if isinstance(resource, dict) and "Fn::If" in resource else [resource]
    return found


@pytest.mark.parametrize("name", ROLES)
def test_no_role_may_do_anything_to_any_resource(name: str) -> None:
    for statement in statements_of(name):
        actions = as_list(statement["Action"])
        assert not [action for action in actions if "*" in action]
        for resource in branches(statement["Resource"]):
            if resource == "*":
                assert set(actions) <= WITHOUT_RESOURCE
            elif "Fn::Sub" in resource:
                # Keys under a prefix of our bucket, executions of our state machine: nothing wider.
                assert re.fullmatch(
                    r"\$\{WorkBucket\.Arn\}/[a-z]+/\*|arn:[^*]+:states:[^*]+[\w-]:?\*?|arn:[^*]+:(events|rds-db):[^*]+"
                    r"|\$\{MediaBucket\.Arn\}/\$\{MediaPrefix\}\*|arn:[^*]+:s3:::\$\{MediaBucketName\}(/\$\{MediaPrefix\}\*)?",
                    resource["Fn::Sub"],
                )
            else:
                assert set(resource) in ({"Fn::GetAtt"}, {"Ref"})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_reads_one_secret_and_of_the_buckets_only_what_is_its_own(name: str) -> None:
    role = role_of(FUNCTIONS[name])
    [secret] = [it for it in statements_of(role) if it["Action"] == "secretsmanager:GetSecretValue"]
    assert secret["Resource"] == {"Ref": "DatabaseSecretArn"}
    on_objects = {action for action in actions_of(role) if action in ("s3:GetObject", "s3:PutObject")}
    of_media = "MEDIA_BUCKET" in AS_READ.functions[name].environment
    assert of_media == name.startswith("Media")
    assert on_objects == {
        "MatchScoresPlanFunction": {"s3:GetObject", "s3:PutObject"},
        "MatchScoresFunction": {"s3:GetObject"},
    }.get(name, {"s3:GetObject"} if of_media else set())
    uploads = [
        {"Fn::Sub": "${MediaBucket.Arn}/${MediaPrefix}*"},
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::${MediaBucketName}/${MediaPrefix}*"},
    ]
    for statement in statements_of(role):
        if on_objects & set(as_list(statement["Action"])):
            wanted = uploads if of_media else [{"Fn::Sub": "${WorkBucket.Arn}/snapshots/*"}]
            assert branches(statement["Resource"]) == wanted
    assert ("WORK_BUCKET" in AS_READ.functions[name].environment) == (bool(on_objects) and not of_media)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_log_in_as_one_user_of_one_database(name: str) -> None:
    [login] = [it for it in statements_of(role_of(FUNCTIONS[name])) if it["Action"] == "rds-db:connect"]
    place = "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser:"
    assert login["Resource"] == {"Fn::Sub": place + "${DatabaseResourceId}/${DatabaseUser}"}


def test_logins_with_tokens_are_allowed_only_where_they_are_used() -> None:
    statements = RESOURCES["FunctionBasics"]["Properties"]["PolicyDocument"]["Statement"]
    [conditional] = [it["Fn::If"] for it in statements if "rds-db:connect" in json.dumps(it)]
    assert (conditional[0], conditional[2]) == ("LogsInWithTokens", {"Ref": "AWS::NoValue"})
    assert not resolver().condition("LogsInWithTokens", "")
    assert resolver(DatabaseAuthentication="iam").condition("LogsInWithTokens", "")


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("DatabaseUser", ["", "sitejobs", "_site-jobs_2"], ["*", "site*", "sitejob?", "a/b", "2site", "x" * 64]),
        ("DatabaseResourceId", ["", "db-ABC123", "cluster-ABC123", "prx-0abc"], ["*", "db-*", "db-", "x-ABC", "ABC"]),
        ("DatabaseHost", ["", "site.abc.eu-central-1.rds.amazonaws.com"], ["*", "a b", "host:5432", "user@host"]),
    ],
)
def test_who_may_log_in_where_is_never_a_wildcard(name: str, taken: list[str], refused: list[str]) -> None:
    pattern = DOCUMENT["Parameters"][name]["AllowedPattern"]
    assert [value for value in taken + refused if re.search(pattern, value)] == taken


SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:site"
TOKENS = {
    "DatabaseAuthentication": "iam",
    "DatabaseHost": "site.abc.rds.amazonaws.com",
    "DatabaseName": "site",
    "DatabaseUser": "sitejobs",
    "DatabaseResourceId": "db-ABC",
}


def resolver(**parameters: str) -> Resolver:
    def nothing(resource: str, attribute: str) -> str:
        raise LookupError(f"{resource} has no {attribute} here")

    return Resolver(DOCUMENT, parameters, nothing)


def refusals(parameters: dict[str, str]) -> list[str]:
    """The parameters that CloudFormation's word begins with when it refuses to deploy with these."""
    with_these = resolver(**parameters)
    return [
        assertion["AssertDescription"].split()[0]
        for rule in DOCUMENT["Rules"].values()
        if with_these.value(rule["RuleCondition"], "")
        for assertion in rule["Assertions"]
        if not with_these.value(assertion["Assert"], "")
    ]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["DatabaseSecretArn"]),
        ({"DatabaseSecretArn": SECRET_ARN}, []),
        ({"DatabaseSecretArn": SECRET_ARN, "DatabaseHost": "h"}, ["DatabaseHost"]),
        ({"DatabaseSecretArn": SECRET_ARN, "DatabaseName": "n", "DatabaseUser": "u"}, ["DatabaseName", "DatabaseUser"]),
        (TOKENS, []),
        (TOKENS | {"DatabaseSecretArn": SECRET_ARN}, ["DatabaseSecretArn"]),
        (TOKENS | {"DatabaseResourceId": ""}, ["DatabaseResourceId"]),
        (
            {"DatabaseAuthentication": "iam"},
            ["DatabaseHost", "DatabaseName", "DatabaseUser", "DatabaseResourceId"],
        ),
    ],
)
def test_parameters_that_do_not_go_together_are_refused_before_anything_is_made(
    parameters: dict[str, str], expected: list[str]
) -> None:
    assert refusals(parameters) == expected


def test_every_function_is_told_how_to_log_in() -> None:
    for function in load_template(TEMPLATE, TOKENS).functions.values():
        url = database_url(read_settings(function.environment), str, lambda host, port, user: f"{user}@{host}:{port}")
        assert url.startswith("postgresql://sitejobs:sitejobs%40site.abc.rds.amazonaws.com%3A5432@site.abc.")
    for function in AS_READ.functions.values():
        assert read_settings(function.environment).database_authentication == "password"


def test_buckets_are_private_and_encrypted_and_the_work_bucket_empties_itself() -> None:
    policies = {it["Bucket"]["Ref"]: it["PolicyDocument"] for it in of_type("AWS::S3::BucketPolicy").values()}
    for name, properties in of_type("AWS::S3::Bucket").items():
        block = properties["PublicAccessBlockConfiguration"]
        assert len(block) == 4
        assert all(block.values())
        assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        rules = properties["LifecycleConfiguration"]["Rules"]
        # Uploads are never deleted.
        expiring = {"Ref": "WorkFileDays"} if name == "WorkBucket" else None
        assert expiring in [rule.get("ExpirationInDays") for rule in rules]
        assert name == "WorkBucket" or not [rule for rule in rules if "ExpirationInDays" in rule]
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
        [statement] = policies[name]["Statement"]
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}
        assert statement["Resource"] == [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}]


def test_an_upload_goes_from_the_bucket_over_the_rule_and_the_queue_to_the_function() -> None:
    [source] = AS_READ.queue_sources
    [rule] = [rule for rule in AS_READ.rules if rule.pattern["source"] == ["aws.s3"]]
    queue = AS_READ.queues["MediaQueue"]
    bucket = AS_READ.buckets["MediaBucket"]
    assert bucket.sends_events
    assert rule.pattern["detail"] == {"bucket": {"name": [bucket.name]}, "object": {"key": [{"prefix": "media/"}]}}
    assert (rule.target_arns, source.queue_arn) == ((queue.arn,), queue.arn)
    assert (source.function, source.report_item_failures) == ("MediaUploadedFunction", True)
    assert source.max_concurrency == 5
    assert queue.dead_letter_arn == AS_READ.queues["MediaDeadLetterQueue"].arn
    assert AS_READ.functions[source.function].environment["QUEUE_URL"] == queue.url
    [statement] = of_type("AWS::SQS::QueuePolicy")["MediaQueuePolicy"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"] == {"Fn::GetAtt": ["MediaUploadedRule", "Arn"]}


def test_a_bucket_of_the_sites_own_takes_the_place_of_the_stacks() -> None:
    other = load_template(TEMPLATE, {"MediaBucketName": "the-sites-own"})
    assert "MediaBucket" not in other.buckets
    assert other.rules[0].pattern["detail"]["bucket"] == {"name": ["the-sites-own"]}
    for name, function in other.functions.items():
        assert function.environment.get("MEDIA_BUCKET") == ("the-sites-own" if name.startswith("Media") else None)


def test_alarms_watch_the_dead_letter_queue_and_the_age_of_uploads() -> None:
    watched = {
        (alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0], alarm["MetricName"])
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "AWS/SQS"
    }
    assert watched >= {
        ("MediaDeadLetterQueue", "ApproximateNumberOfMessagesVisible"),
        ("MediaQueue", "ApproximateAgeOfOldestMessage"),
    }


def test_a_call_for_uploads_and_a_page_of_them_end_before_their_function() -> None:
    longest = read_rules(AS_READ.functions["MediaUploadedFunction"].environment).parser_seconds
    assert CALL_SECONDS + 3 * longest < AS_READ.functions["MediaUploadedFunction"].timeout
    for name in ("MediaMetadataAllFunction", "MediaMetadataBatchFunction"):
        assert PAGE_SECONDS + 3 * longest < AS_READ.functions[name].timeout


def test_every_media_function_has_the_same_rules_and_they_are_the_defaults() -> None:
    environments = [it.environment for name, it in AS_READ.functions.items() if name.startswith("Media")]
    assert len(environments) == 4
    for environment in environments:
        assert read_rules(environment) == read_rules({})
        assert {info.alias for info in Rules.model_fields.values()} <= set(environment)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_functions_of_media_carry_its_libraries(name: str) -> None:
    assert ("MediaLayer" in layers_of(name)) == name.startswith("Media")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_what_computes_in_arrays_carries_numpy_and_no_function_more_layers_than_lambda_takes(name: str) -> None:
    layers = layers_of(name)
    assert set(layers) <= set(LAYERS)
    assert len(layers) <= 5
    app = (AS_READ.functions[name].code / "app.py").read_text()
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
    # The extra `tracer` is the X-Ray SDK, which has a layer without its botocore.
    layers["aws-lambda-powertools[tracer]"] = layers.pop("aws-lambda-powertools")
    assert {name: layers.get(name) for name in ours} == ours
    assert "aws-xray-sdk" in layers
    assert not {"boto3", "botocore"} & set(layers)


def test_the_emulated_runtime_has_the_boto3_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = pins("\n".join(project["dependencies"]))
    assert pins((ROOT / "tools" / "requirements-runtime.txt").read_text())["boto3"] == ours["boto3"]


def test_every_function_has_an_event_and_every_state_machine_an_input() -> None:
    events = {path.name for path in (ROOT / "events").glob("*.json")}
    stems = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name.removesuffix("Function")).lower() for name in FUNCTIONS}
    assert events == {f"{stem}.json" for stem in stems} | {f"{name}.input.json" for name in (*JOBS, *WORKFLOWS)}


@pytest.mark.parametrize("name", [*JOBS, *WORKFLOWS])
def test_a_state_machines_input_is_one_that_the_job_takes(name: str) -> None:
    given = json.loads((ROOT / "events" / f"{name}.input.json").read_text())
    assert (JOBS | WORKFLOWS)[name].options.model_validate(given).model_dump(exclude_defaults=True)
