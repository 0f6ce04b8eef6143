"""What could not be done, put back on what it was meant for, once the cause is mended.

Messages go back to their queue by SQS itself. An event is taken from its queue, given to its target as EventBridge
would have given it, and then deleted: one that is interrupted in between is given twice, which every target bears.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sitejobs.errors import InvalidInput
from sitejobs_local.runs.deployed import AwsRefused, told

MESSAGES, ENDINGS, EVENTS = "MediaDeadLettersArn", "RunClosedDeadLettersArn", "UndeliveredEventsArn"
"""Outputs of the stack: the queues of uploads, of ends of executions, and of what no target took."""
RULE, TARGET = "RULE_ARN", "TARGET_ARN"
"""Attributes with which EventBridge keeps an event."""

Client = Callable[[str], Any]
"""Makes a client of a service of AWS."""


@dataclass(frozen=True)
class Redriven:
    """How many were put back, or are being moved, and how many were left since their target is not known."""

    uploads: int
    endings: int
    events: int
    left: int


def redrive(stack: str, client: Client) -> Redriven:
    """Put everything back that the stack's three queues hold now.

    Raises
    ------
    InvalidInput : there is no such stack, or it lacks the queues.
    AwsRefused : credentials or region are missing, or the credentials do not allow it.
    """
    formation, sqs = client("cloudformation"), client("sqs")
    with told("cloudformation:DescribeStacks and cloudformation:DescribeStackResource"):
        queues = _queues(formation, sqs, stack)
        closing = formation.describe_stack_resource(StackName=stack, LogicalResourceId="RunClosedFunction")
    function = closing["StackResourceDetail"]["PhysicalResourceId"]
    counts: Counter[str] = Counter()
    with told("sqs:StartMessageMoveTask"):
        counts["uploads"] = _move(sqs, queues[MESSAGES])
    with told("sqs:ReceiveMessage, sqs:DeleteMessage and lambda:InvokeFunction"):
        for body, _ in _taken(sqs, queues[ENDINGS]):
            _invoke(client, function, body)
            counts["endings"] += 1
    with told("events:ListTargetsByRule, or what the target needs"):
        for body, attributes in _taken(sqs, queues[EVENTS], lambda given: _kind(given.get(TARGET, "")) in _GIVEN):
            _GIVEN[_kind(attributes[TARGET])](client, attributes[TARGET], _input(client, attributes, body))
            counts["events"] += 1
        counts["left"] = _waiting(sqs, queues[EVENTS])
    return Redriven(counts["uploads"], counts["endings"], counts["events"], counts["left"])


def _queues(formation: Any, sqs: Any, stack: str) -> dict[str, tuple[str, str]]:
    """ARN and address of the three queues, by output."""
    from botocore.exceptions import ClientError

    try:
        [described] = formation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"].get("Code") != "ValidationError":
            raise
        raise InvalidInput(f"there is no stack {stack!r} in this account and region") from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
    if lacking := [name for name in (MESSAGES, ENDINGS, EVENTS) if name not in outputs]:
        raise InvalidInput(f"stack {stack!r} has no output {lacking[0]}: deploy it anew first")
    return {name: (outputs[name], _address(sqs, outputs[name])) for name in (MESSAGES, ENDINGS, EVENTS)}


def _address(sqs: Any, arn: str) -> str:
    return str(sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"])


def _waiting(sqs: Any, address: str | tuple[str, str]) -> int:
    url = address if isinstance(address, str) else address[1]
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def _move(sqs: Any, queue: tuple[str, str]) -> int:
    """Have SQS move the messages back to the queue that they came from."""
    waiting = _waiting(sqs, queue)
    if waiting:
        sqs.start_message_move_task(SourceArn=queue[0])
    return waiting


def _taken(
    sqs: Any, queue: tuple[str, str], wanted: Callable[[Mapping[str, str]], bool] = lambda attributes: True
) -> Iterator[tuple[str, dict[str, str]]]:
    """The events that are wanted, of as many as there are now: what fails again comes back meanwhile.

    One is deleted once the caller asks for the next.
    """
    address, seen, there = queue[1], 0, _waiting(sqs, queue)
    while seen < there:
        answer = sqs.receive_message(
            QueueUrl=address, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]
        )
        messages = answer.get("Messages", ())
        if not messages:
            return
        for message in messages:
            seen += 1
            attributes = {
                name: value["StringValue"]
                for name, value in message.get("MessageAttributes", {}).items()
                if "StringValue" in value
            }
            if wanted(attributes):
                yield message["Body"], attributes
                sqs.delete_message(QueueUrl=address, ReceiptHandle=message["ReceiptHandle"])
            else:
                sqs.change_message_visibility(
                    QueueUrl=address, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )


def _input(client: Client, attributes: Mapping[str, str], body: str) -> str:
    """What the rule gives to the target: its constant input if it has one, else the event."""
    if RULE not in attributes:
        return body
    name = attributes[RULE].partition(":rule/")[2].rpartition("/")[2]
    for target in client("events").list_targets_by_rule(Rule=name)["Targets"]:
        if target["Arn"] == attributes[TARGET]:
            return str(target.get("Input", body))
    return body


def _kind(arn: str) -> str:
    """The service of an ARN."""
    parts = arn.split(":")
    return parts[2] if len(parts) > 5 else ""


def _start(client: Client, arn: str, given: str) -> None:
    client("stepfunctions").start_execution(stateMachineArn=arn, input=given)


def _send(client: Client, arn: str, given: str) -> None:
    sqs = client("sqs")
    sqs.send_message(QueueUrl=_address(sqs, arn), MessageBody=given)


def _invoke(client: Client, arn: str, given: str) -> None:
    """Hand an event over as EventBridge does: Lambda queues it, and tries again."""
    answer = client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=given.encode())
    if answer["StatusCode"] != 202:
        raise AwsRefused(f"Lambda did not take an event: {json.dumps(answer['StatusCode'])}")


_GIVEN: dict[str, Callable[[Client, str, str], None]] = {"states": _start, "sqs": _send, "lambda": _invoke}
