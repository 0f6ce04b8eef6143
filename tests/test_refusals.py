"""Logins that a real server refuses, and statements that it ends: the reason decides what is tried again."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sitejobs.errors import DatabaseFailure, SitejobsError, Transient
from sitejobs.postgres.connection import connect, translated_errors
from sitejobs.postgres.reasons import REASONS, reason_of
from tests.conftest import make_home
from tests.limits import PATIENCE_S
from tests.postgres_wire import gatekeeper, tls_of_localhost
from tests.servers import OLDEST, own_server, programs_of

CONNECTIONS = 6
ACCESS = """
local   all     postgres                trust
hostssl all     certified   0.0.0.0/0   trust clientcert=verify-ca
hostssl all     rejected    0.0.0.0/0   reject
hostssl all     peerless    0.0.0.0/0   ident
hostssl all     all         0.0.0.0/0   scram-sha-256
"""
ROLES = """
CREATE ROLE anna LOGIN PASSWORD 'right';
CREATE ROLE limited LOGIN PASSWORD 'right' CONNECTION LIMIT 0;
CREATE ROLE certified LOGIN; CREATE ROLE rejected LOGIN; CREATE ROLE peerless LOGIN PASSWORD 'right';
CREATE ROLE nologin PASSWORD 'right';
CREATE DATABASE closed; REVOKE CONNECT ON DATABASE closed FROM PUBLIC;
CREATE DATABASE shut ALLOW_CONNECTIONS false
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A server that insists on encryption and passwords, and has few connections."""
    home, folder = make_home(), tmp_path_factory.mktemp("authority")
    _, authority = tls_of_localhost(folder)

    def prepare(data: Path) -> None:
        for name in ("authority.pem", "key.pem"):
            copied = data / name
            shutil.copy(folder / name, copied)
            copied.chmod(0o600)
            os.chown(copied, data.stat().st_uid, data.stat().st_gid)

    settings = {
        "listen_addresses": "127.0.0.1",
        "ssl": "on",
        "ssl_cert_file": "authority.pem",
        "ssl_key_file": "key.pem",
        "ssl_ca_file": "authority.pem",
        "max_connections": str(CONNECTIONS),
        "superuser_reserved_connections": "1",
        "max_wal_senders": "0",
        "password_encryption": "scram-sha-256",
    }
    port = free_port()
    programs = programs_of(OLDEST)  # the embedded one cannot encrypt
    with own_server(home, programs=programs, settings=settings, access=ACCESS, prepare=prepare, port=port) as server:
        with psycopg.connect(server.url, autocommit=True) as administrator:
            for statement in ROLES.split(";"):
                administrator.execute(statement.encode())
        url = make_conninfo(
            host="localhost",
            port=port,
            user="anna",
            password="right",
            dbname="postgres",
            sslmode="verify-full",
            sslrootcert=str(authority),
            gssencmode="disable",
            hostaddr="127.0.0.1",
        )
        yield SimpleNamespace(server=server, url=url)
    shutil.rmtree(home)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def refused(url: str, **changes: str | int) -> SitejobsError:
    with pytest.raises(SitejobsError) as caught, translated_errors():
        connect(make_conninfo(url, **changes)).close()
    return caught.value


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"sslrootcert": "{other}"}, "certificate verify failed"),
        ({"sslrootcert": "system"}, "certificate verify failed"),
        ({"host": "127.0.0.1"}, "does not match host name"),
        ({"sslrootcert": "/nowhere/authority.pem"}, "root certificate file"),
        ({"sslrootcert": "system", "sslmode": "require"}, "weak sslmode"),
        ({"sslmode": "disable"}, "no pg_hba.conf entry"),
        ({"user": "rejected"}, "pg_hba.conf rejects connection"),
        ({"user": "certified"}, "requires a valid client certificate"),
        ({"user": "peerless"}, "authentication failed"),
        ({"password": "wrong"}, "password authentication failed"),
        ({"user": "nobody"}, "password authentication failed"),
        ({"password": ""}, "no password supplied"),
        ({"user": "nologin"}, "is not permitted to log in"),
        ({"dbname": "closed"}, "permission denied for database"),
        ({"dbname": "zebulon"}, "does not exist"),
        ({"options": "-c zebulon=1"}, "unrecognized configuration parameter"),
        ({"options": "-c work_mem=zebulon"}, "invalid value for parameter"),
        ({"options": "-c log_statement=all"}, "permission denied to set parameter"),
    ],
)
def test_what_is_configured_wrongly_is_told_and_final(
    guarded: SimpleNamespace, tmp_path: Path, changes: dict[str, str], phrase: str
) -> None:
    _, other = tls_of_localhost(tmp_path)
    error = refused(guarded.url, **{name: value.format(other=other) for name, value in changes.items()})
    assert isinstance(error, DatabaseFailure)
    assert str(error) == f"OperationalError: {phrase}"


def test_a_server_that_does_not_encrypt_where_it_must_is_a_final_error(guarded: SimpleNamespace) -> None:
    with gatekeeper(lambda startup: None, "") as port:
        error = refused(guarded.url, port=port)
    assert isinstance(error, DatabaseFailure)
    assert str(error) == "OperationalError: does not support SSL"


def connected(url: str) -> psycopg.Connection:
    """A connection as soon as the server has a place: it takes a moment to notice that others were closed."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return psycopg.connect(url)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def test_a_server_without_a_free_connection_may_be_asked_again(guarded: SimpleNamespace) -> None:
    with ExitStack() as held:
        for _ in range(CONNECTIONS - 1):
            held.enter_context(connected(guarded.server.url))
        error = refused(guarded.url)
        assert isinstance(error, Transient)
        assert str(error) == "OperationalError: remaining connection slots"
        held.enter_context(connected(guarded.server.url))
        error = refused(guarded.url)
        assert isinstance(error, Transient)
        assert str(error) == "OperationalError: too many clients already"
    connected(guarded.url).close()


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [({"user": "limited"}, "too many connections for"), ({"dbname": "shut"}, "not currently accepting connections")],
)
def test_what_is_closed_for_a_while_may_be_asked_again(
    guarded: SimpleNamespace, changes: dict[str, str], phrase: str
) -> None:
    error = refused(guarded.url, **changes)
    assert isinstance(error, Transient)
    assert str(error) == f"OperationalError: {phrase}"


# ---- statements that the server ends


def ended(connection: psycopg.Connection, statement: str) -> SitejobsError:
    with pytest.raises(SitejobsError) as caught, translated_errors():
        connection.execute(statement.encode())
    return caught.value


def test_a_statement_over_its_limit_is_told_from_one_that_somebody_cancelled(database_url: str) -> None:
    with connect(database_url, statement_timeout_ms=30) as connection:
        over = ended(connection, "SELECT pg_sleep(30)")
    with connect(database_url) as connection, connect(database_url) as other:
        cancel = threading.Timer(0.1, other.execute, ["SELECT pg_cancel_backend(%s)", [connection.info.backend_pid]])
        cancel.start()
        cancelled = ended(connection, "SELECT pg_sleep(30)")
        cancel.join()
    assert [type(over), type(cancelled)] == [DatabaseFailure, DatabaseFailure]
    assert str(over) == "QueryCanceled: SQLSTATE 57014: canceling statement due to statement timeout"
    assert str(cancelled) == "QueryCanceled: SQLSTATE 57014: canceling statement due to user request"


@pytest.mark.parametrize(
    ("limit", "expected", "state", "phrase"),
    [
        ("idle_in_transaction_session_timeout", Transient, "25P03", "idle-in-transaction timeout"),
        ("transaction_timeout", DatabaseFailure, "25P04", "transaction timeout"),
        ("idle_session_timeout", Transient, "57P05", "idle-session timeout"),
    ],
)
def test_a_session_that_waited_too_long_is_told(
    database_url: str, limit: str, expected: type[SitejobsError], state: str, phrase: str
) -> None:
    with connect(database_url) as connection, connect(database_url) as other:
        pid = connection.info.backend_pid
        connection.execute(f"SET {limit} = '20ms'".encode() + (b"" if limit == "idle_session_timeout" else b"; BEGIN"))
        while other.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone() is not None:
            pass
        error = ended(connection, "SELECT 1")
    assert type(error) is expected
    assert str(error).endswith(f": SQLSTATE {state}: terminating connection due to {phrase}")


def test_a_reason_that_quotes_a_row_is_its_phrase_alone(database_url: str) -> None:
    raising = "DO $$ BEGIN RAISE EXCEPTION 'Zebulon: read-only' USING ERRCODE = '25006'; END $$"
    with connect(database_url) as connection:
        assert str(ended(connection, raising)) == "ReadOnlySqlTransaction: SQLSTATE 25006: read-only"


# ---- of several attempts


def attempts(*lines: str) -> str:
    return "connection failed\nMultiple connection attempts failed. All failures were:\n" + "\n".join(lines)


def test_of_several_hosts_one_that_is_away_decides() -> None:
    wrong, away = "FATAL: password authentication failed", "Connection refused"
    two_hosts = attempts(f"- host: 'a', port: '1': {wrong}", f"- host: 'b', port: '1': {away}")
    two_addresses = attempts(f"- host: 'a', hostaddr: '::1': {away}", f"- host: 'a', hostaddr: '127.0.0.1': {wrong}")
    assert reason_of(two_hosts) is not None
    assert reason_of(two_hosts).passes  # type: ignore[union-attr]
    assert not reason_of(two_addresses).passes  # type: ignore[union-attr]


def test_no_phrase_is_hidden_by_one_that_stands_before_it() -> None:
    for at, reason in enumerate(REASONS):
        assert reason_of(reason.phrase) == reason, REASONS[:at]
