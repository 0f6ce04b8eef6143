"""Messages between the parser's process and its host over a socket: a length, then bytes."""

import json
import socket
import time
from typing import Final

from sitejobs.aliases import JsonObject

_LENGTH_BYTES: Final = 4
MAX_MESSAGE: Final = 8 << 20
"""Most bytes of one message; a result has a few kilobytes, a read 4 MB."""


class Ended(Exception):
    """The other process closed its end, or sent something that is no message."""


def send(channel: socket.socket, message: bytes, deadline: float | None = None) -> None:
    """Send one message. TimeoutError after `deadline` (monotonic seconds)."""
    try:
        _until(channel, deadline)
        channel.sendall(len(message).to_bytes(_LENGTH_BYTES, "big") + message)
    except TimeoutError:
        raise
    except OSError as error:
        raise Ended from error


def receive(channel: socket.socket, deadline: float | None = None) -> bytes:
    """Wait for one message. TimeoutError after `deadline` (monotonic seconds)."""
    length = int.from_bytes(_read(channel, _LENGTH_BYTES, deadline), "big")
    if length > MAX_MESSAGE:
        raise Ended("a message is too long")
    return _read(channel, length, deadline)


def send_json(channel: socket.socket, message: JsonObject, deadline: float | None = None) -> None:
    """Send one object."""
    send(channel, json.dumps(message).encode(), deadline)


def receive_json(channel: socket.socket, deadline: float | None = None) -> JsonObject:
    """Wait for one object. JSON, never pickle: a hostile file may control the parser."""
    try:
        message = json.loads(receive(channel, deadline))
    except ValueError as error:
        raise Ended("a message is no JSON") from error
    if not isinstance(message, dict):
        raise Ended("a message is no object")
    return message


def _read(channel: socket.socket, length: int, deadline: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        _until(channel, deadline)
        try:
            part = channel.recv(min(length - len(parts), 1 << 20))
        except TimeoutError:
            raise
        except OSError as error:
            raise Ended from error
        if not part:
            raise Ended
        parts += part
    return bytes(parts)


def _until(channel: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        channel.settimeout(None)
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    channel.settimeout(left)
