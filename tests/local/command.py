"""The command line as a process of its own, as people start it.

`sitejobs` forks that process from one that has imported what most commands and moto import, which is most of its CPU
time. numpy is left out, since it starts threads, which a fork does not take along. `PROGRAM` starts a Python of its
own, and so does an environment that Python reads before it imports.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests import forks
from tests.limits import PATIENCE_S

PROGRAM = (sys.executable, "-m", "sitejobs_local.cli")
IMPORTED: Final = [
    *("sitejobs_local.cli", "sitejobs_local.commands.jobs", "sitejobs_local.commands.listing"),
    *("sitejobs_local.commands.media", "sitejobs_local.commands.workflows"),
    *("sitejobs_local.aws.local_aws", "sitejobs_local.aws.machine", "sitejobs_local.aws.queue_sources"),
    *("sitejobs_local.aws.media_files", "sitejobs_local.aws.work_files", "sitejobs_local.runs.runner"),
    *("sitejobs_local.runs.report", "sitejobs_local.database.migrations", "sitejobs_local.database.postgres"),
    *("sitejobs.schema.check", "sitejobs.workflows.catalog", "sitejobs.handlers.tuning", "sitejobs.media.rules"),
    *("sitejobs.search.searchable_user", "rich.console", "rich.table", "rich._emoji_codes"),
    *("moto.s3.responses", "moto.s3.urls", "moto.stepfunctions.responses", "moto.stepfunctions.urls"),
    *("tests.local.warm", "tests.forks"),
]
READ_AT_START: Final = ("PYTHON", "LC_", "LANG", "MOTO_", "POWERTOOLS_", "TZ")

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(IMPORTED)


def environment(**variables: str) -> dict[str, str]:
    """This environment without what points commands at a database, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "PG", "SITEJOBS_"))}
    return {**kept, "COLUMNS": "120", **variables}


def sitejobs(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run a command line to its end."""
    variables = environment() if env is None else dict(env)
    if any(name.startswith(READ_AT_START) for name in dict(variables.items() ^ os.environ.items())):
        return subprocess.run(
            [*PROGRAM, *arguments],
            env=variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    with tempfile.TemporaryDirectory() as folder:
        return _fork(arguments, variables, stdin, Path(folder))


def _fork(
    arguments: tuple[str, ...], variables: dict[str, str], stdin: str, folder: Path
) -> "subprocess.CompletedProcess[str]":
    given, output, errors = (folder / name for name in ("stdin", "stdout", "stderr"))
    given.write_text(stdin)
    command = (arguments, variables, Path.cwd(), (given, output, errors), forks.address())
    process = _FORKS.Process(target=_run, args=command)
    process.start()
    process.join(PATIENCE_S)
    if process.exitcode is None:
        process.kill()
        raise subprocess.TimeoutExpired(arguments, PATIENCE_S)
    return subprocess.CompletedProcess(arguments, process.exitcode, output.read_text(), errors.read_text())


def _run(
    arguments: tuple[str, ...], variables: dict[str, str], cwd: Path, streams: tuple[Path, Path, Path], address: str
) -> None:
    """In the new process: what the shell does before a program starts, and the program."""
    given, output, errors = streams
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, descriptor in enumerate((os.open(given, os.O_RDONLY), os.open(output, flags), os.open(errors, flags))):
        os.dup2(descriptor, number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    forks.use(address)
    from sitejobs_local.cli import main

    sys.exit(main(arguments))
