"""The changes to moto's queues: still needed, the same answers, quick with thousands of messages, nothing lost."""

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from random import Random
from typing import Any

import pytest

from sitejobs_local.aws import moto_patches

# isort: split
from moto.core.base_backend import BackendDict
from moto.sqs import models
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Queue, SQSBackend, sqs_backends

from tests.limits import PATIENCE_S

ACCOUNT, REGION = "123456789012", "us-east-1"
HIDDEN_SECONDS = 100
TRIES = 3


def patched() -> Any:
    return moto_patches.patched("http://127.0.0.1:9", lambda name, event: ("null", False))


@pytest.fixture
def ours() -> Iterator[None]:
    with patched():
        yield


@pytest.fixture
def backend() -> Iterator[SQSBackend]:
    """A queue with a dead-letter queue after three times."""
    yield made()
    BackendDict.reset()


def made() -> SQSBackend:
    BackendDict.reset()
    backend: SQSBackend = sqs_backends[ACCOUNT][REGION]
    dead: Any = backend.create_queue("dead")
    policy = json.dumps({"deadLetterTargetArn": dead.queue_arn, "maxReceiveCount": TRIES})
    backend.create_queue("queue", RedrivePolicy=policy)
    return backend


def send(backend: SQSBackend, count: int) -> None:
    for at in range(count):
        backend.send_message("queue", str(at))


def receive(backend: SQSBackend, count: int = 10, hidden: int = HIDDEN_SECONDS) -> list[Any]:
    return backend.receive_message("queue", count, 0, hidden)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An entry a look of moto at the clock."""
    found: list[int] = []
    original = vars(models)["unix_time_millis"]

    def counted() -> float:
        found.append(1)
        return float(original())

    monkeypatch.setattr(models, "unix_time_millis", counted)
    return found


@pytest.mark.parametrize(
    "name", ["messages", "approximate_number_of_messages_delayed", "approximate_number_of_messages_not_visible"]
)
def test_moto_still_looks_at_the_clock_for_each_message_and_we_do_not(
    backend: SQSBackend, looks: list[int], name: str
) -> None:
    send(backend, 100)
    queue = backend.get_queue("queue")
    looks.clear()
    getattr(queue, name)
    assert len(looks) >= 100
    looks.clear()
    with patched():
        getattr(queue, name)
    assert looks == []


def test_moto_still_counts_all_messages_to_receive_one_and_we_do_not(backend: SQSBackend, looks: list[int]) -> None:
    send(backend, 100)
    [message] = receive(backend, 1)
    looks.clear()
    assert backend.is_message_valid_based_on_retention_period("queue", message)
    assert len(looks) >= 100
    looks.clear()
    with patched():
        assert backend.is_message_valid_based_on_retention_period("queue", message)
        assert looks == []
        backend.set_queue_attributes("queue", {"MessageRetentionPeriod": -1})
        assert not backend.is_message_valid_based_on_retention_period("queue", message)


def test_moto_still_goes_over_all_that_is_under_way_for_groups_of_fifo_queues(backend: SQSBackend) -> None:
    queue = backend.get_queue("queue")
    for at in range(2):
        backend.send_message("queue", str(at), group_id="x", validate_group_id=False)
    receive(backend)
    assert queue.pending_message_groups == {"x"}
    with patched():
        assert queue.pending_message_groups == set()
        fifo: Any = backend.create_queue("ordered.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        backend.send_message("ordered.fifo", "1", group_id="x")
        backend.receive_message("ordered.fifo", 1, 0, HIDDEN_SECONDS)
        assert fifo.pending_message_groups == {"x"}


def test_moto_still_replaces_the_messages_to_delete_one_and_we_do_not(backend: SQSBackend) -> None:
    for context, same in ((nullcontext(), False), (patched(), True)):
        with context:
            send(backend, 2)
            before = backend.get_queue("queue")._messages
            [message, *_] = receive(backend)
            backend.delete_message("queue", message.receipt_handle)
            assert (backend.get_queue("queue")._messages is before) == same


def test_moto_still_looks_for_a_receipt_in_all_messages_and_we_do_not(
    backend: SQSBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = models.Message.had_receipt_handle

    def counted(message: Any, receipt_handle: str) -> bool:
        seen.append(1)
        return bool(original(message, receipt_handle))

    monkeypatch.setattr(models.Message, "had_receipt_handle", counted)
    for context, fewest, most in ((nullcontext(), 40, 400), (patched(), 0, 1)):
        with context:
            send(backend, 40)
            receipt = receive(backend, 40)[-1].receipt_handle
            seen.clear()
            backend.change_message_visibility("queue", receipt, 7)
            assert fewest <= len(seen) <= most
            seen.clear()
            backend.delete_message("queue", receipt)
            assert fewest <= len(seen) <= most


@pytest.mark.parametrize("seed", range(2))
def test_our_queues_answer_as_motos(seed: int) -> None:
    theirs = story(made(), Random(seed))
    with patched():
        assert story(made(), Random(seed)) == theirs
    BackendDict.reset()
    assert {what for what, *_ in theirs} == {"sent", "received", "deleted", "delayed", "invalid", "counts"}
    assert theirs[-1][2] != (0, 0, 0)  # dead letters


def story(backend: SQSBackend, random: Random) -> list[tuple[Any, ...]]:
    """What happens to a queue that is used in every way, old, unknown and used receipts included."""
    told: list[tuple[Any, ...]] = []
    receipts = ["unknown"]
    queues: list[Any] = [backend.get_queue(name) for name in ("queue", "dead")]
    for step in range(200):
        time.sleep(0.00001)  # a message is there again once the clock has moved on
        match random.choice(["send", "send", "receive", "delete", "delay", "delay"]):
            case "send":
                backend.send_message("queue", str(step), delay_seconds=random.choice([None, 0, 60]))
                told.append(("sent", step))
            case "receive":
                received = receive(backend, random.randint(1, 5), random.choice([0, HIDDEN_SECONDS]))
                receipts += [message.receipt_handle for message in received]
                told.append(("received", [(one.body, one.approximate_receive_count) for one in received]))
            case "delete":
                told.append(tried("deleted", backend.delete_message, "queue", random.choice(receipts)))
            case _:
                receipt, seconds = random.choice(receipts), random.choice([0, 0, 60])
                told.append(tried("delayed", backend.change_message_visibility, "queue", receipt, seconds))
        told.append(("counts", *(counts(queue) for queue in queues)))
    return told


def counts(queue: Any) -> tuple[int, int, int]:
    return (
        queue.approximate_number_of_messages,
        queue.approximate_number_of_messages_delayed,
        queue.approximate_number_of_messages_not_visible,
    )


def tried(what: str, use: Any, *arguments: Any) -> tuple[Any, ...]:
    try:
        use(*arguments)
    except ReceiptHandleIsInvalid:
        return ("invalid", what)
    return (what,)


@pytest.fixture
def threads_take_turns() -> Iterator[None]:
    """Within a pass over a list, too."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_senders_and_receivers_at_a_time_lose_nothing(
    ours: None, threads_take_turns: None, backend: SQSBackend
) -> None:
    count = 300
    for _ in range(1_000):
        backend.send_message("queue", "rests", delay_seconds=600)

    def add(sender: str) -> None:
        for at in range(count):
            backend.send_message("queue", f"{sender}-{at}")

    def finish(message: Any) -> None:
        backend.change_message_visibility("queue", message.receipt_handle, 60)
        backend.delete_message("queue", message.receipt_handle)

    seen: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(add, sender) for sender in ("one", "other")]
        deadline = time.monotonic() + PATIENCE_S
        while len(seen) < 2 * count and time.monotonic() < deadline:
            messages = receive(backend)
            seen += [message.body for message in messages]
            done += [pool.submit(finish, message) for message in messages]
    assert [future.exception() for future in done if future.exception()] == []
    assert sorted(seen) == sorted(f"{sender}-{at}" for sender in ("one", "other") for at in range(count))
    queue: Queue = backend.get_queue("queue")
    assert {message.body for message in queue._messages} == {"rests"}
    assert queue._pending_messages == set()
