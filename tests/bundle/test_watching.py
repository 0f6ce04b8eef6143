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
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs_local.cost.schedules import starts_of
from sitejobs_local.template.cloudformation import Resolver
from tests.bundle.resources import AS_READ, DOCUMENT, FUNCTIONS, RESOURCES, of_type
from tests.bundle.test_template import OF_COMMANDS

OURS = {*METRIC_OF.values(), measures.RUN_SECONDS, measures.TIME_USED, measures.NEAR_TIME_LIMIT}
"""The metrics that the functions report."""
FROM_RULES = {"EventBridgeRule", "CloudWatchEvent", "Schedule", "ScheduleV2"}
ANYTHING_WRONG = [*METRIC_OF.values(), measures.NEAR_TIME_LIMIT, "Throttles"]


ALARMS = of_type("AWS::CloudWatch::Alarm")
QUEUES = of_type("AWS::SQS::Queue")
THROTTLED = {name: it for name, it in ALARMS.items() if it["MetricName"] == "Throttles"}


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
    # An event has other attributes than a message: what puts the one back must not meet the other.
    redrives = [it["RedrivePolicy"]["deadLetterTargetArn"] for it in QUEUES.values() if "RedrivePolicy" in it]
    of_messages = {arn["Fn::GetAtt"][0] for arn in redrives}
    assert not of_messages & found
    return found | of_messages


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
    # By the alias: how often to try again is said for it.
    called = [it["FunctionName"]["Ref"] for it in of_type("AWS::Lambda::Permission").values()]
    assert "RunClosedFunction.Alias" in called
    assert [target["Arn"] for name, target in targets_of_rules() if name.startswith("RunClosed")] == [
        {"Ref": called[0]}
    ]
    for name in (alias.removesuffix(".Alias") for alias in called):
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
    assert alarm.get("AlarmActions") == (None if name in THROTTLED else [{"Ref": "AlarmTopic"}])
    assert alarm["AlarmDescription"]
    assert alarm["TreatMissingData"] in ("notBreaching", "breaching")
    if alarm["Namespace"] == {"Ref": "AWS::StackName"}:
        assert alarm["MetricName"] in OURS
        dimensions = {it["Name"]: it["Value"] for it in alarm["Dimensions"]}
        # Where the series comes from: a function's service, or what is reported for all of them.
        services = {function.environment["POWERTOOLS_SERVICE_NAME"] for function in AS_READ.functions.values()}
        assert dimensions.pop("service") in services | {measures.EVERY_SERVICE}
        assert set(dimensions.values()) <= {*JOBS, measures.WORKFLOWS}


def test_each_job_has_an_alarm_of_its_own_for_runs_that_fail() -> None:
    jobs = [
        it["Value"]
        for alarm in ALARMS.values()
        if alarm["MetricName"] == METRIC_OF["FAILED"]
        for it in alarm["Dimensions"]
        if it["Name"] == "job"
    ]
    assert sorted(jobs) == sorted([*JOBS, measures.WORKFLOWS])


@pytest.mark.parametrize(
    "name", [name for name, it in ALARMS.items() if it["Namespace"] == {"Ref": "AWS::StackName"} or name in THROTTLED]
)
def test_what_fails_again_and_again_is_mailed_once(name: str) -> None:
    alarm = ALARMS[name]
    seconds = alarm["Period"] * alarm["EvaluationPeriods"]
    assert alarm["DatapointsToAlarm"] == 1
    # Longer than between two runs of any schedule but the weekly one, and no longer than CloudWatch looks every minute.
    assert seconds == 24 * 3600


def test_one_alarm_tells_of_the_throttles_of_the_stacks_functions_alone() -> None:
    [composite] = of_type("AWS::CloudWatch::CompositeAlarm").values()
    assert composite["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    resolver = Resolver(DOCUMENT, {}, lambda resource, attribute: resource)
    rule = resolver.value(composite["AlarmRule"], "AlarmRule")
    assert sorted(rule.split(" OR ")) == sorted(f'ALARM("{name}")' for name in THROTTLED)
    watched = [it["Ref"] for alarm in THROTTLED.values() for it in [alarm["Dimensions"][0]["Value"]]]
    # For the others somebody waits who called them.
    assert sorted(watched) == sorted(set(FUNCTIONS) - set(OF_COMMANDS))


SCHEDULES = {name: it for name, it in of_type("AWS::Events::Rule").items() if "ScheduleExpression" in it}
LONGEST_WARM_UP_MINUTES = 2880
"""For no longer can a new alarm be told to wait."""
WEEKLY = "CleanupRule"
"""Its job is run by the daily schedule, too."""


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


def test_the_weekly_schedule_is_watched_for_starts_that_fail() -> None:
    alarm = ALARMS[alarm_of(WEEKLY)]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Events", "FailedInvocations")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("rule", [rule for rule in SCHEDULES if rule != WEEKLY])
def test_a_schedule_that_starts_nothing_raises_an_alarm_but_not_on_its_first_day(rule: str) -> None:
    alarm = ALARMS[alarm_of(rule)]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Events", "Invocations", "Sum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["TreatMissingData"] == "breaching"  # EventBridge reports no zeros
    assert "DatapointsToAlarm" not in alarm  # all of its hours
    # Longer than a day only with periods of an hour or more.
    assert alarm["Period"] == 3600
    # A new alarm would find that nothing had started before.
    warm_up = alarm["WarmUpConfiguration"]
    assert warm_up["OnlyStartEvaluatingAfterWarmUpPeriodEnds"] is True
    assert warm_up["WarmUpPeriodDurationInMinutes"] == 60 * alarm["EvaluationPeriods"] <= LONGEST_WARM_UP_MINUTES


@pytest.mark.parametrize("rule", [rule for rule in SCHEDULES if rule != WEEKLY])
def test_the_hours_until_the_alarm_suit_the_schedule(rule: str) -> None:
    starts = starts_of(SCHEDULES[rule]["ScheduleExpression"])
    longest = max(later - earlier for earlier, later in pairwise(starts)) / 60
    hours = ALARMS[alarm_of(rule)]["EvaluationPeriods"]
    assert longest < hours
    assert hours <= longest + 2


def test_schedules_that_are_off_have_no_alarms_and_are_off_until_they_are_switched_on() -> None:
    of_schedules = {alarm_of(rule) for rule in SCHEDULES}
    assert watched_alarms({"Schedules": "ENABLED", "WatchedConnections": "site-db:400"}) == set(ALARMS)
    of_schedules.add("ConnectionsAlarm")
    assert watched_alarms({"Schedules": "DISABLED"}) == watched_alarms({}) == set(ALARMS) - of_schedules
    assert len(of_schedules) == len(SCHEDULES) + 1 > 2


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
        for metric in widget["properties"].get("metrics", []):
            if not isinstance(metric[0], dict):
                continue
            searched = re.fullmatch(
                r"SEARCH\('\{\"sitejobs\",job,service\} MetricName=\"(\w+)\"', '(Sum|Maximum|SampleCount)'\)",
                metric[0]["expression"],
            )
            assert searched, metric
            found.add(searched[1])
    assert found == {*METRIC_OF.values(), measures.RUN_SECONDS}


def test_the_dashboard_shows_nothing_of_another_stack() -> None:
    """Neither of one whose name begins with this one's: names are whole, nothing is searched by a part of them."""
    for widget in dashboard(WatchedConnections="site-db:400")["widgets"]:
        shown = widget["properties"]
        if widget["type"] == "log":
            [group] = re.findall(r"SOURCE '([^']*)'", shown["query"])
            assert group.removeprefix("arn:").removesuffix(".Ref") in of_type("AWS::Logs::LogGroup")
        for metric in shown.get("metrics", []):
            if isinstance(metric[0], dict):
                assert metric[0]["expression"].startswith('SEARCH(\'{"sitejobs",')
                continue
            namespace, last = shown["metrics"][0][0], [it for it in metric if isinstance(it, str)][-1]
            of_ours = {"sitejobs": "all", "AWS/RDS": "site-db"}
            assert of_ours.get(namespace) == last or last.removeprefix("arn:").split(".")[0] in QUEUES


def test_a_metric_that_the_dashboard_or_an_alarm_reads_is_reported_and_no_other() -> None:
    shown = json.dumps(dashboard())
    watched = {alarm["MetricName"] for alarm in ALARMS.values()}
    assert {name for name in OURS if name in watched or f'"{name}' in shown.replace("\\", "")} == OURS


def test_the_dashboards_widgets_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for widget in dashboard()["widgets"]:
        xs = range(widget["x"], widget["x"] + widget["width"])
        taken = {(x, y) for x in xs for y in range(widget["y"], widget["y"] + widget["height"])}
        assert not taken & cells, widget["properties"]["title"]
        assert xs.stop <= 24
        cells |= taken


@pytest.mark.parametrize("parameters", [{}, {"Schedules": "ENABLED"}, {"WatchedConnections": "site-db:400"}])
def test_the_dashboard_shows_the_alarms_that_there_are(parameters: dict[str, str]) -> None:
    [shown] = [it["properties"]["alarms"] for it in dashboard(**parameters)["widgets"] if it["type"] == "alarm"]
    wanted = watched_alarms(parameters) - set(THROTTLED) | set(of_type("AWS::CloudWatch::CompositeAlarm"))
    assert sorted(shown) == sorted(f"arn:{name}.Arn" for name in wanted)


def test_the_connections_that_are_watched_are_those_of_the_database_that_is_named() -> None:
    alarm = ALARMS["ConnectionsAlarm"]
    resolver = Resolver(DOCUMENT, {"WatchedConnections": "site-db:400"}, lambda resource, attribute: "")
    assert resolver.value(alarm["Dimensions"], "x") == [{"Name": "DBInstanceIdentifier", "Value": "site-db"}]
    assert resolver.value(alarm["Threshold"], "x") == "400"
    pattern = DOCUMENT["Parameters"]["WatchedConnections"]["AllowedPattern"]
    assert [bool(re.search(pattern, it)) for it in ("", "site-db:400", "site-db", "a:0", "a b:5")] == [
        True,
        True,
        False,
        False,
        False,
    ]
