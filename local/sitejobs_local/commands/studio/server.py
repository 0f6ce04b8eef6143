"""The page's server: http.server of the standard library, since a page and seven answers need no framework.

It listens on loopback only. A page from elsewhere cannot ask it: requests must name this address as their host (against
DNS rebinding), come from the page itself, and carry the key that only the printed address has (against other users of
the machine).
"""

import base64
import hashlib
import hmac
import math
import secrets
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import psycopg

from sitejobs.errors import InvalidInput, SitejobsError
from sitejobs.options import id_to_json
from sitejobs.postgres.connection import describe
from sitejobs_local.commands.common import as_json
from sitejobs_local.commands.studio.answers import ANSWERS
from sitejobs_local.quality.page import STYLE

if TYPE_CHECKING:
    from sitejobs_local.commands.studio.reader import Reader

LOOPBACK: Final = "127.0.0.1"
KEY: Final = "X-Studio-Key"
LONGEST: Final = 2000
"""Most characters of a request's path and query."""

_FOLDER: Final = Path(__file__).with_name("page")
_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/studio.js": ("studio.js", "text/javascript; charset=utf-8"),
    "/studio.css": ("studio.css", "text/css; charset=utf-8"),
}
_STYLE_OF_QUALITY: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS: Final = {
    # Scripts and styles are the page's own files. The style of the figures' frame is named by its hash.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:;"
        f" style-src 'self' 'sha256-{_STYLE_OF_QUALITY}';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types quality"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Server(ThreadingHTTPServer):
    """The server, and the key that its requests must carry."""

    daemon_threads = True

    def __init__(self, port: int, reader: "Reader") -> None:
        self.key = secrets.token_urlsafe(24)
        super().__init__((LOOPBACK, port), partial(_Handler, reader, self.key))

    @property
    def address(self) -> str:
        """Where a browser finds the page. What follows the # is never sent."""
        return f"http://{LOOPBACK}:{self.server_port}/#key={self.key}"


def serve(port: int, reader: "Reader") -> Server:
    """A server that listens already. `serve_forever` answers.

    Raises
    ------
    OSError : the port cannot be used.
    """
    return Server(port, reader)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server_version, sys_version = "studio", ""
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds without a word from a browser

    def __init__(self, reader: "Reader", key: str, *arguments: Any) -> None:
        self._reader, self._key = reader, key
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer, or say why not."""
        refused = self._refused()
        if refused is not None:
            self._send_json(HTTPStatus.FORBIDDEN, {"error": refused})
            return
        asked = urlsplit(self.path)
        if asked.path in _FILES:
            name, kind = _FILES[asked.path]
            self._send(HTTPStatus.OK, kind, (_FOLDER / name).read_bytes())
        elif asked.path not in ANSWERS:
            self._send_json(HTTPStatus.NOT_FOUND, {"error": "there is no such page"})
        elif not hmac.compare_digest(self.headers.get(KEY, "").encode(), self._key.encode()):
            self._send_json(HTTPStatus.UNAUTHORIZED, {"error": "open the address that `sitejobs studio` printed"})
        else:
            self._send_json(*self._answer(asked.path, dict(parse_qsl(asked.query))))

    def _answer(self, path: str, asked: dict[str, str]) -> tuple[HTTPStatus, Any]:
        try:
            return HTTPStatus.OK, ANSWERS[path](self._reader, asked)
        except InvalidInput as error:
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except SitejobsError as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)}
        except psycopg.errors.QueryCanceled:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the database took too long to answer"}
        except psycopg.Error as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"error": f"the database refused: {describe(error)}"}

    def _refused(self) -> str | None:
        """Why a request is not for us."""
        assert isinstance(self.server, Server)
        port = self.server.server_port
        hosts = {f"{name}:{port}" for name in (LOOPBACK, "localhost")}
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            return "this page answers to its own address only"
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return "requests of other pages are refused"
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and self.path != "/":
            return "requests of other pages are refused"
        return "the address is too long" if len(self.path) > LONGEST else None

    def _send_json(self, status: HTTPStatus, found: Any) -> None:
        self._send(status, "application/json; charset=utf-8", as_json(_exact(found)).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
        """Requests name users: they are not logged."""


def _exact(found: Any) -> Any:
    """The same with large ids as text, since JavaScript would round them, and with null for what is no number."""
    if isinstance(found, dict):
        return {name: _exact(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [_exact(value) for value in found]
    if isinstance(found, int) and not isinstance(found, bool):
        return id_to_json(found)
    return None if isinstance(found, float) and not math.isfinite(found) else found
