"""The account that runs the server when this process is root, and the folders that this account must reach."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitejobs_local.database.cluster import ENVIRONMENT, Cluster, PostgresError

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 103  # bytes: macOS allows 103, Linux 107


@dataclass(frozen=True)
class Account:
    """The user that runs the server when this process is root: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


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
    """The account that runs the server: None for the present user; as root the data's owner, or `nobody` if new."""
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
        # To libpq a comma ends a host's name.
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
