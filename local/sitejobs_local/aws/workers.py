"""Lambda's execution environments on this machine: a process for each concurrent invocation, kept warm afterwards.

An invocation takes an idle environment of its function or starts one. Time limits, crashes, payload limits and the
shape of errors are Lambda's, so that a state machine's Retry and Catch see here what they will see there.
"""

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sitejobs_local.aws.environment import INIT_LIMIT_SECONDS, Environment, Lost, Reply, variables_of
from sitejobs_local.template.resources import Function

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_REQUEST_BYTES: Final = 6 * 1024 * 1024
_PREWARM_POLL_SECONDS: Final = 0.01


class PoolClosed(Exception):
    """The pool was closed: no invocation starts any more."""


class UnknownFunction(LookupError):
    """There is no function of that name."""


class PayloadTooLarge(ValueError):
    """The event is larger than Lambda takes."""


@dataclass(frozen=True)
class Invocation:
    """The result of one invocation.

    `payload` is JSON text: the handler's result or, when `errored`, an object with errorMessage, errorType and
    perhaps stackTrace. `cold` tells whether it was its environment's first, `peak_memory_kb` the most memory that the
    environment has had resident (None when it was lost).
    """

    request_id: str
    payload: str
    errored: bool
    seconds: float
    cold: bool
    peak_memory_kb: int | None

    @property
    def value(self) -> Any:
        """The payload, parsed."""
        return json.loads(self.payload)


class WorkerPool:
    """The execution environments of a template's functions.

    Parameters
    ----------
    functions : what can be invoked.
    environment : variables every function gets; they win over the template's.
    log_file : what the handlers print is appended here.
    special : the variables of some functions, by name, in place of `environment`.
    """

    def __init__(
        self,
        functions: Iterable[Function],
        *,
        environment: Mapping[str, str],
        log_file: Path,
        special: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._environment = dict(environment)
        self._special = dict(special or {})
        self._lock = threading.Lock()
        self._idle: dict[str, list[Environment]] = {name: [] for name in self._functions}
        self._all: set[Environment] = set()
        self._closed = False
        self._log = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Nothing is ever written: the environments see its end when this process closes it, or dies.
        self._lifeline, self._lifeline_writer = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def invoke(self, name: str, event: str) -> Invocation:
        """Run one event, JSON text, through a function; blocks until it answers, fails or runs out of time.

        Raises
        ------
        UnknownFunction, PayloadTooLarge, PoolClosed : nothing was run.
        """
        function = self._function(name)
        size = len(event.encode())
        if size > MAX_REQUEST_BYTES:
            raise PayloadTooLarge(f"{name}: an event of {size} bytes, {MAX_REQUEST_BYTES} are allowed")
        request_id = str(uuid.uuid4())
        started = time.monotonic()
        while True:
            environment = self._take(function)
            cold = not environment.used
            try:
                reply = self._run(environment, request_id, event)
            except Lost:
                # It died while idle: the event never reached a handler, so another environment takes it.
                self._drop(environment)
                continue
            seconds = time.monotonic() - started
            errored = reply.kind != "result"
            return Invocation(request_id, reply.payload.decode(), errored, seconds, cold, reply.peak_memory_kb)

    def prewarm(self, names: Iterable[str]) -> None:
        """Start an environment for each function that has none, in the background.

        They start in order, at most cores - 1 at a time: all at once, the one needed first would be ready last.
        """
        functions = [self._function(name) for name in names]
        threading.Thread(target=self._prewarm, args=(functions,), daemon=True).start()

    def retire(self, name: str) -> None:
        """End the idle environments of a function that will not be needed soon, to free their memory."""
        with self._lock:
            idle, self._idle[name] = self._idle[name], []
        for environment in idle:
            self._drop(environment)

    def pids(self, name: str | None = None) -> set[int]:
        """Process ids of the environments of a function, or of all."""
        with self._lock:
            return {one.pid for one in self._all if name in (None, one.function.name)}

    def close(self) -> None:
        """End every environment, busy or not; invocations under way return as crashed ones. Twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle = [environment for environments in self._idle.values() for environment in environments]
            environments = list(self._all)
        for environment in environments:
            environment.kill()
        for environment in environments:
            environment.end()
        for environment in idle:
            environment.close()
        for descriptor in (self._lifeline_writer, self._lifeline, self._log):
            os.close(descriptor)

    def _prewarm(self, functions: Iterable[Function]) -> None:
        lanes = max(1, (os.cpu_count() or 1) - 1)
        importing: list[Environment] = []
        for function in functions:
            while len(importing) >= lanes:
                time.sleep(_PREWARM_POLL_SECONDS)
                importing = [environment for environment in importing if not environment.settled()]
            if self.pids(function.name):
                continue
            try:
                environment = self._start(function)
            except PoolClosed:
                return
            self._give_back(environment)
            importing.append(environment)

    def _function(self, name: str) -> Function:
        if name not in self._functions:
            raise UnknownFunction(f"Function not found: {name}")
        return self._functions[name]

    def _run(self, environment: Environment, request_id: str, event: str) -> Reply:
        """Run one event in one environment; `Lost` if its process had died while it was idle."""
        function = environment.function
        try:
            failure = environment.ready()
        except (Lost, TimeoutError) as error:
            return self._lost(environment, request_id, error, INIT_LIMIT_SECONDS)
        if failure is not None:
            self._drop(environment)
            return failure
        header = {"id": request_id, "arn": function.arn, "deadline": time.time() + function.timeout}
        deadline = time.monotonic() + function.timeout
        try:
            environment.send(json.dumps(header).encode() + b"\n" + event.encode())
        except Lost as error:
            if environment.used:
                raise
            return self._lost(environment, request_id, error, function.timeout)
        try:
            reply = environment.reply(deadline)
        except (Lost, TimeoutError) as error:
            return self._lost(environment, request_id, error, function.timeout)
        self._give_back(environment)
        return reply

    def _lost(self, environment: Environment, request_id: str, error: Exception, limit: float) -> Reply:
        """End an environment that is out of time or gone: Lambda's error for it."""
        status = self._drop(environment)
        if isinstance(error, TimeoutError):
            message = f"RequestId: {request_id} Error: Task timed out after {limit:.2f} seconds"
            return _failure("Sandbox.Timedout", message)
        return _failure("Runtime.ExitError", f"RequestId: {request_id} Error: {_exit_reason(status)}")

    def _take(self, function: Function) -> Environment:
        """The environment used last, or a new one."""
        with self._lock:
            idle = self._idle[function.name]
            if idle and not self._closed:
                return idle.pop()
        return self._start(function)

    def _start(self, function: Function) -> Environment:
        variables = variables_of(function, self._special.get(function.name, self._environment))
        # Under the lock, so that closing never misses an environment nor closes a descriptor one is started with.
        with self._lock:
            if self._closed:
                raise PoolClosed("the workers were ended")
            environment = Environment(function, variables, self._lifeline, self._log)
            self._all.add(environment)
        return environment

    def _give_back(self, environment: Environment) -> None:
        with self._lock:
            if not self._closed:
                self._idle[environment.function.name].append(environment)
                return
        self._drop(environment)

    def _drop(self, environment: Environment) -> int:
        """End an environment for good; its exit status."""
        status = environment.end()
        environment.close()
        with self._lock:
            self._all.discard(environment)
        return status


def _failure(kind: str, message: str) -> Reply:
    return Reply("error", json.dumps({"errorMessage": message, "errorType": kind}).encode())


def _exit_reason(status: int) -> str:
    """How Lambda words the end of a runtime's process."""
    if status == 0:
        return "Runtime exited without providing a reason"
    if status < 0:
        name = signal.strsignal(-status) or str(-status)
        return f"Runtime exited with error: signal: {name.lower()}"
    return f"Runtime exited with error: exit status {status}"
