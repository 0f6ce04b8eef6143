"""A connection whose server session others may share: behind RDS Proxy or PgBouncer nothing may outlive a transaction.

Settings that the pooler did not hand on are set with SET LOCAL at the beginning of each transaction. After a plain SET,
RDS Proxy would keep the session for this client, and PgBouncer would give it to the next one with our settings.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.abc import Params, Query
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from sitejobs.errors import InvalidInput

_SCHEMA = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,"]*))\s*(?:,|$)')
"""One name of a search path: quoted, or folded to lower case."""


class SessionCursor(psycopg.Cursor[Any]):
    """Runs a statement outside a transaction in one of its own, where the connection has settings for it."""

    def execute(
        self, query: Any, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        with _own_transaction(self.connection):
            return super().execute(query, params, prepare=prepare, binary=binary)

    @contextmanager
    def copy(self, statement: Query, params: Params | None = None, *, writer: Any = None) -> Iterator[psycopg.Copy]:
        with _own_transaction(self.connection), super().copy(statement, params, writer=writer) as copy:
            yield copy


class SessionConnection(psycopg.Connection[TupleRow]):
    """In autocommit mode. `share` makes it one that sets everything for each transaction anew."""

    _local: sql.Composed | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cursor_factory = SessionCursor

    def share(self, settings: Mapping[str, str]) -> None:
        """Begin every transaction with these settings, by name; none touches the session."""
        self._local = set_local(settings)

    @property
    def shared(self) -> bool:
        """Whether the settings are set for each transaction."""
        return self._local is not None

    @property
    def needs_transaction(self) -> bool:
        return self.shared and self.info.transaction_status == TransactionStatus.IDLE

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        local = self._local if self.needs_transaction else None
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if local is not None:
                # No query: the transaction's isolation may still be set after it.
                psycopg.Cursor(self).execute(local)
            yield transaction


def _own_transaction(connection: psycopg.Connection[Any]) -> AbstractContextManager[Any]:
    if isinstance(connection, SessionConnection) and connection.needs_transaction:
        return connection.transaction()
    return nullcontext()


def set_local(settings: Mapping[str, str]) -> sql.Composed:
    """The statements that set these for one transaction."""
    return sql.SQL("; ").join(_set_local(name, value) for name, value in settings.items())


def _set_local(name: str, value: str) -> sql.Composable:
    if name == "search_path":
        values = sql.SQL(", ").join(map(sql.Literal, schemas_of(value)))
    else:
        values = sql.Composed([sql.Literal(value)])
    return sql.SQL("SET LOCAL {} TO {}").format(sql.Identifier(name), values)


def schemas_of(search_path: str) -> list[str]:
    """The names in a search path, as PostgreSQL reads them: `Site, "My Data"` are site and My Data.

    Raises
    ------
    InvalidInput : it is no search path.
    """
    names, at = [], 0
    while at < len(search_path):
        found = _SCHEMA.match(search_path, at)
        quoted, bare = found.groups() if found else (None, "")
        name = bare.strip().lower() if quoted is None else quoted.replace('""', '"')
        if found is None or not name:
            raise InvalidInput(
                f"{search_path!r} is no search path: it lists schemas, comma separated, and"
                ' names with capitals or other characters in double quotes: site,"My Data"'
            )
        names.append(name)
        at = found.end()
    if search_path.rstrip().endswith(","):
        raise InvalidInput(f"{search_path!r} is no search path: it ends with a comma")
    return names
