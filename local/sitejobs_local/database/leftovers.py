"""What a crash leaves behind: a stale pid file, and processes of a server that has lost its supervisor."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any

from sitejobs_local.database.cluster import Cluster, PostgresError, try_lock


def forget_crashed_server(cluster: Cluster) -> None:
    """Removes the pid file of a server that was killed; call it with `server_lock` held.

    PostgreSQL takes any process that has got the same number since (likely after a reboot) for a running server and
    refuses to start. The lock says for certain that no process of ours is left.
    """
    pid_file = cluster.data / "postmaster.pid"
    if not pid_file.exists():
        return
    if _processes(cluster):
        raise PostgresError(f"a server that was started by other means runs in {cluster.data}: stop it first")
    pid_file.unlink()


def end_leftovers(cluster: Cluster, limit_s: float = 10.0) -> int:
    """Ends processes of a server that nobody supervises and returns the descriptor of the then free server lock."""
    import psutil

    end = time.monotonic() + limit_s
    number = signal.SIGQUIT  # immediate shutdown: frees the shared memory; the write-ahead log keeps data safe
    while True:
        descriptor = try_lock(cluster.server_lock)
        if descriptor is not None:
            return descriptor
        if time.monotonic() > end:
            raise PostgresError(f"processes of an earlier server still hold {cluster.server_lock}: end them first")
        leftovers = _processes(cluster)
        for process in leftovers:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        psutil.wait_procs(leftovers, timeout=2.0)
        if not leftovers:
            time.sleep(0.05)
        number = signal.SIGKILL


def postmaster_pid(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().splitlines()[0])


def _processes(cluster: Cluster) -> list[Any]:
    """The psutil.Process objects of this cluster, found by working folder: process titles and groups do not name it."""
    import psutil

    folders = {os.path.realpath(cluster.data), os.path.realpath(cluster.unfinished)}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() in ("postgres", "initdb") and process.cwd() in folders:
                found.append(process)
    return found
