"""One PostgreSQL connection for each execution environment: made lazily, checked before use, kept between calls.

It works behind a pooler (RDS Proxy, PgBouncer), since nothing relies on session state: settings are sent in the startup
packet or set for one transaction, no statement is prepared, no temporary table is made.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict

from sitejobs.errors import DatabaseFailure, InvalidInput, NotMigrated, Transient
from sitejobs.postgres import search_path as paths
from sitejobs.postgres.address import Address, read_address
from sitejobs.postgres.reasons import NO_OPTIONS_TAKEN, UNKNOWN, reason_of
from sitejobs.postgres.shared_session import SessionConnection, schemas_of

# Failures after which a retry may succeed: lost or refused connections, restarts, too many clients, a server that is
# read-only during a failover, and transactions that conflict.
TRANSIENT_ERRORS: tuple[type[psycopg.Error], ...] = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    pg.SerializationFailure,
    pg.DeadlockDetected,
    pg.ReadOnlySqlTransaction,
    pg.IdleInTransactionSessionTimeout,
)
# OperationalErrors too, but a retry does not help.
PERMANENT_ERRORS: tuple[type[psycopg.Error], ...] = (
    pg.InvalidPassword,
    pg.InvalidAuthorizationSpecification,
    pg.InvalidCatalogName,
    pg.QueryCanceled,
    pg.DiskFull,
    pg.OutOfMemory,
)

SESSION_SETTINGS: Final = {
    # Output formats of times, bytes and numbers: a database or a role may have set others, which psycopg cannot read.
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    # How the server parses our statements and values.
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
}
ENCODING: Final = "UTF8"

# A host that vanished does not answer: sending and waiting then fail after about 25 s, a new connection after 10 s for
# each address. Together that is less than any function's time limit (a test compares them). Shorter limits would fail
# on a healthy server that waits for a lock while a page is copied: it receives nothing for a while, too.
TIMEOUTS: Final = {
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 5,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}
_OF_ENVIRONMENT: Final = {
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "host": "PGHOST",
}
"""Connection parameters and libpq's environment variables for them."""

_FIRST_TABLES: Final = re.compile('"(?:JobRun|MediaMetadata)"')
"""The bundle's tables that every function asks for first."""
# The source "client" is the startup packet of this very connection. Any other may be that of a session which a pooler
# lends, as it was left by somebody else or made by ALTER ROLE: the next transaction may get another one.
_READ_OTHERS: Final[LiteralString] = """
SELECT given."name", now."setting"
FROM unnest(%s::text[], %s::text[]) AS given ("name", "value")
LEFT JOIN pg_catalog.pg_settings AS now ON lower(now."name") = lower(given."name")
WHERE now."setting" IS DISTINCT FROM given."value" OR now."source" <> 'client'
"""
_TAKES_NO_WRITES: Final[LiteralString] = (
    "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean"
)


def connect(
    url: str,
    *,
    search_path: str | None = None,
    first_schema: str | None = None,
    statement_timeout_ms: int | None = None,
) -> SessionConnection:
    """Open a connection that speaks UTC, UTF-8 and ISO dates, whatever the database's own settings are.

    If the URL names several hosts and not which one it wants, the one that accepts writes is used.

    Parameters
    ----------
    url : the database's address, as `read_address` takes it; its own timeouts are kept.
    search_path : schemas to look in first, comma separated; when None those that the address names, else the server's.
    first_schema : where neither names any: a schema in front of those that the role or database has.
    statement_timeout_ms : server-side limit of one statement, in milliseconds; the server's own when None.

    Raises
    ------
    psycopg.OperationalError : the server cannot be reached or refuses the login.
    InvalidInput : the address cannot be taken, or the database's encoding is not UTF8.
    """
    address = read_address(url)
    schemas_of(search_path or "")  # a session that shares others' would drop what is no path
    search_path = search_path or address.search_path
    if search_path is not None or first_schema is None:
        return _opened(address, _settings(search_path, statement_timeout_ms))
    given = paths.of_options(os.environ.get("PGOPTIONS", ""))
    guess = paths.path_of(given or paths.SERVERS_OWN, first_schema)
    connection = _opened(address, _settings(guess, statement_timeout_ms))
    try:
        now, own = paths.configured(connection) if given is None else (guess, None)
        if own is None or schemas_of(now) == schemas_of(paths.path_of(own, first_schema)):
            return connection
        settings = _settings(paths.path_of(own, first_schema), statement_timeout_ms)
        if connection.shared:
            _share_unless_settled(connection, settings)
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return _opened(address, settings)


def _opened(address: Address, settings: Mapping[str, str]) -> SessionConnection:
    try:
        connection = _connect(address.conninfo, settings)
    except psycopg.OperationalError as error:
        if not any(text in str(error) for text in NO_OPTIONS_TAKEN):
            raise
        connection = _connect(address.conninfo, {})
    try:
        _check_encoding(connection)
        _share_unless_settled(connection, settings)
    except BaseException:
        connection.close()
        raise
    return connection


def _settings(search_path: str | None, statement_timeout_ms: int | None) -> dict[str, str]:
    settings = dict(SESSION_SETTINGS)
    if search_path:
        settings["search_path"] = search_path
    if statement_timeout_ms is not None:
        settings["statement_timeout"] = str(int(statement_timeout_ms))
    return settings


def _connect(url: str, settings: Mapping[str, str]) -> SessionConnection:
    """Connect with server settings in the startup packet, after those of the URL (or PGOPTIONS): the last one wins."""
    given = conninfo_to_dict(url)
    options = [str(given.get("options") or os.environ.get("PGOPTIONS", ""))]
    for name, value in settings.items():
        options.append(f"-c {name}=" + value.replace("\\", "\\\\").replace(" ", "\\ "))
    return SessionConnection.connect(
        url,
        autocommit=True,
        prepare_threshold=None,
        client_encoding=ENCODING,
        options=" ".join(filter(None, options)),
        **_defaults(given),
    )


def _defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """Our defaults of connection parameters, unless the URL or the environment sets them."""
    environment = {name: value for name, variable in _OF_ENVIRONMENT.items() if (value := os.environ.get(variable))}
    known = environment | {name: value for name, value in given.items() if value is not None}
    wanted: dict[str, Any] = dict(TIMEOUTS)
    if "," in str(known.get("host") or known.get("hostaddr") or ""):
        wanted["target_session_attrs"] = "read-write"
    return {name: value for name, value in wanted.items() if name not in known} | {
        name: value for name, value in environment.items() if name in wanted and name not in given
    }


def _check_encoding(connection: psycopg.Connection) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in (None, ENCODING):
        raise InvalidInput(
            f"the database's encoding is {encoding} and must be {ENCODING}: make one with"
            f" CREATE DATABASE ... ENCODING '{ENCODING}' TEMPLATE template0, and move the data with pg_dump and psql"
        )


def _share_unless_settled(connection: SessionConnection, settings: Mapping[str, str]) -> None:
    """Behind a pooler, which refuses the options of the startup packet or drops them, set them for each transaction.

    Raises
    ------
    InvalidInput : they do not hold there, either.
    """
    wanted = {**settings, "client_encoding": ENCODING}
    parameters = [list(wanted), list(wanted.values())]
    if not connection.execute(_READ_OTHERS, parameters).fetchall():
        return
    connection.share(wanted)
    now = connection.execute(_READ_OTHERS, parameters).fetchall()
    lost = [name for name, value in now if value != wanted[name] and not _same_path(name, value, wanted[name])]
    if lost:
        raise InvalidInput(f"what lies before the database drops settings of a transaction: {', '.join(lost)}")


def _same_path(name: str, one: str | None, other: str) -> bool:
    return name == "search_path" and schemas_of(one or "") == schemas_of(other)


class Database:
    """The one connection of an execution environment, opened on first use and reopened once it is lost.

    `url` may be a function. It is called again when a login is refused, since the password may have been changed; with
    `renewed` before every connection, because its IAM token expires after minutes.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        *,
        renewed: bool = False,
        search_path: str | None = None,
        first_schema: str | None = None,
        statement_timeout_ms: int | None = None,
    ) -> None:
        self._read_url = url if callable(url) else lambda: url
        self._renewed = renewed
        self._url: str | None = None
        self._session: dict[str, Any] = {
            "search_path": search_path,
            "first_schema": first_schema,
            "statement_timeout_ms": statement_timeout_ms,
        }
        self._connection: psycopg.Connection | None = None

    def connection(self) -> psycopg.Connection:
        """A connection in autocommit mode, just checked, to a server that accepts writes.

        Raises
        ------
        psycopg.OperationalError : the server cannot be reached or refuses the login.
        Transient : the server is read-only now.
        """
        if self._connection is not None and not _is_good(self._connection):
            self.close()
        if self._connection is None or self._connection.closed:
            self._connection = self._login()
            if _takes_no_writes(self._connection):
                # The session would stay read-only when the database accepts writes again.
                self.close()
                raise Transient("the database is read-only: a standby, or in the middle of a failover")
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
        return connect(url, **self._session)

    def close(self) -> None:
        """Close the connection, if there is one; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _is_good(connection: psycopg.Connection) -> bool:
    try:
        return not _takes_no_writes(connection)
    except psycopg.Error:
        return False


def _takes_no_writes(connection: psycopg.Connection) -> bool:
    row = connection.execute(_TAKES_NO_WRITES).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn psycopg's errors into those of `sitejobs.errors`: `Transient`, or permanent ones.

    Only the class, the SQLSTATE and a known reason are passed on: the server's messages may quote a row.
    """
    try:
        yield
    except psycopg.Error as error:
        text = describe(error)
        if is_transient(error):
            raise Transient(text) from error
        if isinstance(error, pg.UndefinedTable) and _FIRST_TABLES.search(error.diag.message_primary or ""):
            raise NotMigrated(
                f"{text}: run `sitejobs db migrate`; if it was, the search path lacks its schema"
            ) from error
        if isinstance(error, pg.UndefinedTable | pg.UndefinedColumn | pg.InsufficientPrivilege):
            raise InvalidInput(f"{text}; `sitejobs check` lists what the database lacks") from error
        raise DatabaseFailure(text) from error


def is_transient(error: psycopg.Error) -> bool:
    """Whether the same call may succeed when tried again later."""
    if isinstance(error, PERMANENT_ERRORS):
        return False
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08")[:2] == "08":
        # A refused login has no SQLSTATE, or that of a protocol violation from PgBouncer.
        reason = reason_of(str(error))
        return reason is None or reason.passes
    return isinstance(error, TRANSIENT_ERRORS)


def describe(error: psycopg.Error) -> str:
    """Name an error without quoting data: its class, SQLSTATE, and the object or reason it concerns.

    The message of schema errors (classes 42 and 3D) names objects only, so it is kept.
    """
    parts = [type(error).__name__]
    if error.sqlstate:
        parts.append(f"SQLSTATE {error.sqlstate}")
    if (error.sqlstate or "")[:2] in ("42", "3D", "28") and error.diag.message_primary:
        parts.append(error.diag.message_primary)
    elif error.sqlstate is None or error.sqlstate[:2] in ("08", "25", "53", "57"):
        reason = reason_of(str(error))
        if reason is not None:
            parts.append(reason.phrase)
        elif error.sqlstate is None and isinstance(error, psycopg.OperationalError):
            parts.append(UNKNOWN)
    return ": ".join(parts)
