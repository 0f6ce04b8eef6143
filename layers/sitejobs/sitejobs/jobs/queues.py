"""Messages of an SQS queue as Lambda delivers them: some are done, the others are delivered again later."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PageSummary, Resources

LONGEST_DELAY: Final = 900
"""Seconds."""


@dataclass(frozen=True)
class Message:
    """A message. `receives`: its deliveries so far, this one included; `receipt`: the handle of this one."""

    id: str
    body: str
    receipt: str = ""
    receives: int = 1


@dataclass
class Handled:
    """The outcome of a call: messages to be delivered again, and counts for the log."""

    again: list[Message] = field(default_factory=list)
    summary: PageSummary = field(default_factory=PageSummary)


Consume = Callable[[Resources, Sequence[Message]], Handled]
"""Handles messages; each may come more than once."""


def messages_of(event: Mapping[str, Any]) -> list[Message]:
    """The messages of a function's event."""
    return [
        Message(
            id=str(record["messageId"]),
            body=str(record["body"]),
            receipt=str(record["receiptHandle"]),
            receives=int(record["attributes"]["ApproximateReceiveCount"]),
        )
        for record in event["Records"]
    ]


def failures(handled: Handled) -> JsonObject:
    """The answer for Lambda: the messages that stay in the queue."""
    return {"batchItemFailures": [{"itemIdentifier": message.id} for message in handled.again]}


def delay_seconds(receives: int, first: float, random: Random) -> int:
    """Seconds until a message is delivered again: doubled each time, with jitter, at most LONGEST_DELAY."""
    longest = min(LONGEST_DELAY, first * 2 ** min(receives - 1, 16))
    return max(1, round(random.uniform(longest / 2, longest)))


def delay(client: Callable[[], Any], queue_url: str, handled: Handled, first: float, random: Random) -> int:
    """Tell the queue when to deliver messages again (at most 10). Returns how many of the changes SQS refused.

    Without this they would wait for the queue's visibility timeout, many times the function's time limit.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if not handled.again:
        return 0
    entries = [
        {
            "Id": str(at),
            "ReceiptHandle": message.receipt,
            "VisibilityTimeout": delay_seconds(message.receives, first, random),
        }
        for at, message in enumerate(handled.again)
    ]
    try:
        answer = client().change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
    except (BotoCoreError, ClientError):
        return len(entries)
    return len(answer.get("Failed", ()))
