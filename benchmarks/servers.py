"""The server of a benchmark's site: the embedded one, or one of other programs, such as a PostgreSQL built with lz4."""

import os
import shutil
import signal
import subprocess
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from sitejobs_local.database.accounts import make_socket_folder, run_as, server_account
from sitejobs_local.database.cluster import ENVIRONMENT, SUPERUSER, Cluster, PostgresError, log_tail
from sitejobs_local.database.postgres import SETTINGS, running_postgres

_START_SECONDS = 60
_LOCALE = ("--encoding", "UTF8", "--locale", "C", "--lc-ctype", "C.UTF-8")


def programs(given: str) -> Path:
    """The folder of a PostgreSQL's programs, as an option names it."""
    folder = Path(given)
    missing = [name for name in ("postgres", "initdb") if not (folder / name).is_file()]
    if missing:
        raise ArgumentTypeError(f"{given} has no {' and no '.join(missing)}: name the folder of PostgreSQL's programs")
    return folder


@contextmanager
def running_server(home: Path, folder: Path | None) -> Iterator[str]:
    """The address of a server with its data in `home`, stopped at the end.

    `folder`: that of its `postgres` and `initdb`, which every user can reach; None: the embedded ones.
    """
    if folder is None:
        with running_postgres(home) as server:
            yield server.url
        return
    cluster = Cluster(home)
    account = server_account(cluster)
    command = (str(folder / "initdb"), "-D", str(cluster.data), "-U", SUPERUSER, "-A", "trust", "-N", *_LOCALE)
    if not cluster.data.exists():
        cluster.data.mkdir(mode=0o700)
        if account is not None:
            os.chown(cluster.data, account.uid, account.gid)
        subprocess.run(command, check=True, capture_output=True, cwd="/", env=ENVIRONMENT, **run_as(account))
    sockets = make_socket_folder(account)
    settings = SETTINGS | {"unix_socket_directories": str(sockets)}
    given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with cluster.log.open("ab") as log:
        process = subprocess.Popen(
            (str(folder / "postgres"), "-D", str(cluster.data), *given),
            **{"stdout": log, "stderr": log, "cwd": "/", "env": ENVIRONMENT, **run_as(account)},
        )
    try:
        url = f"postgresql://{SUPERUSER}@/postgres?host={sockets}&port={SETTINGS['port']}"
        _wait(url, process, cluster)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        shutil.rmtree(sockets, ignore_errors=True)


def _wait(url: str, process: "subprocess.Popen[bytes]", cluster: Cluster) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    raise PostgresError(f"PostgreSQL does not start: {log_tail(cluster)}")
