"""Servers that speak just enough of PostgreSQL's protocol to refuse a login, as real ones and poolers do."""

import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.limits import PATIENCE_S

REFUSED: Final = "28000"
NOT_SUPPORTED: Final = "0A000"
# What a client asks before its startup packet: encryption by TLS, by GSSAPI.
_TLS_REQUEST: Final = 80877103
_GSS_REQUEST: Final = 80877104

Startup = dict[str, str]
Refusal = Callable[[Startup], str | None]


@contextmanager
def gatekeeper(
    refusal: Refusal, socket_path: str, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """A server on a port (the context's value) of an address of this machine before the one of `socket_path`.

    `refusal` is asked about each startup packet: its text is the server's answer, None lets the client through. With
    `tls` the client may encrypt, and is asked for a password in clear, as RDS asks for tokens: `refusal` finds it as
    "password" beside the packet's own, and "tls" if it came encrypted.
    """
    with socket.create_server((address, 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, refusal, socket_path, tls), daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)


def tls_of_localhost(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server named localhost needs to encrypt, and the file of the authority that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, private = folder / "authority.pem", folder / "key.pem"
    authority.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    return context, authority


def _serve(listener: socket.socket, refusal: Refusal, socket_path: str, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_meet, args=(client, refusal, socket_path, tls), daemon=True).start()


def _meet(peer: socket.socket, refusal: Refusal, socket_path: str, tls: ssl.SSLContext | None) -> None:
    with peer, suppress(OSError, EOFError):
        client, packet = _startup(peer, tls)
        with client:
            startup = _parameters(packet)
            if tls is not None:
                startup["password"] = _password(client)
                startup |= {"tls": client.version() or ""} if isinstance(client, ssl.SSLSocket) else {}
            text = refusal(startup)
            if text is not None:
                client.sendall(_error(text))
                return
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(socket_path)
                server.sendall(packet)
                _pass_on(client, server)


def _startup(client: socket.socket, tls: ssl.SSLContext | None) -> tuple[socket.socket, bytes]:
    """The startup packet, and the socket for what follows."""
    while True:
        header = _exactly(client, 8)
        size, code = struct.unpack("!ii", header)
        if code == _TLS_REQUEST and tls is not None:
            client.sendall(b"S")
            client = tls.wrap_socket(client, server_side=True)
        elif code in (_TLS_REQUEST, _GSS_REQUEST):
            client.sendall(b"N")
        else:
            return client, header + _exactly(client, size - 8)


def _password(client: socket.socket) -> str:
    client.sendall(b"R" + struct.pack("!ii", 8, 3))  # AuthenticationCleartextPassword
    _, size = struct.unpack("!ci", _exactly(client, 5))
    return _exactly(client, size - 4).rstrip(b"\0").decode()


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


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    """Both ways until one of them ends; in one thread, since two must not use an encrypted socket."""
    while True:
        # What is decrypted already makes no socket readable.
        waiting = isinstance(client, ssl.SSLSocket) and client.pending() > 0
        ready = [client] if waiting else select.select([client, server], [], [])[0]
        for source in ready:
            chunk = source.recv(1 << 16)
            if not chunk:
                return
            (server if source is client else client).sendall(chunk)
