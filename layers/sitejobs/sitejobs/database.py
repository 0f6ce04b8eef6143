"""One PostgreSQL connection an execution environment: made lazily, checked before use, kept between calls.

Nothing here needs a session of its own where a pooler hands them out: settings travel in the startup packet, no
statement is prepared, no temporary table is made.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict

from sitejobs.errors import DatabaseFailure, InvalidInput, Transient

# Failures that a later try can survive: lost or refused connections, restarts, too many clients, and two
# transactions in each other's way.
TRANSIENT_ERRORS: tuple[type[psycopg.Error], ...] = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    pg.SerializationFailure,
    pg.DeadlockDetected,
)
# OperationalErrors all the same that no retry mends.
PERMANENT_ERRORS: tuple[type[psycopg.Error], ...] = (
    pg.InvalidPassword,
    pg.InvalidAuthorizationSpecification,
    pg.InvalidCatalogName,
    pg.QueryCanceled,
    pg.DiskFull,
    pg.OutOfMemory,
)
_NO_OPTIONS_TAKEN = "support command-line options"
"""What RDS Proxy says of a startup packet with options."""

# libpq reports a refused login without an SQLSTATE: only its text tells it from a lost connection.
_PERMANENT_CONNECT_TEXTS = (
    "password authentication failed",
    "PAM authentication failed",  # RDS, of a token of IAM
    "IAM authentication failed",  # RDS Proxy
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "unsupported startup parameter",
    _NO_OPTIONS_TAKEN,
)


def connect(url: str, *, search_path: str | None = None, statement_timeout_ms: int | None = None) -> psycopg.Connection:
    """Open a connection that speaks UTC.

    Parameters
    ----------
    url : libpq connection string or URI.
    search_path : schemas to look in first, comma separated; the server's default when None.
    statement_timeout_ms : server-side limit of one statement, in milliseconds; none when None.

    Raises
    ------
    psycopg.OperationalError : the server cannot be reached or refuses the login.
    """
    settings = {"TimeZone": "UTC"}
    if search_path:
        settings["search_path"] = search_path
    if statement_timeout_ms is not None:
        settings["statement_timeout"] = str(int(statement_timeout_ms))
    try:
        return _connect(url, settings)
    except psycopg.OperationalError as error:
        if _NO_OPTIONS_TAKEN not in str(error):
            raise
    connection = _connect(url, {})
    for name, value in settings.items():
        # The proxy keeps one server connection for this session from here on: no worse than no proxy.
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    return connection


def _connect(url: str, settings: Mapping[str, str]) -> psycopg.Connection:
    """Connect with server settings in the startup packet, after those of the URL (or PGOPTIONS): the last one holds."""
    given = conninfo_to_dict(url)
    options = [str(given.get("options") or os.environ.get("PGOPTIONS", ""))]
    for name, value in settings.items():
        options.append(f"-c {name}=" + value.replace("\\", "\\\\").replace(" ", "\\ "))
    return psycopg.connect(
        url,
        autocommit=True,
        prepare_threshold=None,
        connect_timeout=given.get("connect_timeout", 10),
        options=" ".join(filter(None, options)),
    )


class Database:
    """The one connection of an execution environment, opened on first use and reopened once it is lost.

    `url` may be a function that reads it from where it is kept: it is asked again once a login is refused, since a
    password may have been changed meanwhile. With `renewed` it is asked for every connection: what it holds opens
    connections for some minutes only.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        *,
        renewed: bool = False,
        search_path: str | None = None,
        statement_timeout_ms: int | None = None,
    ) -> None:
        self._read_url = url if callable(url) else lambda: url
        self._renewed = renewed
        self._url: str | None = None
        self._search_path = search_path
        self._statement_timeout_ms = statement_timeout_ms
        self._connection: psycopg.Connection | None = None

    def connection(self) -> psycopg.Connection:
        """A connection in autocommit mode that answered just now."""
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                self.close()
        if self._connection is None or self._connection.closed:
            self._connection = self._login()
        return self._connection

    def _login(self) -> psycopg.Connection:
        if self._renewed:
            return self._connect(self._read_url())
        known, self._url = self._url, self._url or self._read_url()
        try:
            return self._connect(self._url)
        except psycopg.OperationalError as error:
            if known is None or is_transient(error) or (current := self._read_url()) == known:
                raise
            self._url = current
        return self._connect(self._url)

    def _connect(self, url: str) -> psycopg.Connection:
        return connect(url, search_path=self._search_path, statement_timeout_ms=self._statement_timeout_ms)

    def close(self) -> None:
        """Close the connection, if there is one; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn psycopg's errors into the two kinds a state machine knows: `Transient` and permanent ones.

    Only the class and the SQLSTATE are passed on: the server's messages may quote a row.
    """
    try:
        yield
    except psycopg.Error as error:
        text = describe(error)
        if is_transient(error):
            raise Transient(text) from error
        if isinstance(error, pg.UndefinedTable | pg.UndefinedColumn | pg.InsufficientPrivilege):
            raise InvalidInput(f"{text}; `sitejobs check` lists what the database lacks") from error
        raise DatabaseFailure(text) from error


def is_transient(error: psycopg.Error) -> bool:
    """Whether the same call may succeed when tried again later."""
    if isinstance(error, PERMANENT_ERRORS):
        return False
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return not any(text in str(error) for text in _PERMANENT_CONNECT_TEXTS)
    return isinstance(error, TRANSIENT_ERRORS)


def describe(error: psycopg.Error) -> str:
    """Name an error without quoting data: its class, SQLSTATE, and the object it concerns.

    The message of schema errors (classes 42 and 3D) names objects only, so it is kept.
    """
    parts = [type(error).__name__]
    if error.sqlstate:
        parts.append(f"SQLSTATE {error.sqlstate}")
        if error.sqlstate[:2] in ("42", "3D", "28") and error.diag.message_primary:
            parts.append(error.diag.message_primary)
    elif isinstance(error, psycopg.OperationalError):
        parts.append(_connect_reason(str(error)))
    return ": ".join(parts)


def _connect_reason(text: str) -> str:
    """The part of libpq's connection error that says why, without the address."""
    for known in (
        *_PERMANENT_CONNECT_TEXTS,
        "Connection refused",
        "timeout",
        "could not translate host name",
    ):
        if known in text:
            return known
    return "connection lost or not made"
