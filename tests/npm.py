"""Packages from npm that tests use, fetched once a machine into `build/`."""

import fcntl
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.skips import Lacking, program, skip

BUILD: Final = Path(__file__).parents[1] / "build"


def install(folder: Path, packages: Sequence[str], lacking: Lacking) -> None:
    """Fill `folder/node_modules`; without npm or these packages the test is skipped, in CI it fails."""
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    done = subprocess.run([program(Lacking.NPM), "install", *options, *packages], capture_output=True, text=True)
    if done.returncode:
        skip(lacking, f"npm could not fetch {', '.join(packages)}: {done.stderr.strip()[-300:]}")


def modules(name: str, packages: Sequence[str], lacking: Lacking) -> Path:
    """The folder `node_modules` with these packages, made when it is not there yet."""
    target, unfinished = BUILD / "npm" / name, BUILD / "npm" / f"{name}.new"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            install(unfinished, packages, lacking)
            unfinished.rename(target)
    return target / "node_modules"
