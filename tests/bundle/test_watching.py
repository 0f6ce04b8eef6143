"""What template.yaml watches: rules, dead letters, alarms and the dashboard, those to come included."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.handlers import metrics as measures
from sitejobs.jobs.endings import METRIC_OF
from sitejobs.jobs.runs import COUNTERS
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs_local.cost.schedules import starts_of
from sitejobs_local.template.cloudformation import Resolver
from tests.bundle.resources import AS_READ, DOCUMENT, FUNCTIONS, RESOURCES, of_type

OURS = {*COUNTERS, *METRIC_OF.values(), measures.RUNS_SUCCEEDED, measures.RUN_SECONDS, measures.FAILED_PAGES}
OURS |= {measures.TIME_USED, measures.NEAR_TIME_LIMIT}
"""The metrics that the functions report."""
FROM_RULES = {"EventBridgeRule", "CloudWatchEvent", "Schedule", "ScheduleV2"}
ANYTHING_WRONG = [*METRIC_OF.values(), measures.NEAR_TIME_LIMIT, "Throttles"]


ALARMS = of_type("AWS::CloudWatch::Alarm")
QUEUES = of_type("AWS::SQS::Queue")


def targets_of_rules() -> Iterator[tuple[str, JsonObject]]:
    """What EventBridge calls, by whatever resource it is said, and how it is told to deliver."""
    for name, resource in RESOURCES.items():
        properties = resource.get("Properties") or {}
        for event_name, event in (properties.get("Events") or {}).items():
            if event["Type"] in FROM_RULES:
                yield f"{name}.{event_name}", event["Properties"]
        if resource["Type"] == "AWS::Events::Rule":
            yield from ((f"{name}.{target['Id']}", target) for target in properties["Targets"])
        if resource["Type"] == "AWS::Scheduler::Schedule":
            yield name, properties["Target"]


def dead_letters() -> set[str]:
    """The queues to which something goes that could not be worked on."""
    found = {
        queue for _, target in targets_of_rules() for queue in [target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]]
    }
    found |= {
        it["DeadLetterQueue"]["TargetArn"]["Fn::GetAtt"][0] for it in FUNCTIONS.values() if "DeadLetterQueue" in it
    }
    redrives = [it["RedrivePolicy"]["deadLetterTargetArn"] for it in QUEUES.values() if "RedrivePolicy" in it]
    return found | {arn["Fn::GetAtt"][0] for arn in redrives}


def test_one_rule_hears_of_every_state_machine_of_a_job_that_ends_otherwise_than_well() -> None:
    [rule] = [rule for rule in AS_READ.rules if rule.pattern["source"] == ["aws.states"]]
    assert rule.target_arns == (AS_READ.functions["RunClosedFunction"].arn,)
    assert rule.pattern["detail"]["status"] == list(METRIC_OF)
    [heard] = rule.pattern["detail"]["stateMachineArn"]
    prefix = AS_READ.functions["RunClosedFunction"].environment["STATE_MACHINE_PREFIX"]
    assert heard["prefix"].endswith(f":stateMachine:{prefix}")
    for job in JOBS | WORKFLOWS:
        assert AS_READ.state_machine(job).arn == heard["prefix"] + job


@pytest.mark.parametrize(("name", "target"), list(targets_of_rules()))
def test_what_a_rule_cannot_deliver_is_tried_again_and_then_kept(name: str, target: JsonObject) -> None:
    # Left out, EventBridge tries for a day.
    assert target.get("RetryPolicy", {"MaximumRetryAttempts": 185})["MaximumRetryAttempts"] > 0
    assert target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0] in QUEUES


def test_a_function_that_nobody_waits_for_keeps_what_it_failed_of() -> None:
    called = [it["FunctionName"]["Ref"] for it in of_type("AWS::Lambda::Permission").values()]
    assert "RunClosedFunction" in called
    for name in called:
        assert FUNCTIONS[name]["DeadLetterQueue"]["TargetArn"]["Fn::GetAtt"][0] in QUEUES
        assert FUNCTIONS[name]["EventInvokeConfig"]["MaximumRetryAttempts"] > 0


@pytest.mark.parametrize("source", AS_READ.queue_sources, ids=lambda source: source.function)
def test_a_message_stays_hidden_for_as_long_as_its_function_may_try(source: Any) -> None:
    [queue] = [queue for queue in AS_READ.queues.values() if queue.arn == source.queue_arn]
    assert queue.visibility_timeout >= 6 * AS_READ.functions[source.function].timeout  # as AWS recommends


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_leads_to_dead_letters_or_is_watched_for_them(name: str) -> None:
    if name not in dead_letters():
        assert "RedrivePolicy" in QUEUES[name]
        return
    assert QUEUES[name]["MessageRetentionPeriod"] == 1_209_600  # two weeks, the most there is
    watched = [it["Dimensions"] for it in ALARMS.values() if it["MetricName"] == "ApproximateNumberOfMessagesVisible"]
    assert [{"Name": "QueueName", "Value": {"Fn::GetAtt": [name, "QueueName"]}}] in watched


@pytest.mark.parametrize("name", [*of_type("AWS::SQS::QueuePolicy"), *of_type("AWS::SNS::TopicPolicy")])
def test_only_services_acting_for_this_account_may_send_and_with_tls(name: str) -> None:
    [tls, *statements] = RESOURCES[name]["Properties"]["PolicyDocument"]["Statement"]
    assert (tls["Effect"], tls["Principal"]) == ("Deny", "*")
    assert tls["Action"] == ("sqs:*" if RESOURCES[name]["Type"] == "AWS::SQS::QueuePolicy" else "sns:Publish")
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    assert statements
    for statement in statements:
        assert set(statement["Principal"]) == {"Service"}
        assert statement["Action"] in ("sqs:SendMessage", "sns:Publish")
        assert "*" not in json.dumps(statement)
        conditions = {key for tests in statement["Condition"].values() for key in tests}
        assert conditions & {"aws:SourceAccount", "aws:SourceArn"}


@pytest.mark.parametrize("metric", ANYTHING_WRONG)
def test_whatever_goes_wrong_has_an_alarm(metric: str) -> None:
    assert metric in {it["MetricName"] for it in ALARMS.values()}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_goes_to_the_topic_and_says_what_silence_means(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert alarm["AlarmDescription"]
    assert alarm["TreatMissingData"] in ("notBreaching", "breaching")
    if alarm["Namespace"] == {"Ref": "AWS::StackName"}:
        assert alarm["MetricName"] in OURS
        [dimension] = alarm["Dimensions"]
        assert dimension["Name"] == "service"
        # Where the series comes from: a function's service, or what is reported for all of them.
        services = {function.environment["POWERTOOLS_SERVICE_NAME"] for function in AS_READ.functions.values()}
        assert dimension["Value"] in services | {measures.EVERY_SERVICE}


SCHEDULES = {name: it for name, it in of_type("AWS::Events::Rule").items() if "ScheduleExpression" in it}
WEEK_HOURS = 168
"""As far as CloudWatch looks back."""


def alarm_of(rule: str) -> str:
    """The alarm for a schedule that starts nothing."""
    dimensions = [{"Name": "RuleName", "Value": {"Ref": rule}}]
    [name] = [name for name, it in ALARMS.items() if it.get("Dimensions") == dimensions]
    return name


def watched_alarms(overrides: dict[str, str]) -> set[str]:
    """The alarms that a stack with these parameters has."""
    resolver = Resolver(DOCUMENT, overrides, lambda resource, attribute: "")
    return {
        name
        for name in ALARMS
        if "Condition" not in RESOURCES[name] or resolver.condition(RESOURCES[name]["Condition"], name)
    }


@pytest.mark.parametrize("rule", SCHEDULES)
def test_a_schedule_that_starts_nothing_raises_an_alarm(rule: str) -> None:
    alarm = ALARMS[alarm_of(rule)]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Events", "Invocations", "Sum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["TreatMissingData"] == "breaching"  # EventBridge reports no zeros
    assert "DatapointsToAlarm" not in alarm  # all of its hours
    # Longer than a day only with periods of an hour or more, and never longer than a week.
    assert alarm["Period"] == 3600
    assert 0 < alarm["EvaluationPeriods"] <= WEEK_HOURS


@pytest.mark.parametrize("rule", SCHEDULES)
def test_the_hours_until_the_alarm_suit_the_schedule(rule: str) -> None:
    starts = starts_of(SCHEDULES[rule]["ScheduleExpression"])
    longest = max(later - earlier for earlier, later in pairwise(starts)) / 60
    hours = ALARMS[alarm_of(rule)]["EvaluationPeriods"]
    assert longest < hours or longest == hours == WEEK_HOURS
    assert hours <= longest + 2


def test_schedules_that_are_off_have_no_alarms_and_are_off_until_they_are_switched_on() -> None:
    of_schedules = {alarm_of(rule) for rule in SCHEDULES}
    assert watched_alarms({"Schedules": "ENABLED"}) == set(ALARMS)
    assert watched_alarms({"Schedules": "DISABLED"}) == watched_alarms({}) == set(ALARMS) - of_schedules
    assert len(of_schedules) == len(SCHEDULES) > 1


def test_the_functions_report_into_the_namespace_that_alarms_look_at() -> None:
    variables = DOCUMENT["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == {"Ref": "AWS::StackName"}


def dashboard(**overrides: str) -> JsonObject:
    resolver = Resolver(DOCUMENT, overrides, lambda resource, attribute: f"arn:{resource}.{attribute}")
    body: JsonObject = json.loads(resolver.value(RESOURCES["Dashboard"]["Properties"]["DashboardBody"], "Dashboard"))
    return body


def test_the_dashboard_searches_for_metrics_that_exist() -> None:
    found = set()
    for widget in dashboard()["widgets"]:
        for [metric] in widget["properties"].get("metrics", []):
            searched = re.fullmatch(
                r"SEARCH\('\{(.*?),.*?\} MetricName=\"(\w+)\"( sitejobs)?', '(Sum|Maximum)'\)", metric["expression"]
            )
            assert searched, metric
            namespace, name, of_stack, _ = searched.groups()
            if namespace == '"sitejobs"':
                assert name in OURS
            else:
                assert namespace in {"AWS/Lambda", "AWS/SQS", "AWS/RDS"}
                assert of_stack or namespace == "AWS/RDS"
            found.add(name)
    assert {*METRIC_OF.values(), "runsSucceeded", "runSeconds", "written", "skipped", "DatabaseConnections"} <= found


def test_the_dashboards_widgets_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for widget in dashboard()["widgets"]:
        xs = range(widget["x"], widget["x"] + widget["width"])
        taken = {(x, y) for x in xs for y in range(widget["y"], widget["y"] + widget["height"])}
        assert not taken & cells, widget["properties"]["title"]
        assert xs.stop <= 24
        cells |= taken


@pytest.mark.parametrize("parameters", [{}, {"Schedules": "ENABLED"}])
def test_the_dashboard_shows_the_alarms_that_there_are(parameters: dict[str, str]) -> None:
    [shown] = [it["properties"]["alarms"] for it in dashboard(**parameters)["widgets"] if it["type"] == "alarm"]
    assert sorted(shown) == sorted(f"arn:{name}.Arn" for name in watched_alarms(parameters))
