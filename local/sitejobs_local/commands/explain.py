"""`sitejobs explain`: what the jobs know of one user, and when each computed it."""

from typing import TYPE_CHECKING, Any

import click

from sitejobs.options import MAX_ID, MIN_ID
from sitejobs_local.commands.common import output, prepared, print_json
from sitejobs_local.terminal import harmless

if TYPE_CHECKING:
    from rich.console import Console

JOB = "match-scores"
"""Whose tables must be there; what of the others is not there yet is told as not computed."""


@click.command(short_help="what the jobs know of one user")
@click.option("--userId", "user_id", metavar="<n>", type=click.IntRange(MIN_ID, MAX_ID), required=True, help="who")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object on stdout")
def explain(user_id: int, as_json: bool) -> None:
    """Show what is stored of one user: whether it may be found or why not, traits, interests, matches, compatibility,
    affinity and feed, next to when each was computed. Nothing is computed and nothing is written.
    """
    from sitejobs_local.commands.knowledge import read_user

    with prepared(JOB) as (_, connection):
        found = read_user(connection, user_id)
    if as_json:
        print_json(found)
    else:
        show(output(), found)


def show(console: "Console", found: dict[str, Any]) -> None:
    """Print a table: what, when, and what is known in words."""
    from rich.table import Table
    from rich.text import Text

    console.print(f"user {found['userId']}: {harmless(found['told'])}", markup=False, highlight=False)
    table = Table(show_lines=True)
    table.add_column("what", no_wrap=True)
    table.add_column("computed (UTC)", overflow="fold", max_width=16)
    table.add_column("what is known", overflow="fold", ratio=1)
    for name, known in found["known"].items():
        when = (known["computedAt"] or "").removesuffix("Z")[:16].replace("T", " ")
        table.add_row(name, when, Text(harmless("\n".join(known["told"]))))
    console.print(table)
