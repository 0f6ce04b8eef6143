"""Watches over one embedded PostgreSQL and stops it once nobody uses it.

Run as a script by `sitejobs_local.database.postgres`, never imported: `python -I -S supervisor.py PLAN`, PLAN being
JSON. It uses the standard library alone, so that it starts in a few hundredths of a second.

A client holds a shared lock on the clients' file for as long as it lives; the operating system gives the lock back
however the client ends. This process takes the exclusive one when it can, and then stops the server.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

POLL_S = 0.1
FAST_STOP_LIMIT_S = 60.0  # a fast shutdown writes a checkpoint: seconds after a bulk load on a slow disk
IMMEDIATE_STOP_LIMIT_S = 5.0


class Postmaster:
    """The server's main process: our child, or one that a killed supervisor left behind (`adopted`)."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        if plan["adopted"] is not None:
            self.pid = int(plan["adopted"])
            return
        lock = int(plan["server_lock"])
        # In a session of its own: Ctrl-C in the terminal of the client that started it must not reach it.
        # The server and all its processes keep the lock's descriptor: the lock is free when the last has gone.
        self._child = subprocess.Popen(  # noqa: S603 - the wheel's postgres
            plan["command"],
            stdin=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            pass_fds=[lock],
            **plan["account"],
        )
        os.close(lock)
        self.pid = self._child.pid

    def alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self) -> None:
        """Ends all sessions and shuts down: fast, then immediate, then by SIGKILL, each after a time limit."""
        for number, limit in ((signal.SIGINT, FAST_STOP_LIMIT_S), (signal.SIGQUIT, IMMEDIATE_STOP_LIMIT_S)):
            self._signal(number)
            if self._gone_within(limit):
                return
        self._signal(signal.SIGKILL)
        self._gone_within(IMMEDIATE_STOP_LIMIT_S)

    def _signal(self, number: int) -> None:
        if self.alive():
            os.kill(self.pid, number)

    def _gone_within(self, limit_s: float) -> bool:
        end = time.monotonic() + limit_s
        while self.alive():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True


def supervise(plan: dict[str, Any]) -> int:
    """Returns once the server has gone: 0 when this process stopped it, 1 when it ended by itself."""
    asked_to_stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked_to_stop.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    clients = os.open(plan["clients_lock"], os.O_RDWR | os.O_CLOEXEC)
    postmaster = Postmaster(plan)
    while postmaster.alive():
        if asked_to_stop or nobody_holds(clients):
            postmaster.stop()
            remove_socket_folder(plan["socket_folder"])
            return 0
        time.sleep(POLL_S)
    return 1


def nobody_holds(clients: int) -> bool:
    """Try to take the exclusive lock. Once taken it is kept: a new client waits until the server has stopped."""
    try:
        fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_socket_folder(folder: str) -> None:
    try:
        os.rmdir(folder)  # noqa: PTH106 - pathlib would double the time this script takes to start
    except OSError as error:
        print(f"left the folder {folder}: {error.strerror}", file=sys.stderr)  # noqa: T201 - into the server's log


def main() -> None:
    if os.fork():
        os._exit(0)  # the client waits for this process only; the supervisor goes on as an orphan and leaves no zombie
    sys.exit(supervise(json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
