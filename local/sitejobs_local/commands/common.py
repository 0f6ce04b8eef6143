"""What several commands share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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

    return Console(stderr=True)


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
