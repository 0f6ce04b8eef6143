"""`sitejobs population`: a synthetic site in an empty database."""

import os
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import doing, has_users, output

if TYPE_CHECKING:
    from psycopg import Connection

    from sitejobs_local.database.target import Target

LARGEST_SITE = 5_000_000


@click.command(short_help="fill an empty database with a synthetic site")
@click.option("--users", metavar="<n>", type=click.IntRange(1, LARGEST_SITE), default=2000, show_default=True)
@click.option(
    "--seed",
    metavar="<n>",
    type=click.IntRange(0, 2**63 - 1),
    default=1,
    show_default=True,
    help="another seed: another site",
)
@click.option(
    "--date",
    metavar="<yyyy-mm-dd>",
    type=click.DateTime(["%Y-%m-%d"]),
    help="the day on which the site stands; ages and activity are as of it  [default: today, UTC]",
)
@click.option("--replace", is_flag=True, help="in the place of a synthetic site, with all that jobs computed of it")
@click.option("--database", metavar="<name>", help="with --replace and DATABASE_URL: the name of its database")
def population(users: int, seed: int, date: datetime | None, replace: bool, database: str | None) -> None:
    """Fill an empty database with a synthetic site: people in cities of different sizes with ages, preferences, traits,
    quizzes, interests, ratings and blocks, their posts and whose they like. The same users, seed and date give the same
    site.
    """
    from sitejobs_local.database.target import open_target

    with open_target(os.environ) as target:
        if replace and not target.embedded:
            _require_named(target, database)
        fill(target, users, seed, date, replace=replace)


def _require_named(target: "Target", database: str | None) -> None:
    """A database of one's own is emptied only if its name is said.

    Raises
    ------
    InvalidInput : it was not said, or another one was.
    """
    with target.connect() as connection:
        name = connection.info.dbname
    if database != name:
        said = f"not {database!r}" if database else "say it"
        raise InvalidInput(f"--replace empties {target.label}: it goes with --database={name}, {said}")


def fill(target: "Target", users: int, seed: int, date: datetime | None = None, *, replace: bool = False) -> None:
    """Make a synthetic site of `users` in the database, and say what it holds."""
    from sitejobs_local.database.target import prepare_for_population
    from sitejobs_local.population import generate, load
    from sitejobs_local.population.replacing import require_made_here

    day = date.date() if date else datetime.now(UTC).date()
    with target.connect() as connection:
        prepare_for_population(target, connection)
        there = has_users(connection)
        if there and not replace:
            raise InvalidInput(f"{target.label} already holds a site{_instead(target, connection)}")
        if there:
            require_made_here(connection)
        with doing(f"making a site of {users:,} users"):
            made = generate(users, seed, datetime.combine(day, time(), UTC))
        with doing("loading it into the database") as update:

            def show(table: str, written: int, total: int) -> None:
                update(f"loading {table}: {written:,} of {total:,} rows")

            rows = load(connection, made, show, replace=there)
    _print_rows(rows)


def _instead(target: "Target", connection: "Connection") -> str:
    """What to do about a site that is there already."""
    from sitejobs_local.population.replacing import made_here

    if made_here(connection):
        named = "" if target.embedded else f" --database={connection.info.dbname}"
        return f": `sitejobs population --replace{named}` puts another in its place"
    return ": `sitejobs db reset` deletes it" if target.embedded else "; a synthetic one goes into an empty database"


def _print_rows(rows: dict[str, int]) -> None:
    from rich.table import Table

    table = Table(title="the site", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    output().print(table)
