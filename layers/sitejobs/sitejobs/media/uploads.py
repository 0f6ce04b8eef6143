"""Uploads as they come: messages of a queue that say which objects were created, in any order, any number of times."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Final

from sitejobs.errors import Transient
from sitejobs.jobs.job import PageSummary, Resources
from sitejobs.jobs.queues import Handled, Message
from sitejobs.jobs.row_security import refuse_hidden_rows
from sitejobs.jobs.tables import tables_of
from sitejobs.media.checking import checker_of
from sitejobs.media.records import ids_by_key
from sitejobs.postgres.connection import translated_errors

CALL_SECONDS: Final = 200
"""After this the rest of a call's messages go back to the queue, before the function's own time limit ends it."""

PATIENCE: Final = 3
"""Receipts after which an upload that nobody confirmed is left to the hourly job."""


def handle_uploads(
    resources: Resources, messages: Sequence[Message], clock: Callable[[], float] = time.monotonic
) -> Handled:
    """Check the objects that messages tell of. One that fails never stops the others.

    Raises
    ------
    InvalidInput : the tables hide rows; the messages go back to the queue.
    """
    started = clock()
    handled = Handled()
    try:
        with translated_errors():
            refuse_hidden_rows(resources.database.connection(), tables_of("media-metadata"))
    except Transient:
        handled.again += messages
        handled.summary.skip("not-available", len(messages))
        return handled
    for at, message in enumerate(messages):
        if clock() - started > CALL_SECONDS:
            handled.again += messages[at:]
            handled.summary.skip("out-of-time", len(messages) - at)
            break
        try:
            with translated_errors():
                done = _handle(resources, message, handled.summary)
        except Transient:
            # The database or the bucket is away: the messages that follow would find the same.
            handled.again += messages[at:]
            handled.summary.skip("not-available", len(messages) - at)
            break
        except Exception as error:  # whatever it is, it is this message's own
            handled.summary.fail(f"error-{type(error).__name__}")
            done = False
        if not done:
            handled.again.append(message)
    return handled


def _handle(resources: Resources, message: Message, summary: PageSummary) -> bool:
    """Whether the message is done with."""
    key = _key_of(message.body)
    checker = checker_of(resources)
    if key is None or not key.startswith(checker.prefix):
        summary.skip("no-upload")
        return True
    connection = resources.database.connection()
    found = ids_by_key(connection, key)
    if not found:
        summary.skip("no-record-yet")
        return False
    outcomes = [checker.check(connection, media_id, summary) for media_id in found]
    return "not-uploaded" not in outcomes or message.receives >= PATIENCE


def _key_of(body: str) -> str | None:
    """The created object's key; None when the message tells of none. EventBridge's keys are not URL-encoded."""
    try:
        event = json.loads(body)
    except ValueError:
        return None
    if not isinstance(event, dict) or event.get("detail-type") != "Object Created":
        return None
    detail = event.get("detail")
    found = detail.get("object") if isinstance(detail, dict) else None
    key = found.get("key") if isinstance(found, dict) else None
    return key if isinstance(key, str) and key else None
