"""Queues that feed functions at home, as Lambda does it: partial failures, dead letters, bounded concurrency."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.limits import PATIENCE_S
from tests.local.machines import Watched

FUNCTION = "toy-chores"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    with made.machine:
        yield made


def send(watched: Watched, *bodies: dict[str, Any]) -> None:
    client = watched.machine.client("sqs")
    for body in bodies:
        client.send_message(QueueUrl=watched.machine.template.queues["Chores"].url, MessageBody=json.dumps(body))


def seen(watched: Watched) -> list[dict[str, Any]]:
    """The bodies that the function was handed, in the order of its calls' ends."""
    return [json.loads(record["body"]) for call in watched.calls(FUNCTION) for record in call.event["Records"]]


def left(watched: Watched, name: str) -> int:
    """Messages of a queue, hidden ones included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = watched.machine.client("sqs").get_queue_attributes(
        QueueUrl=watched.machine.template.queues[name].url, AttributeNames=names
    )
    return sum(int(answer["Attributes"][name]) for name in names)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def test_messages_are_handed_over_and_forgotten(watched: Watched) -> None:
    send(watched, *({"chore": at} for at in range(9)))
    until(lambda: len(seen(watched)) == 9)
    until(lambda: left(watched, "Chores") == 0)
    assert sorted(body["chore"] for body in seen(watched)) == list(range(9))


def test_only_what_failed_comes_again_and_ends_as_a_dead_letter(watched: Watched) -> None:
    send(watched, {"chore": 1}, {"chore": 2, "do": "fail"}, {"chore": 3})
    until(lambda: left(watched, "BrokenChores") == 1)
    chores = [body["chore"] for body in seen(watched)]
    assert sorted(chores) == [1, 2, 2, 3]
    assert left(watched, "Chores") == 0
    receives = [
        record["attributes"]["ApproximateReceiveCount"]
        for call in watched.calls(FUNCTION)
        for record in call.event["Records"]
        if json.loads(record["body"])["chore"] == 2
    ]
    assert receives == ["1", "2"]


def test_a_batch_whose_function_fails_comes_again_whole(watched: Watched) -> None:
    send(watched, {"chore": 1, "do": "crash"})
    until(lambda: left(watched, "BrokenChores") == 1)
    assert len(watched.calls(FUNCTION)) == 2


def test_no_more_calls_at_a_time_than_allowed(watched: Watched) -> None:
    send(watched, *({"chore": at, "seconds": 0.2} for at in range(24)))
    until(lambda: len(seen(watched)) == 24)
    running = most = 0
    for event in watched.events:
        if event.function == FUNCTION:
            running += 1 if event.kind == "started" else -1
            most = max(most, running)
    assert most == 2
    assert max(len(call.event["Records"]) for call in watched.calls(FUNCTION)) <= 4


def test_a_created_object_goes_over_the_rule_into_the_queue(watched: Watched) -> None:
    bucket = watched.machine.template.buckets["EventsBucket"].name
    client = watched.machine.client("s3")
    for key in ("chores/a b+c%20ü#.txt", "elsewhere/x"):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    until(lambda: bool(seen(watched)))
    [event] = seen(watched)
    assert event["detail-type"] == "Object Created"
    assert event["detail"]["object"]["key"] == "chores/a b+c%20ü#.txt"


def test_leaving_the_machine_does_not_wait_for_slow_functions(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    with watched.machine:
        send(watched, {"seconds": 60})
        until(lambda: any(event.function == FUNCTION for event in watched.events))
        started = time.monotonic()
    assert time.monotonic() - started < 60
