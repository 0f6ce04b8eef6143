"""Queues that feed functions, as Lambda's event source mappings do: batches, bounded concurrency, partial failures.

moto invokes a function while a message is sent, once, and knows no partial failures. Here the queue is polled as on
AWS: messages that a function does not finish stay in the queue, and go to the dead-letter queue after the last try.
"""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import sqs_backends

from sitejobs_local.template.cloudformation import ACCOUNT_ID, REGION
from sitejobs_local.template.resources import QueueSource, Template

Invoke = Callable[[str, str], tuple[str, bool]]
"""A function's name and an event as JSON text -> the payload as JSON text, and whether it is an error."""

_POLL_SECONDS: Final = 0.02


class QueueSources:
    """Every queue of a template that feeds a function, watched until `close`."""

    def __init__(self, template: Template, invoke: Invoke) -> None:
        self._closing = threading.Event()
        self._watchers = [_Watcher(template, source, invoke, self._closing) for source in template.queue_sources]

    def close(self) -> None:
        """Stop polling and wait for the batches under way, which end when the workers do."""
        self._closing.set()
        for watcher in self._watchers:
            watcher.join()


class _Watcher:
    """One queue and its function."""

    def __init__(self, template: Template, source: QueueSource, invoke: Invoke, closing: threading.Event) -> None:
        queue = next(queue for queue in template.queues.values() if queue.arn == source.queue_arn)
        self._queue = queue
        self._source = source
        self._function = template.functions[source.function].name
        self._invoke = invoke
        self._closing = closing
        self._free = threading.Semaphore(source.max_concurrency)
        self._pool = ThreadPoolExecutor(source.max_concurrency, thread_name_prefix=queue.name)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()
        self._pool.shutdown(wait=True)

    def _watch(self) -> None:
        backend = sqs_backends[ACCOUNT_ID][REGION]
        while not self._closing.is_set():
            if not self._free.acquire(timeout=_POLL_SECONDS):
                continue
            messages: Sequence[Any] = ()
            try:
                messages = backend.receive_message(
                    self._queue.name, self._source.batch_size, 0, self._queue.visibility_timeout
                )
            except Exception:
                logging.getLogger("moto").exception("the queue %s could not be read", self._queue.name)
            if messages:
                self._pool.submit(self._run, messages)
            else:
                self._free.release()
                self._closing.wait(_POLL_SECONDS)

    def _run(self, messages: Sequence[Any]) -> None:
        try:
            payload, errored = self._invoke(self._function, json.dumps(self._event(messages)))
            kept = {message.id for message in messages} if errored else self._failed(json.loads(payload))
            backend = sqs_backends[ACCOUNT_ID][REGION]
            for message in messages:
                if message.id not in kept:
                    with suppress(ReceiptHandleIsInvalid):
                        backend.delete_message(self._queue.name, message.receipt_handle)
        except Exception:
            logging.getLogger("moto").exception("a batch of the queue %s broke off", self._queue.name)
        finally:
            self._free.release()

    def _failed(self, answer: Any) -> set[str]:
        """Ids of the messages that the function reports as failed (batchItemFailures)."""
        if not self._source.report_item_failures or not isinstance(answer, dict):
            return set()
        return {str(item["itemIdentifier"]) for item in answer.get("batchItemFailures") or ()}

    def _event(self, messages: Sequence[Any]) -> dict[str, Any]:
        return {
            "Records": [
                {
                    "messageId": message.id,
                    "receiptHandle": message.receipt_handle,
                    "body": message.body,
                    "attributes": {
                        "ApproximateReceiveCount": str(message.approximate_receive_count),
                        "SentTimestamp": str(message.sent_timestamp),
                    },
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                    "eventSourceARN": self._source.queue_arn,
                    "awsRegion": REGION,
                }
                for message in messages
            ]
        }
