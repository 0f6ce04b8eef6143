"""What moto's queues need to hold thousands of messages: quick, and safe when several threads use one.

moto scans all messages of a queue several times for each one sent, received, delayed or deleted: receiving ten of
10,000 takes 9 s, and 2 ms with these changes. It also replaces the message list while another thread may be
adding to it, which loses that message. Each change is one entry of `changes`, for `moto_patches`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend

Receipts = WeakValueDictionary[str, Message]
"""Messages by the receipt handle they were handed out with."""


def changes() -> Iterator[tuple[Any, str, Any]]:
    """Owner, attribute and replacement of each change."""
    # Reads the clock once, not twice a message; goes over a copy, because other threads change the list.
    yield Queue, "messages", property(_visible)
    yield Queue, "approximate_number_of_messages_delayed", property(_count_delayed)
    yield Queue, "approximate_number_of_messages_not_visible", property(_count_hidden)

    # Scans all messages in flight for groups, which only FIFO queues have, and fails when one is deleted meanwhile.
    yield Queue, "pending_message_groups", property(_pending_groups)

    # Computes all attributes of the queue, counts included, to read one: three times for each message received.
    yield SQSBackend, "is_message_valid_based_on_retention_period", _is_kept

    # Searches all receipts of all messages for one receipt.
    receipts: Receipts = WeakValueDictionary()
    yield Message, "mark_received", _remembering(vars(Message)["mark_received"], receipts)
    yield Queue, "delete_message", _deletion(receipts)
    yield SQSBackend, "change_message_visibility", _delay(vars(SQSBackend)["change_message_visibility"], receipts)


def _now() -> float:
    """Milliseconds, as moto's messages have them."""
    return time.time() * 1000


def _visible(queue: Queue) -> list[Message]:
    now = _now()
    return [one for one in queue._messages.copy() if one.visible_at < now and one.delayed_until <= now]


def _count_delayed(queue: Queue) -> int:
    now = _now()
    return sum(one.delayed_until > now for one in queue._messages.copy())


def _count_hidden(queue: Queue) -> int:
    now = _now()
    return sum(one.visible_at >= now for one in queue._messages.copy())


def _pending_groups(queue: Queue) -> set[str]:
    if not queue.fifo_queue:
        return set()
    return {one.group_id for one in queue._pending_messages.copy() if one.group_id is not None}


def _is_kept(backend: SQSBackend, queue_name: str, message: Any) -> bool:
    queue: Any = backend.get_queue(queue_name)
    return bool(message.sent_timestamp / 1000 + queue.message_retention_period > _now() / 1000)


def _remembering(original: Callable[..., None], receipts: Receipts) -> Callable[..., None]:
    def mark_received(message: Message, visibility_timeout: int | None = None) -> None:
        original(message, visibility_timeout)
        receipts[str(message.receipt_handle)] = message

    return mark_received


def _deletion(receipts: Receipts) -> Callable[[Queue, str], None]:
    def delete_message(queue: Queue, receipt_handle: str) -> None:
        if receipt_handle in queue.deleted_messages:
            return
        message = receipts.get(receipt_handle)
        if message is None or message not in queue._messages:
            raise ReceiptHandleIsInvalid
        queue.deleted_messages.update(filter(None, message.all_receipt_handles))
        queue._pending_messages.discard(message)
        with suppress(ValueError):  # another thread was faster
            queue._messages.remove(message)

    return delete_message


def _delay(original: Callable[..., None], receipts: Receipts) -> Callable[..., None]:
    def change_message_visibility(
        backend: SQSBackend, queue_name: str, receipt_handle: str, visibility_timeout: int
    ) -> None:
        queue = backend.get_queue(queue_name)
        message = receipts.get(receipt_handle)
        if message is None or message not in queue._messages:
            raise ReceiptHandleIsInvalid
        # moto's own method, given a queue that holds only this message.
        alone = SimpleNamespace(_messages=[message], pending_messages=queue._pending_messages)
        shown = SimpleNamespace(get_queue=lambda _: alone)
        original(shown, queue_name, receipt_handle, visibility_timeout)

    return change_message_visibility
