"""Execution environments forked from one process that has imported what all of them import.

To import is most of what a start takes. The environments of the bundle's own functions are forked; all others get a
Python of their own, as at home. numpy reads a variable when it is imported: it has one thread in all of them.
`tests/local/test_workers.py` tests both.
"""

import array
import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sitejobs_local.aws import lambda_worker
from sitejobs_local.aws.environment import Environment, Process, Start, own_python
from sitejobs_local.places import REPOSITORY
from sitejobs_local.template.resources import Function
from tests.surroundings import ONE_THREAD

LAYER: Final = REPOSITORY / "layers" / "sitejobs"
SERVER: Final = Path(__file__).with_name("forks_server.py")
STATUS_BYTES: Final = 8
_LOCK: Final = threading.Lock()


class Forked:
    """A process that the server forked. It stays the server's child, and a zombie until it is waited for."""

    returncode: int | None = None

    def __init__(
        self, address: str, arguments: Sequence[str], folder: Path, variables: Mapping[str, str], files: Sequence[int]
    ) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(address)
        request = json.dumps([list(arguments), str(folder), dict(variables)]).encode()
        size = len(request).to_bytes(STATUS_BYTES, "big")
        self._connection.sendmsg([size], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
        self._connection.sendall(request)
        self.pid = self._number()

    def wait(self) -> int:
        """Wait for its end; the exit status as `subprocess` has it."""
        if self.returncode is None:
            self.returncode = self._number()
            self._connection.close()  # the server waits for it only now: until then its id is nobody else's
        return self.returncode

    def _number(self) -> int:
        received = self._connection.recv(STATUS_BYTES, socket.MSG_WAITALL)
        if len(received) < STATUS_BYTES:
            raise ConnectionError("the process that environments are forked from has ended")
        return int.from_bytes(received, "big", signed=True)


def address() -> str:
    """Where this process's server listens; it is started when it is asked for, and ends with this process."""
    with _LOCK:
        return _address()


@functools.cache
def _address() -> str:
    folder = tempfile.TemporaryDirectory(prefix="sitejobs-forks-")
    where = str(Path(folder.name) / "socket")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-P", str(SERVER), where, str(lambda_worker.__file__)],
        cwd="/",
        env={**kept, "LANG": "C.UTF-8", "TZ": "UTC", **ONE_THREAD},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.read(1), "the process that environments are forked from does not start"

    def end() -> None:
        process.communicate()  # closes its input, which ends it
        folder.cleanup()

    atexit.register(end)
    return where


def use(where: str | None = None) -> None:
    """Have this process fork environments from the server at an address, by default from its own."""
    Environment.start = staticmethod(forking(where))


def forking(where: str | None = None, *, every: bool = False) -> Start:
    """How to start environments: forked from the server at an address, by default from this process's own.

    `every`: those of all functions, not of the bundle's alone.
    """

    def start(
        function: Function, arguments: Sequence[str], variables: Mapping[str, str], files: tuple[int, int, int]
    ) -> Process:
        if not every and function.layers != (LAYER,):
            return own_python(function, arguments, variables, files)
        return Forked(where or address(), arguments, function.code, variables, files)

    return start


@contextmanager
def used(start: Start) -> Iterator[None]:
    """Have this process start environments in this way for a while."""
    before = Environment.start
    Environment.start = staticmethod(start)
    try:
        yield
    finally:
        Environment.start = staticmethod(before)
