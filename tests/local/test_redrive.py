"""`sitejobs redrive`: what a stack could not do goes back to what it was meant for. A machine at home stands for it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.core.responses import ActionResult
from moto.sqs.responses import SQSResponse

from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.places import TEMPLATE
from tests.limits import PATIENCE_S
from tests.local.cloud import far_environment
from tests.local.command import sitejobs

STACK, RULE = "the-site", "the-site-FeedRule-X"
UPLOAD = {"detail-type": "Object Created", "detail": {"object": {"key": "media/1.jpg"}}}
ENDING = {"detail-type": "Step Functions Execution Status Change", "detail": {"status": "ABORTED"}}
TICK = {"detail-type": "Scheduled Event"}
QUEUES = {
    "MediaDeadLettersArn": "MediaDeadLetterQueue",
    "RunClosedDeadLettersArn": "RunClosedDeadLetters",
    "UndeliveredEventsArn": "UndeliveredEvents",
}


def start_message_move_task(response: SQSResponse) -> ActionResult:
    """Moves messages back to the queue that they came from, which moto does not know."""
    backend = response.sqs_backend
    source: Any = backend.get_queue(response._get_param("SourceArn").rpartition(":")[2])
    [origin] = [
        queue
        for queue in backend.queues.values()
        if (queue.redrive_policy or {}).get("deadLetterTargetArn") == source.queue_arn
    ]
    for message in source.messages:
        backend.send_message(origin.name, message.body)
    source._messages.clear()
    return ActionResult({"TaskHandle": "moving"})


class Cloud:
    """A machine with a stack that names its queues."""

    def __init__(self, aws: LocalMachine) -> None:
        self.aws = aws
        self.called: list[tuple[str, Any]] = []
        self.more = threading.Condition()

    def hear(self, event: Event) -> None:
        if event.kind == "started":
            with self.more:
                self.called.append((event.function, event.event))
                self.more.notify_all()

    def wait_for(self, function: str) -> Any:
        """What a function was called with, once it is."""
        with self.more:
            assert self.more.wait_for(lambda: any(name == function for name, _ in self.called), PATIENCE_S)
            return next(event for name, event in self.called if name == function)

    def deploy(self, outputs: dict[str, str]) -> None:
        # What has a name for its id stands for the function of that name.
        closing = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "RunClosedFunction"}}
        body = {
            "Resources": {"RunClosedFunction": closing},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        self.aws.client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(body))

    def put(self, queue: str, body: object, **attributes: str) -> None:
        sqs = self.aws.client("sqs")
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"],
            MessageBody=json.dumps(body),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def left(self, queue: str) -> int:
        sqs = self.aws.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(SQSResponse, "start_message_move_task", start_message_move_task, raising=False)
    found: list[Cloud] = []
    with LocalMachine(
        TEMPLATE,
        database_url="postgresql://127.0.0.1:1/nowhere",
        log_file=tmp_path / "log",
        on_event=lambda event: found[0].hear(event),
    ) as aws:
        found.append(Cloud(aws))
        yield found[0]


def arn_of(aws: LocalMachine, queue: str) -> str:
    return aws.template.queues[queue].arn


def test_everything_goes_back_to_what_it_was_meant_for(cloud: Cloud) -> None:
    aws = cloud.aws
    cloud.deploy({output: arn_of(aws, queue) for output, queue in QUEUES.items()})
    machine = aws.template.state_machine("trending").arn
    events = aws.client("events")
    rule = events.put_rule(Name=RULE, ScheduleExpression="rate(1 day)")["RuleArn"]
    events.put_targets(Rule=RULE, Targets=[{"Id": "all", "Arn": machine, "Input": '{"trigger": "schedule"}'}])
    cloud.put("RunClosedDeadLetters", ENDING)
    cloud.put("UndeliveredEvents", TICK, RULE_ARN=rule, TARGET_ARN=machine, ERROR_CODE="SDK_CLIENT_ERROR")
    cloud.put("UndeliveredEvents", UPLOAD, TARGET_ARN=arn_of(aws, "MediaQueue"))
    cloud.put("UndeliveredEvents", {"from": "nobody"})
    done = sitejobs("redrive", f"--stack={STACK}", env=far_environment(aws))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("uploads on their way back: 0; ends of executions given again: 1; events given again: 2\n")
    assert done.stderr == "left since they name no target: 1\n"
    assert cloud.wait_for("RunClosedFunction") == ENDING
    assert [json.loads(it["body"]) for it in cloud.wait_for("MediaUploadedFunction")["Records"]] == [UPLOAD]
    client = aws.client("stepfunctions")
    [started] = client.list_executions(stateMachineArn=machine)["executions"]
    # The constant input of the rule's target, and not the event.
    given = client.describe_execution(executionArn=started["executionArn"])["input"]
    assert json.loads(given) == {"trigger": "schedule"}
    assert (cloud.left("RunClosedDeadLetters"), cloud.left("UndeliveredEvents")) == (0, 1)


def test_uploads_go_back_to_their_queue(cloud: Cloud) -> None:
    cloud.deploy({output: arn_of(cloud.aws, queue) for output, queue in QUEUES.items()})
    cloud.put("MediaDeadLetterQueue", UPLOAD)
    done = sitejobs("redrive", f"--stack={STACK}", env=far_environment(cloud.aws))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("uploads on their way back: 1; ")
    assert [json.loads(it["body"]) for it in cloud.wait_for("MediaUploadedFunction")["Records"]] == [UPLOAD]
    again = sitejobs("redrive", f"--stack={STACK}", env=far_environment(cloud.aws))
    assert (again.returncode, again.stdout.partition(";")[0]) == (0, "uploads on their way back: 0")


def test_an_event_whose_target_refuses_it_stays(cloud: Cloud) -> None:
    cloud.deploy({output: arn_of(cloud.aws, queue) for output, queue in QUEUES.items()})
    gone = cloud.aws.template.state_machine("trending").arn + "-gone"
    cloud.put("UndeliveredEvents", TICK, TARGET_ARN=gone)
    done = sitejobs("redrive", f"--stack={STACK}", env=far_environment(cloud.aws))
    assert done.returncode == 1
    assert "AWS refuses" in done.stderr
    assert cloud.left("UndeliveredEvents") == 1


@pytest.mark.parametrize(
    ("outputs", "stack", "says"),
    [
        ({}, STACK, f"stack '{STACK}' has no output MediaDeadLettersArn: deploy it anew first"),
        ({}, "nowhere", "there is no stack 'nowhere' in this account and region"),
    ],
)
def test_a_stack_without_the_queues_is_refused_in_one_line(
    cloud: Cloud, outputs: dict[str, str], stack: str, says: str
) -> None:
    cloud.deploy(outputs)
    done = sitejobs("redrive", f"--stack={stack}", env=far_environment(cloud.aws))
    assert done.returncode == 2
    assert done.stderr == f"sitejobs: {says}\n"
