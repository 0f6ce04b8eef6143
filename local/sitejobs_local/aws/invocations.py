"""Every Lambda invocation of a machine, whoever makes it: a state machine, a queue, a rule or the API."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from sitejobs_local.aws.workers import Invocation, PayloadTooLarge, PoolClosed, WorkerPool


@dataclass(frozen=True)
class Event:
    """A Lambda invocation started or finished.

    `event` is its parsed payload. When finished, `result` is the handler's answer or `error` an object with
    errorMessage and errorType; `peak_memory_kb` is the most its process ever had resident, None when it was lost.
    """

    kind: Literal["started", "finished"]
    function: str
    event: Any
    result: Any = None
    error: Mapping[str, Any] | None = None
    seconds: float | None = None
    cold: bool | None = None
    peak_memory_kb: int | None = None
    request_bytes: int = 0
    response_bytes: int | None = None


class Invocations:
    """Runs a function in the pool and tells `on_event` of its start and its end."""

    def __init__(self, pool: WorkerPool, on_event: Callable[[Event], None] | None) -> None:
        self._pool = pool
        self._on_event = on_event
        self._on_event_lock = threading.Lock()

    def __call__(self, function: str, event: str) -> tuple[str, bool]:
        """Run one function; returns the payload as JSON text, and whether it is an error."""
        started = Event("started", function, None, request_bytes=len(event.encode()))
        if self._on_event is not None:
            started = replace(started, event=json.loads(event))
            self._tell(started)
        try:
            invocation = self._pool.invoke(function, event)
        except PoolClosed:
            error = {"errorMessage": "the machine was closed", "errorType": "Runtime.ExitError"}
            invocation = Invocation("", json.dumps(error), True, 0.0, False, None)
        except PayloadTooLarge as error_:
            error = {"errorMessage": str(error_), "errorType": "RequestTooLargeException"}
            invocation = Invocation("", json.dumps(error), True, 0.0, False, None)
        if self._on_event is not None:
            self._tell(_finished(started, invocation))
        return invocation.payload, invocation.errored

    def _tell(self, event: Event) -> None:
        if self._on_event is None:
            return
        with self._on_event_lock:
            try:
                self._on_event(event)
            except Exception:
                logging.getLogger("moto").exception("on_event failed")


def _finished(started: Event, invocation: Invocation) -> Event:
    return replace(
        started,
        kind="finished",
        result=None if invocation.errored else invocation.value,
        error=invocation.value if invocation.errored else None,
        seconds=invocation.seconds,
        cold=invocation.cold,
        peak_memory_kb=invocation.peak_memory_kb,
        response_bytes=len(invocation.payload.encode()),
    )
