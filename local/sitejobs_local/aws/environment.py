"""One Lambda execution environment seen from the parent: its process, its variables and the channel to it."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from sitejobs_local.aws import lambda_worker
from sitejobs_local.template.cloudformation import REGION
from sitejobs_local.template.resources import Function

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_RESPONSE_BYTES: Final = 6 * 1024 * 1024 + 100
# Lambda allows a cold start 10 s; a laptop whose cores are all busy may need longer.
INIT_LIMIT_SECONDS: Final = 60.0
# Lambda gives one vCPU for each 1,769 MB.
_MEMORY_MB_A_CPU: Final = 1769
_INHERITED: Final = ("PATH", "HOME", "TMPDIR")
_HEADER_BYTES: Final = 8


class Lost(Exception):
    """The environment's process ended or closed its channel."""


@dataclass(frozen=True)
class Reply:
    kind: str
    payload: bytes
    peak_memory_kb: int | None = None


class Process(Protocol):
    """What an environment needs of its process. `returncode` is None until it was waited for; `pid` is its group's."""

    returncode: int | None

    @property
    def pid(self) -> int: ...

    def wait(self) -> int: ...


class Start(Protocol):
    """Starts `lambda_worker.py` for a function, with these files as channel, lifeline and log, in a session of its own.

    `arguments` are those after CHANNEL and LIFELINE.
    """

    def __call__(
        self, function: Function, arguments: Sequence[str], variables: Mapping[str, str], files: tuple[int, int, int]
    ) -> Process: ...


def own_python(
    function: Function, arguments: Sequence[str], variables: Mapping[str, str], files: tuple[int, int, int]
) -> Process:
    """Start a Python of its own."""
    channel, lifeline, log = files
    # -P: neither this package's folder nor the current one may come before the function's own.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-P", lambda_worker.__file__, str(channel), str(lifeline), *arguments],
        cwd=function.code,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=(channel, lifeline),
        start_new_session=True,
    )


class Environment:
    """One process and the channel to it; used by one thread at a time."""

    start: ClassVar[Start] = staticmethod(own_python)
    """How this process starts them."""

    def __init__(self, function: Function, variables: Mapping[str, str], lifeline: int, log: int) -> None:
        self.function = function
        self.used = False
        self._ready = False
        self._ending = threading.Lock()
        self._channel, child = socket.socketpair()
        folders = [str(function.code), *map(str, function.layers)]
        arguments = [function.handler, str(MAX_RESPONSE_BYTES), *folders]
        with child:
            self._process = self.start(function, arguments, variables, (child.fileno(), lifeline, log))

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> Reply | None:
        """Wait until the handler is imported; returns the error if the import failed."""
        if self._ready:
            return None
        reply = self._receive(time.monotonic() + INIT_LIMIT_SECONDS)
        self._ready = reply.kind == "ready"
        return None if self._ready else reply

    def settled(self) -> bool:
        """Whether the import has ended. Any thread may ask."""
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
            raise Lost from error

    def reply(self, deadline: float) -> Reply:
        """Wait for the answer. TimeoutError after `deadline` (monotonic), `Lost` when the process has ended."""
        reply = self._receive(deadline)
        self.used = True
        return reply

    def kill(self) -> None:
        """Kill the process and its children without waiting."""
        with self._ending:
            if self._process.returncode is None:
                # Before waiting: the id stays this group's until then. macOS refuses it for a process that has ended.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill the process and wait; returns its exit status, its own one if it had ended by itself."""
        self.kill()
        with self._ending:
            return self._process.wait()

    def close(self) -> None:
        """Close the channel. Only the thread that uses it may: another could close a descriptor number in new use."""
        self._channel.close()

    def _receive(self, deadline: float) -> Reply:
        size = int.from_bytes(self._read(_HEADER_BYTES, deadline), "big")
        header, payload = self._read(size, deadline).split(b"\n", 1)
        fields = json.loads(header)
        return Reply(fields["kind"], payload, fields["peak_memory_kb"])

    def _read(self, size: int, deadline: float) -> bytes:
        chunks = bytearray()
        while len(chunks) < size:
            self._channel.settimeout(max(deadline - time.monotonic(), 1e-3))
            try:
                chunk = self._channel.recv(min(size - len(chunks), 1 << 20))
            except TimeoutError:
                raise
            except OSError as error:
                raise Lost from error
            if not chunk:
                raise Lost
            chunks += chunk
        return bytes(chunks)


def variables_of(function: Function, given: Mapping[str, str]) -> dict[str, str]:
    """All variables of a function's process: `_INHERITED` ones of this process, then `given`, which win."""
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
        **given,
        "_HANDLER": function.handler,
        "AWS_REGION": given.get("AWS_REGION", REGION),
        "AWS_DEFAULT_REGION": given.get("AWS_DEFAULT_REGION", given.get("AWS_REGION", REGION)),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "LAMBDA_TASK_ROOT": str(function.code),
        # There is no daemon of X-Ray here, and to import its SDK takes a handler as long as all other imports.
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
