"""`sitejobs population`: a synthetic site in an empty database."""

import os
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import has_users, notes, output

if TYPE_CHECKING:
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
def population(users: int, seed: int, date: datetime | None) -> None:
    """Fill an empty database with a synthetic site: people in cities of different sizes with ages, preferences, traits,
    quizzes, interests, ratings and blocks, their posts and whose they like. The same users, seed and date give the same
    site.
    """
    from sitejobs_local.database.target import open_target

    with open_target(os.environ) as target:
        fill(target, users, seed, date)


def fill(target: "Target", users: int, seed: int, date: datetime | None = None) -> None:
    """Make a synthetic site of `users` in the database, and say what it holds."""
    from sitejobs_local.database.target import prepare_for_population
    from sitejobs_local.population import generate, load

    day = date.date() if date else datetime.now(UTC).date()
    with target.connect() as connection:
        prepare_for_population(target, connection)
        if has_users(connection):
            hint = ": `sitejobs db reset` deletes it" if target.embedded else ""
            raise InvalidInput(
                f"{target.label} already holds a site{hint}; a synthetic one goes into an empty database"
            )
        with notes().status(f"making a site of {users:,} users"):
            made = generate(users, seed, datetime.combine(day, time(), UTC))
        with notes().status("loading it into the database") as status:

            def show(table: str, written: int, total: int) -> None:
                status.update(f"loading {table}: {written:,} of {total:,} rows")

            rows = load(connection, made, show)
    _print_rows(rows)


def _print_rows(rows: dict[str, int]) -> None:
    from rich.table import Table

    table = Table(title="the site", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    output().print(table)
