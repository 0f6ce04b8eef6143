"""The folder of an embedded PostgreSQL: its paths, its locks and its log."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUPERUSER = "postgres"
# PostgreSQL on macOS refuses a locale it does not know; LC_ALL=C exists everywhere.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class PostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be used; the message says why and what to do."""


class DatabaseInUse(PostgresError):
    """Refused because other processes are using the embedded PostgreSQL."""


@dataclass(frozen=True)
class Cluster:
    """The paths of one embedded PostgreSQL, all inside `folder`."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def unfinished(self) -> Path:
        """The folder of initdb, renamed to `data` when complete: a killed initdb leaves no partial data."""
        return self.folder / "data.new"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def previous_log(self) -> Path:
        return self.folder / "server.log.old"

    @property
    def socket_link(self) -> Path:
        """A file that holds the path of the folder of the server's socket."""
        return self.folder / "socket-folder"

    @property
    def clients_lock(self) -> Path:
        """Held shared by every client while it lives, exclusively by a stopping supervisor or a reset."""
        return self.folder / "clients.lock"

    @property
    def start_lock(self) -> Path:
        """Held by the one client that starts, joins or removes the server."""
        return self.folder / "start.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor while it lives."""
        return self.folder / "supervisor.lock"

    @property
    def server_lock(self) -> Path:
        """Held by the server and all its processes. When it is free, none of them is left."""
        return self.folder / "server.lock"


def lock(path: Path, kind: int) -> int | None:
    """Take a lock; returns its descriptor, whose closing frees it. None if it is taken and `kind` has LOCK_NB."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PostgresError(f"cannot open {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise PostgresError(
            f"cannot lock {path}: {error.strerror}; set SITEJOBS_HOME to a folder on a local disk"
        ) from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def try_lock(path: Path) -> int | None:
    return lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)


def alone_or_refused(clients: Path, take: Callable[[Path, int], int | None] = lock) -> int | None:
    """Take the clients' lock for ourselves; None while a supervisor has it, who is stopping the server.

    take : opens and locks, as `lock` does.

    Raises DatabaseInUse beside clients.
    """
    alone = take(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if alone is not None:
        return alone
    # Shared it can be had beside clients, but not beside a supervisor.
    shared = take(clients, fcntl.LOCK_SH | fcntl.LOCK_NB)
    if shared is None:
        return None
    os.close(shared)
    alone = take(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)  # to be had now if it was a supervisor's, who has ended since
    if alone is None:
        raise DatabaseInUse(
            f"the database in {clients.parent} is in use: end the other sitejobs commands and shells first"
        )
    return alone


@contextmanager
def locked(path: Path, kind: int) -> Iterator[None]:
    """Holds the lock inside the block; waits for it first."""
    descriptor = lock(path, kind)
    assert descriptor is not None, "a lock without LOCK_NB is waited for"
    try:
        yield
    finally:
        os.close(descriptor)


def tail(text: str, lines: int = 20) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def log_tail(cluster: Cluster) -> str:
    try:
        text = cluster.log.read_text(errors="replace")
    except OSError as error:
        return f"    (no log in {cluster.log}: {error.strerror})"
    return f"the end of {cluster.log}:\n{tail(text)}"
