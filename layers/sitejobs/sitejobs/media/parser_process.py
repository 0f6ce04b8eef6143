"""The process that parses files. It has no credentials and little memory, and asks its host for every byte.

Usage: python -m sitejobs.media.parser_process CHANNEL MEMORY_MB

It parses one file after another until the host closes the channel. A file that crashes it ends this process only.
"""

import ctypes
import os
import resource
import signal
import socket
import sys
from typing import Final

from sitejobs.aliases import JsonObject
from sitejobs.media import parser_frames
from sitejobs.media.extraction import Unreadable, extract
from sitejobs.media.images import Depth
from sitejobs.media.reading import RangedFile

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38


class _KeptSource:
    """Bytes that the host reads for this process."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def read(self, start: int, length: int) -> bytes:
        parser_frames.send_json(self._channel, {"read": [start, length]})
        return parser_frames.receive(self._channel)


def main(arguments: list[str]) -> None:
    """Parse files until the channel closes."""
    channel = socket.socket(fileno=int(arguments[0]))
    _confine(int(arguments[1]))
    parser_frames.send_json(channel, {"ready": True})
    while True:
        try:
            request = parser_frames.receive_json(channel)
            _limit_cpu(int(request["seconds"]))
            parser_frames.send_json(channel, _answer(channel, request))
        except parser_frames.Ended:
            return


def _answer(channel: socket.socket, request: JsonObject) -> JsonObject:
    file = RangedFile(_KeptSource(channel), int(request["size"]))
    depth = Depth(int(request["maxImageBytes"]), int(request["maxPixels"]), int(request["memoryBytes"]))
    formats = request.get("formats")
    try:
        return {"found": extract(file, int(request["size"]), depth, formats).to_json()}
    except Unreadable as error:
        return {"unreadable": error.code, "detail": error.detail}
    except MemoryError:
        return {"memory": True}


def _confine(memory_mb: int) -> None:
    """Limit this process for good: no core dump, no file written, limited memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform != "linux":
        return  # macOS has no such limits: time and bytes read are limited there, memory is not
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with open("/proc/self/statm", encoding="ascii") as status:  # noqa: PTH123 - before anything is limited
        now = int(status.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = now + (memory_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _limit_cpu(seconds: int) -> None:
    """Limit the next file's CPU time, in case the host dies and cannot end a process that hangs."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 2, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
