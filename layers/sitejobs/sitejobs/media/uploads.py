"""Checks uploads as they arrive: queue messages name created objects, in any order, perhaps several times."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Final

from sitejobs.errors import Transient
from sitejobs.jobs.job import PageSummary, Resources
from sitejobs.jobs.queues import Handled, Message
from sitejobs.jobs.row_security import refuse_hidden_rows
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.jobs.tables import tables_of
from sitejobs.media.checking import checker_of
from sitejobs.media.records import ids_by_key
from sitejobs.postgres.connection import translated_errors

CALL_SECONDS: Final = 200
"""Seconds after which the rest of a call's messages go back to the queue: the time limit would end the call."""

PATIENCE: Final = 3
"""Deliveries of a message after which an upload whose record is not yet UPLOADED is left to the hourly job."""


def handle_uploads(
    resources: Resources, messages: Sequence[Message], clock: Callable[[], float] = time.monotonic
) -> Handled:
    """Check the objects that the messages name. A failure does not stop the others.

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
        handled.summary.skip(SkipReason.NOT_AVAILABLE, len(messages))
        return handled
    for at, message in enumerate(messages):
        if clock() - started > CALL_SECONDS:
            handled.again += messages[at:]
            handled.summary.skip(SkipReason.OUT_OF_TIME, len(messages) - at)
            break
        try:
            with translated_errors():
                done = _handle(resources, message, handled.summary)
        except Transient:
            # The database or the bucket is not available: the following messages would fail, too.
            handled.again += messages[at:]
            handled.summary.skip(SkipReason.NOT_AVAILABLE, len(messages) - at)
            break
        except Exception as error:  # of any class: it concerns this message only
            handled.summary.fail(f"error-{type(error).__name__}")
            done = False
        if not done:
            handled.again.append(message)
    return handled


def _handle(resources: Resources, message: Message, summary: PageSummary) -> bool:
    """Check a message's object; whether the message is done."""
    key = _key_of(message.body)
    checker = checker_of(resources)
    if key is None or not key.startswith(checker.prefix):
        summary.skip(SkipReason.NO_UPLOAD)
        return True
    connection = resources.database.connection()
    found = ids_by_key(connection, key)
    if not found:
        summary.skip(SkipReason.NO_RECORD_YET)
        return False
    outcomes = [checker.check(connection, media_id, summary) for media_id in found]
    return SkipReason.NOT_UPLOADED not in outcomes or message.receives >= PATIENCE


def _key_of(body: str) -> str | None:
    """The created object's key; None: the message names none. EventBridge's keys are not URL-encoded."""
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
