"""Servers that speak just enough of PostgreSQL's protocol to refuse a login, as real ones and poolers do."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

REFUSED: Final = "28000"
NOT_SUPPORTED: Final = "0A000"
# What a client asks before its startup packet: encryption by TLS, by GSSAPI.
_ENCRYPTION_REQUESTS: Final = (80877103, 80877104)

Startup = dict[str, str]
Refusal = Callable[[Startup], str | None]


@contextmanager
def gatekeeper(refusal: Refusal, socket_path: str) -> Iterator[int]:
    """A server on a loopback port (the context's value) before the one of `socket_path`.

    `refusal` is asked about each startup packet: its text is the server's answer, None lets the client through.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, refusal, socket_path), daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _serve(listener: socket.socket, refusal: Refusal, socket_path: str) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_meet, args=(client, refusal, socket_path), daemon=True).start()


def _meet(client: socket.socket, refusal: Refusal, socket_path: str) -> None:
    with client, suppress(OSError, EOFError):
        packet = _startup(client)
        text = refusal(_parameters(packet))
        if text is not None:
            client.sendall(_error(text))
            return
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(socket_path)
            server.sendall(packet)
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join(10)


def _startup(client: socket.socket) -> bytes:
    while True:
        header = _exactly(client, 8)
        size, code = struct.unpack("!ii", header)
        if code not in _ENCRYPTION_REQUESTS:
            return header + _exactly(client, size - 8)
        client.sendall(b"N")


def _parameters(packet: bytes) -> Startup:
    words = [word.decode() for word in packet[8:].split(b"\0")]
    return {name: value for name, value in zip(words[::2], words[1::2], strict=False) if name}


def _error(text: str) -> bytes:
    code = NOT_SUPPORTED if "not supported" in text else REFUSED
    body = b"".join(kind + value.encode() + b"\0" for kind, value in ((b"S", "FATAL"), (b"C", code), (b"M", text)))
    return b"E" + struct.pack("!i", len(body) + 5) + body + b"\0"


def _exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = peer.recv(size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
