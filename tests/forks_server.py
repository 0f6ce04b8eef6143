"""The process that `tests.forks` forks environments from: imports, listens, forks, tells how each ended.

Usage: forks_server.py SOCKET LAMBDA_WORKER. It ends with its standard input.
"""

import array
import gc
import importlib
import importlib.util
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from typing import Any, Final

IMPORTED: Final = (
    *(
        "asyncio",
        "decimal",
        "email.message",
        "http.client",
        "logging",
        "ssl",
        "threading",
        "urllib.request",
        "zoneinfo",
    ),
    *("aws_lambda_powertools", "aws_lambda_powertools.metrics", "aws_lambda_powertools.utilities.typing", "boto3"),
    *("botocore.config", "psycopg", "psycopg.types.json", "pydantic", "regex"),
    # Of the bundle what reads no variables.
    *("sitejobs.catalog", "sitejobs.workflows.catalog", "sitejobs.postgres.connection", "sitejobs.jobs.runs"),
    *("sitejobs.jobs.keyed", "sitejobs.jobs.retries", "sitejobs.jobs.row_security", "sitejobs.jobs.tables"),
    # The jobs, and numpy with them: in one thread, as a fork leaves no other.
    *("sitejobs.feed.affinity", "sitejobs.feed.content_features", "sitejobs.feed.feed_presort"),
    *("sitejobs.feed.trending", "sitejobs.matching.compatibility.job", "sitejobs.matching.match_model.job"),
    *("sitejobs.matching.match_scores.job", "sitejobs.media.uploads", "sitejobs.search.profile_search_index"),
    *("sitejobs.search.searchable_user", "sitejobs.traits.build_user_traits", "sitejobs.traits.user_interest_sets"),
)
NUMBER_BYTES: Final = 8


class Child:
    """A forked process, and the connection over which its end is told; closed by its starter, who then knows it."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.connection = connection
        self.told = False

    def tell(self) -> None:
        """Tell its exit status once it has ended, without waiting for it: its id is kept until that is known."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is not None and not self.told:
            self.told = True
            status = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            _send_number(self.connection, status)

    def forget(self) -> None:
        """Wait for it: its starter knows how it ended, or is gone."""
        self.connection.close()
        os.waitpid(self.pid, 0)


def main(path: str, worker_file: str) -> None:
    spec = importlib.util.spec_from_file_location("lambda_worker", worker_file)
    assert spec is not None
    assert spec.loader is not None
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    for name in IMPORTED:
        importlib.import_module(name)
    # The first client imports what the others need as well.
    boto3 = importlib.import_module("boto3")
    boto3.session.Session("none", "none", region_name="us-east-1").client("s3")
    gc.collect()
    gc.freeze()
    ended, notify = socket.socketpair()
    for end in (ended, notify):
        end.setblocking(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(notify.fileno(), warn_on_full_buffer=False)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    os.write(1, b"1")
    serve(worker, listener, ended)


def serve(worker: Any, listener: socket.socket, ended: socket.socket) -> None:
    """Fork for whoever connects, until standard input ends."""
    children: dict[int, Child] = {}
    with selectors.DefaultSelector() as selector:
        for source in (0, ended, listener):
            selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == 0:
                    return
                if key.fileobj is listener:
                    child = fork(worker, listener.accept()[0])
                    children[child.pid] = child
                    selector.register(child.connection, selectors.EVENT_READ, child)
                elif key.fileobj is ended:
                    ended.recv(4096)
                else:
                    selector.unregister(key.fileobj)
                    children.pop(key.data.pid).forget()
            for child in children.values():
                child.tell()


def fork(worker: Any, connection: socket.socket) -> Child:
    header, ancillary, _, _ = connection.recvmsg(NUMBER_BYTES, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    files = array.array("i")
    files.frombytes(ancillary[0][2])
    request = connection.recv(int.from_bytes(header, "big"), socket.MSG_WAITALL)
    begun, begin = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(begin)
        become(worker, json.loads(request), *files)
    os.close(begin)
    os.read(begun, 1)  # whoever knows its id kills the group of that id: there must be one, or it lives on
    for file in (begun, *files):
        os.close(file)
    _send_number(connection, pid)
    return Child(pid, connection)


def become(worker: Any, request: list[Any], channel: int, lifeline: int, log: int) -> None:
    """In the new process: what `subprocess` and Python's start do, and the worker. Never returns."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(log, stream)
        first = 3
        for kept in sorted((channel, lifeline)):
            os.closerange(first, kept)
            first = kept + 1
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))
        arguments, folder, variables = request
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        time.tzset()
        sys.argv[:] = [worker.__file__, *arguments]
        worker.main([str(channel), str(lifeline), *arguments])
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _send_number(connection: socket.socket, number: int) -> None:
    with suppress(OSError):  # its starter is gone, which the closed connection tells
        connection.sendall(number.to_bytes(NUMBER_BYTES, "big", signed=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
