"""The command line as a process of its own, as people start it."""

import os
import subprocess
import sys
from collections.abc import Mapping

from tests.limits import PATIENCE_S

PROGRAM = (sys.executable, "-m", "sitejobs_local.cli")


def environment(**variables: str) -> dict[str, str]:
    """This environment without what points commands at a database, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "PG", "SITEJOBS_"))}
    return {**kept, "COLUMNS": "120", **variables}


def sitejobs(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run a command line to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=environment() if env is None else dict(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
