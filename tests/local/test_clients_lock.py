"""The lock that every client of an embedded database shares, and a supervisor has alone while it stops the server."""

import fcntl
import os
from pathlib import Path

import pytest

from sitejobs_local.database.cluster import DatabaseInUse, alone_or_refused, lock, try_lock


@pytest.fixture
def clients(tmp_path: Path) -> Path:
    return tmp_path / "clients.lock"


def test_it_is_had_alone_when_nobody_has_it(clients: Path) -> None:
    alone = alone_or_refused(clients)
    assert alone is not None
    assert try_lock(clients) is None
    os.close(alone)


def test_beside_a_client_the_folder_in_use_is_named(clients: Path) -> None:
    client = lock(clients, fcntl.LOCK_SH)
    assert client is not None
    with pytest.raises(DatabaseInUse, match=f"the database in {clients.parent} is in use"):
        alone_or_refused(clients)
    os.close(client)


def test_a_supervisor_is_waited_for(clients: Path) -> None:
    supervisor = try_lock(clients)
    assert supervisor is not None
    assert alone_or_refused(clients) is None
    os.close(supervisor)


def test_a_supervisor_that_ends_at_that_moment_is_no_client(clients: Path) -> None:
    supervisor = try_lock(clients)
    assert supervisor is not None
    tried: list[int] = []

    def take(path: Path, kind: int) -> int | None:
        if len(tried) == 1:
            os.close(supervisor)
        tried.append(kind)
        return lock(path, kind)

    alone = alone_or_refused(clients, take)
    assert alone is not None
    os.close(alone)
