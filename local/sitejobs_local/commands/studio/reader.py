"""The studio's database session: one connection for all requests, which cannot write."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import psycopg

if TYPE_CHECKING:
    from sitejobs.postgres.shared_session import SessionConnection
    from sitejobs_local.database.target import Target

LIMIT = "SET LOCAL statement_timeout = '10s'"
"""A page that a person waits for; a question that takes longer must not burden the site's database."""


class Reader:
    """Lends the connection to one request at a time; opens it anew once it is lost."""

    def __init__(self, target: "Target") -> None:
        self.target = target
        self._lock = threading.Lock()
        self._connection: SessionConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def session(self) -> Iterator["SessionConnection"]:
        """The connection; each of its transactions is read-only."""
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = self._opened()
            try:
                yield self._connection
            except psycopg.OperationalError:
                self._connection.close()
                raise

    @contextmanager
    def moment(self) -> Iterator["SessionConnection"]:
        """The connection in a transaction of limited time."""
        with self.session() as connection, connection.transaction():
            connection.execute(LIMIT)
            yield connection

    def _opened(self) -> "SessionConnection":
        connection = self.target.connect()
        connection.read_only = True  # every BEGIN says so, through a pooler too
        if not connection.shared:  # and so does what has no BEGIN; a shared session must not keep it
            connection.execute("SET default_transaction_read_only = on")
        return connection
