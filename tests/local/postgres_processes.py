"""Other processes that use an embedded PostgreSQL, and a look at the server's own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import psycopg

from sitejobs_local.database.postgres import Server
from tests.limits import PATIENCE_S

# Says where the server is, then stays a client until its standard input ends.
CLIENT = """
import json, sys
from pathlib import Path
from sitejobs_local.database.postgres import running_postgres
with running_postgres(Path(sys.argv[1])) as server:
    print(json.dumps([server.url, str(server.data_dir), str(server.socket_dir)]), flush=True)
    sys.stdin.read()
"""


class Client:
    """Another process that uses the server of a home."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ},
            start_new_session=True,  # a terminal of its own, so to speak
        )

    def server(self) -> Server:
        assert self.process.stdout is not None
        url, data, socket = json.loads(self.process.stdout.readline())
        return Server(url, Path(data), Path(socket))

    def end(self, number: int = signal.SIGKILL) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        self.process.communicate()


def postmaster(server: Server) -> psutil.Process:
    return psutil.Process(int((server.data_dir / "postmaster.pid").read_text().split()[0]))


def supervisor(server: Server) -> psutil.Process:
    found = postmaster(server).parent()
    assert found is not None and "database/supervisor.py" in " ".join(found.cmdline())
    return found


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end, f"not within {PATIENCE_S} s"
        time.sleep(0.01)


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(processes: Sequence[psutil.Process]) -> None:
    wait_until(lambda: not any(runs(process) for process in processes))


def family(server: Server) -> list[psutil.Process]:
    """The supervisor, the server and all the server's processes."""
    return [supervisor(server), *supervisor(server).children(recursive=True)]


def execute(server: Server, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
