"""Keeps the parser's process: gives it bytes, ends it when a file misbehaves, starts another for the next file."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

from sitejobs.errors import Transient
from sitejobs.media import parser_frames
from sitejobs.media.attributes import Attributes, attributes_from_json
from sitejobs.media.extraction import Unreadable
from sitejobs.media.formats import FORMATS
from sitejobs.media.reading import LARGEST_READ, ByteSource

START_SECONDS: Final = 60.0
FILES_A_PROCESS: Final = 500
"""Files after which a process is replaced, so that leaks of libraries stay small."""
MAX_REQUESTS: Final = 2_000

_INHERITED: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
_CODE: Final = re.compile(r"[a-z-]{1,32}")
_OUT_OF_TIME: Final = {-signal.SIGXCPU, -signal.SIGALRM}


@dataclass(frozen=True)
class Limits:
    """What one file may take: seconds in all (its reads included), MB of memory, bytes read, pixels decoded."""

    seconds: float = 20.0
    memory_mb: int = 512
    read_bytes: int = 64 << 20
    max_pixels: int = 50_000_000
    max_image_bytes: int = 25 << 20
    formats: tuple[str, ...] | None = None
    """Formats that are parsed; None: all."""


@dataclass
class Cost:
    """What reading one file cost."""

    requests: int = 0
    bytes: int = 0


class ParserHost:
    """One parser process at a time, kept between files. Not thread-safe.

    The process inherits neither credentials nor open files. It is ended when a file hangs, crashes it or exceeds a
    limit; the next file gets a new one.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.cost = Cost()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._files = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Id of the process, if there is one."""
        return None if self._process is None else self._process.pid

    def extract(self, source: ByteSource, size: int) -> Attributes:
        """The attributes of a file of `size` bytes.

        Raises
        ------
        Unreadable : it cannot be understood, or it took too much; its `code` says which.
        Exception : whatever `source` raises, as it is.
        """
        self.cost = Cost()
        if size == 0:
            raise Unreadable("empty", "the object has no bytes")
        for _ in range(2):
            try:
                return self._serve(self._ready(), source, size)
            except _Answered:
                raise
            except _DiedIdle:
                self.close()
            except BaseException:
                self.close()
                raise
        raise Transient("the parser's process exits before it reads the file")

    def close(self) -> None:
        """End the process, if there is one."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = self._channel = None

    def _request(self, size: int) -> dict[str, Any]:
        return {
            "size": size,
            "seconds": max(1, round(self.limits.seconds)),
            "formats": self.limits.formats,
            "maxPixels": self.limits.max_pixels,
            "memoryBytes": self.limits.memory_mb << 20,
            # An image is read whole, unless it is too large for the rules: then its header is enough.
            "maxImageBytes": min(self.limits.read_bytes * 3 // 4, self.limits.max_image_bytes),
        }

    def _serve(self, channel: socket.socket, source: ByteSource, size: int) -> Attributes:
        """Answer the process's reads until it sends the result."""
        deadline = time.monotonic() + self.limits.seconds
        try:
            parser_frames.send_json(channel, self._request(size), deadline)
            while True:
                message = parser_frames.receive_json(channel, deadline)
                if "read" not in message:
                    return _result(message, self.limits)
                parser_frames.send(channel, self._read(source, size, message["read"]), deadline)
        except TimeoutError:
            raise self._too_slow() from None
        except parser_frames.Ended:
            if not self.cost.requests:
                raise _DiedIdle from None
            raise self._crashed() from None

    def _read(self, source: ByteSource, size: int, asked: Any) -> bytes:
        if not (isinstance(asked, list) and len(asked) == 2 and all(type(part) is int for part in asked)):
            raise parser_frames.Ended("a read is no range")
        start, length = asked
        if start < 0 or length < 1 or length > LARGEST_READ or start + length > size:
            raise parser_frames.Ended("a read is out of range")
        self.cost.requests += 1
        self.cost.bytes += length
        if self.cost.bytes > self.limits.read_bytes or self.cost.requests > MAX_REQUESTS:
            raise Unreadable(
                "too-many-reads", f"more than {self.limits.read_bytes >> 20} MB had to be read to understand it"
            )
        return source.read(start, length)

    def _too_slow(self) -> Unreadable:
        return Unreadable("parser-timeout", f"parsing took longer than {self.limits.seconds:g} s")

    def _crashed(self) -> Unreadable:
        """Why the process exited: its own limits, or a crash."""
        status = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                status = self._process.wait(timeout=2)
        if status in _OUT_OF_TIME:
            return self._too_slow()
        return Unreadable("parser-crashed", "the parser crashed on it, or ran out of its memory")

    def _ready(self) -> socket.socket:
        """The channel of a process that waits for a file."""
        if self._files >= FILES_A_PROCESS or (self._process is not None and self._process.poll() is not None):
            self.close()
        if self._channel is None:
            self._start()
        self._files += 1
        assert self._channel is not None
        return self._channel

    def _start(self) -> None:
        self._files = 0
        self._channel, child = socket.socketpair()
        with child:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "sitejobs.media.parser_process",
                    str(child.fileno()),
                    str(self.limits.memory_mb),
                ],
                env=_environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries write warnings there that quote the file
                pass_fds=(child.fileno(),),
                start_new_session=True,
            )
        try:
            parser_frames.receive_json(self._channel, time.monotonic() + START_SECONDS)
        except (parser_frames.Ended, TimeoutError):
            self.close()
            raise Transient("the parser's process did not start") from None


class _DiedIdle(Exception):
    """The process had exited before it read the file; the file is not to blame."""


class _Answered(Unreadable):
    """The process itself found the file unreadable; it can take the next one."""


def _result(message: Mapping[str, Any], limits: Limits) -> Attributes:
    if "found" in message and isinstance(message["found"], dict):
        found = attributes_from_json(message["found"])
        if found.format in FORMATS and found.kind is not None and found.mimeType is not None:
            return found
        raise parser_frames.Ended("the answer is none")
    if "memory" in message:
        raise Unreadable("parser-memory", f"parsing took more than {limits.memory_mb} MB of memory")
    code, detail = message.get("unreadable"), message.get("detail")
    if not isinstance(code, str) or not isinstance(detail, str) or not _CODE.fullmatch(code) or len(detail) > 200:
        raise parser_frames.Ended("the answer is none")
    raise _Answered(code, detail)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Only the variables that the process needs: no credentials, no addresses."""
    kept = {name: environ[name] for name in _INHERITED if name in environ}
    # glibc reserves 64 MB of the limited address space for the arena of each thread.
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "2"}
