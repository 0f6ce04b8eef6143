"""Lambda's execution environments at home: one process a concurrent invocation, kept warm between invocations.

An invocation takes an idle environment of its function or starts one. Time limits, crashes, payload limits and the
shape of errors are Lambda's, so that a state machine's Retry and Catch see here what they will see there.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sitejobs_local.aws import lambda_worker
from sitejobs_local.template.cloudformation import REGION
from sitejobs_local.template.template import Function

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_REQUEST_BYTES: Final = 6 * 1024 * 1024
MAX_RESPONSE_BYTES: Final = 6 * 1024 * 1024 + 100
# Lambda gives a cold start 10 s; a laptop whose cores are all busy may need longer.
INIT_LIMIT_SECONDS: Final = 60.0
# Lambda gives one vCPU for each 1,769 MB.
_MEMORY_MB_A_CPU: Final = 1769
_PREWARM_POLL_SECONDS: Final = 0.01
_INHERITED: Final = ("PATH", "HOME", "TMPDIR")
_HEADER_BYTES: Final = 8


class PoolClosed(Exception):
    """The pool was closed: no invocation starts any more."""


class UnknownFunction(LookupError):
    """There is no function of that name."""


class PayloadTooLarge(ValueError):
    """The event is larger than Lambda takes."""


@dataclass(frozen=True)
class Invocation:
    """What came of one invocation.

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


class _Lost(Exception):
    """The environment's process ended or closed its channel."""


@dataclass(frozen=True)
class _Reply:
    kind: str
    payload: bytes
    peak_memory_kb: int | None = None


class _Environment:
    """One process and the channel to it; used by one thread at a time."""

    def __init__(self, function: Function, variables: Mapping[str, str], lifeline: int, log: int) -> None:
        self.function = function
        self.used = False
        self._ready = False
        self._ending = threading.Lock()
        self._channel, child = socket.socketpair()
        folders = [str(function.code), *map(str, function.layers)]
        arguments = [str(child.fileno()), str(lifeline), function.handler, str(MAX_RESPONSE_BYTES), *folders]
        with child:
            # -P: neither this package's folder nor the current one may come before the function's own.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                [sys.executable, "-P", lambda_worker.__file__, *arguments],
                cwd=function.code,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(child.fileno(), lifeline),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> _Reply | None:
        """Wait for the handler to be imported; the reply is the error when it could not be."""
        if self._ready:
            return None
        reply = self._receive(time.monotonic() + INIT_LIMIT_SECONDS)
        self._ready = reply.kind == "ready"
        return None if self._ready else reply

    def settled(self) -> bool:
        """Whether its import is over; for other threads than the one that uses it."""
        if self._ready or self._process.returncode is not None:
            return True
        with suppress(OSError, ValueError):  # its user closed the channel: the next look finds it ended
            return bool(select.select([self._channel], [], [], 0)[0])
        return True

    def send(self, request: bytes) -> None:
        try:
            self._channel.settimeout(None)
            self._channel.sendall(len(request).to_bytes(_HEADER_BYTES, "big") + request)
        except OSError as error:
            raise _Lost from error

    def reply(self, deadline: float) -> _Reply:
        """Wait for the answer until `deadline` (monotonic); TimeoutError after it, `_Lost` when none will come."""
        reply = self._receive(deadline)
        self.used = True
        return reply

    def kill(self) -> None:
        """Send the process and its children their end, without waiting for it."""
        with self._ending:
            if self._process.returncode is None:
                # Before waiting: the id stays this group's until then. macOS refuses it for a process that has ended.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill and wait; the exit status as subprocess gives it: the process's own if it ended by itself."""
        self.kill()
        with self._ending:
            return self._process.wait()

    def close(self) -> None:
        """Close the channel; only for the thread that uses the environment, lest another's file gets the number."""
        self._channel.close()

    def _receive(self, deadline: float) -> _Reply:
        size = int.from_bytes(self._read(_HEADER_BYTES, deadline), "big")
        header, payload = self._read(size, deadline).split(b"\n", 1)
        fields = json.loads(header)
        return _Reply(fields["kind"], payload, fields["peak_memory_kb"])

    def _read(self, size: int, deadline: float) -> bytes:
        chunks = bytearray()
        while len(chunks) < size:
            self._channel.settimeout(max(deadline - time.monotonic(), 1e-3))
            try:
                chunk = self._channel.recv(min(size - len(chunks), 1 << 20))
            except TimeoutError:
                raise
            except OSError as error:
                raise _Lost from error
            if not chunk:
                raise _Lost
            chunks += chunk
        return bytes(chunks)


class WorkerPool:
    """The execution environments of a template's functions.

    Parameters
    ----------
    functions : what can be invoked.
    environment : variables every function gets; they win over the template's.
    log_file : what the handlers print is appended here.
    """

    def __init__(self, functions: Iterable[Function], *, environment: Mapping[str, str], log_file: Path) -> None:
        self._functions = {function.name: function for function in functions}
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Environment]] = {name: [] for name in self._functions}
        self._all: set[_Environment] = set()
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
            except _Lost:
                # It died while idle: the event never reached a handler, so another environment takes it.
                self._drop(environment)
                continue
            seconds = time.monotonic() - started
            errored = reply.kind != "result"
            return Invocation(request_id, reply.payload.decode(), errored, seconds, cold, reply.peak_memory_kb)

    def prewarm(self, names: Iterable[str]) -> None:
        """Start an environment for each function that has none, in the background.

        They are started in order, one fewer at a time than there are cores: all at once, the one that is needed first
        would be ready last.
        """
        functions = [self._function(name) for name in names]
        threading.Thread(target=self._prewarm, args=(functions,), daemon=True).start()

    def retire(self, name: str) -> None:
        """End the idle environments of a function that will not be needed again soon, for their memory's sake."""
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
        importing: list[_Environment] = []
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

    def _run(self, environment: _Environment, request_id: str, event: str) -> _Reply:
        """One event through one environment; `_Lost` when that had died while it was idle."""
        function = environment.function
        try:
            failure = environment.ready()
        except (_Lost, TimeoutError) as error:
            return self._lost(environment, request_id, error, INIT_LIMIT_SECONDS)
        if failure is not None:
            self._drop(environment)
            return failure
        header = {"id": request_id, "arn": function.arn, "deadline": time.time() + function.timeout}
        deadline = time.monotonic() + function.timeout
        try:
            environment.send(json.dumps(header).encode() + b"\n" + event.encode())
        except _Lost as error:
            if environment.used:
                raise
            return self._lost(environment, request_id, error, function.timeout)
        try:
            reply = environment.reply(deadline)
        except (_Lost, TimeoutError) as error:
            return self._lost(environment, request_id, error, function.timeout)
        self._give_back(environment)
        return reply

    def _lost(self, environment: _Environment, request_id: str, error: Exception, limit: float) -> _Reply:
        """End an environment that is out of time or gone: Lambda's error for it."""
        status = self._drop(environment)
        if isinstance(error, TimeoutError):
            message = f"RequestId: {request_id} Error: Task timed out after {limit:.2f} seconds"
            return _failure("Sandbox.Timedout", message)
        return _failure("Runtime.ExitError", f"RequestId: {request_id} Error: {_exit_reason(status)}")

    def _take(self, function: Function) -> _Environment:
        """The environment used last, or a new one."""
        with self._lock:
            idle = self._idle[function.name]
            if idle and not self._closed:
                return idle.pop()
        return self._start(function)

    def _start(self, function: Function) -> _Environment:
        variables = self._variables(function)
        # Under the lock, so that closing never misses an environment nor closes a descriptor one is started with.
        with self._lock:
            if self._closed:
                raise PoolClosed("the workers were ended")
            environment = _Environment(function, variables, self._lifeline, self._log)
            self._all.add(environment)
        return environment

    def _give_back(self, environment: _Environment) -> None:
        with self._lock:
            if not self._closed:
                self._idle[environment.function.name].append(environment)
                return
        self._drop(environment)

    def _drop(self, environment: _Environment) -> int:
        """End an environment for good; its exit status."""
        status = environment.end()
        environment.close()
        with self._lock:
            self._all.discard(environment)
        return status

    def _variables(self, function: Function) -> dict[str, str]:
        """The whole environment of a function's process: nothing of this process's own but where things are."""
        cpus = str(max(1, -(-function.memory // _MEMORY_MB_A_CPU)))
        return {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            # Lambda shows a function no more cores than its memory pays for.
            "OMP_NUM_THREADS": cpus,
            "OPENBLAS_NUM_THREADS": cpus,
            "VECLIB_MAXIMUM_THREADS": cpus,
            **function.environment,
            **self._environment,
            "_HANDLER": function.handler,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "LAMBDA_TASK_ROOT": str(function.code),
            # As `sam local` does: tracing looks for no daemon then.
            "AWS_SAM_LOCAL": "true",
        }


def _failure(kind: str, message: str) -> _Reply:
    return _Reply("error", json.dumps({"errorMessage": message, "errorType": kind}).encode())


def _exit_reason(status: int) -> str:
    """How Lambda words the end of a runtime's process."""
    if status == 0:
        return "Runtime exited without providing a reason"
    if status < 0:
        name = signal.strsignal(-status) or str(-status)
        return f"Runtime exited with error: signal: {name.lower()}"
    return f"Runtime exited with error: exit status {status}"
