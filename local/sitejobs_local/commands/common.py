"""What several commands share."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sitejobs_local.terminal import escaped

if TYPE_CHECKING:
    from psycopg import Connection
    from rich.console import Console

    from sitejobs_local.database.target import Target

_HAS_USERS = 'SELECT EXISTS (SELECT FROM "User")'
POPULATE = "sitejobs population --users 2000"


def output() -> "Console":
    """Results: stdout."""
    from rich.console import Console

    return Console()


def notes() -> "Console":
    """Progress and remarks: stderr, so that stdout can be handed on."""
    from rich.console import Console

    # Colours may be asked for in a log (FORCE_COLOR); what moves the cursor would spoil it.
    return Console(stderr=True, force_interactive=None if sys.stderr.isatty() else False)


@contextmanager
def doing(what: str) -> Iterator[Callable[[str], None]]:
    """Say what is done while the block runs: in a terminal as long as it is, elsewhere in a line. The function that
    the block gets changes what a terminal shows."""
    console = notes()
    if not console.is_interactive:
        console.print(what, markup=False, highlight=False)
        yield lambda text: None
        return
    with console.status(what) as status:
        yield status.update


def print_json(found: Any) -> None:
    """The one JSON document of a command: stdout has nothing else. Times are ISO 8601 in UTC."""
    click.echo(as_json(found))


def as_json(found: Any) -> str:
    """One JSON document. Times are ISO 8601 in UTC."""
    return escaped(json.dumps(found, ensure_ascii=False, allow_nan=False, default=_time))


def _time(value: Any) -> str:
    from datetime import UTC

    return str(value.astimezone(UTC).isoformat())


@contextmanager
def prepared(*jobs: str) -> Iterator[tuple["Target", "Connection"]]:
    """The database of this environment with the tables of `jobs` in it, and a connection to it."""
    from sitejobs_local.database.target import open_target, prepare

    with open_target(os.environ) as target, target.connect() as connection:
        prepare(target, connection, jobs)
        yield target, connection


def has_users(connection: "Connection") -> bool:
    """Whether the site has any user."""
    row = connection.execute(_HAS_USERS).fetchone()
    return row is not None and bool(row[0])


def note_if_empty(target: "Target", connection: "Connection") -> None:
    """Print a note if the site has no users."""
    if not has_users(connection):
        notes().print(f"{target.label} has no users: `{POPULATE}` makes some", markup=False, highlight=False)
