"""What moto's queues need to hold thousands of messages: quick, and safe when several threads use one.

moto goes over all messages of a queue several times for each that is sent, received, delayed or deleted: to receive
ten of 10,000 takes it 9 s, and 2 ms with these changes. It also replaces the list of them while another thread may be
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
"""Who was handed out with a receipt handle."""


def changes() -> Iterator[tuple[Any, str, Any]]:
    """Owner, attribute and replacement of each change."""
    # One look at the clock, not two a message; and over a copy, since other threads change the list meanwhile.
    yield Queue, "messages", property(_visible)
    yield Queue, "approximate_number_of_messages_delayed", property(_count_delayed)
    yield Queue, "approximate_number_of_messages_not_visible", property(_count_hidden)

    # Goes over all messages under way, for groups that only FIFO queues have: it breaks off when one is done with.
    yield Queue, "pending_message_groups", property(_pending_groups)

    # Makes all attributes of the queue, counts included, to know one: three times for each message received.
    yield SQSBackend, "is_message_valid_based_on_retention_period", _is_kept

    # A receipt is looked for in all receipts of all messages.
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
        # moto's own, shown a queue of this one message.
        alone = SimpleNamespace(_messages=[message], pending_messages=queue._pending_messages)
        shown = SimpleNamespace(get_queue=lambda _: alone)
        original(shown, queue_name, receipt_handle, visibility_timeout)

    return change_message_visibility
