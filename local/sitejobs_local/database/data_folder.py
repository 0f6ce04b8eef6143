"""The server's data folder: created by initdb, and checked for the version that made it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
from pathlib import Path

from sitejobs_local.database.accounts import Account, run_as
from sitejobs_local.database.binaries import WHEEL
from sitejobs_local.database.cluster import ENVIRONMENT, SUPERUSER, Cluster, PostgresError, tail

# The builtin provider sorts and folds case alike on every machine, whatever locales are installed.
INITDB_OPTIONS = (
    *("--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
    "--no-sync",  # a power cut just after the creation loses nothing: there is no data yet
    "--no-data-checksums",  # 5 % of a bulk COPY
    "--no-instructions",
)


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
