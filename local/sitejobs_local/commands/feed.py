"""`sitejobs feed`: the first segment of a user's feed, as a person would see it."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import output, prepared, print_json
from sitejobs_local.commands.existing import require_user
from sitejobs_local.terminal import harmless

if TYPE_CHECKING:
    from psycopg import Connection
    from rich.console import Console
    from rich.panel import Panel

JOB = "feed-presort"
GRID = 3
_FIRST = """
SELECT "items", "computedAt", "expiresAt" FROM "FeedPresorted" WHERE "userId" = %s AND "segmentIndex" = 0
"""
_STATE = """SELECT "computedAt", "skipped" FROM "FeedPresortedUser" WHERE "userId" = %s"""
_STYLES = {"highlight": "magenta", "post": "cyan", "suggestion": "green", "grid": "green", "question": "yellow"}

Card = dict[str, Any]


@click.command(short_help="a user's feed, in the terminal or as a page")
@click.option(
    "--userId", "user_id", metavar="<n>", type=click.IntRange(-(2**63), 2**63 - 1), required=True, help="whose feed"
)
@click.option(
    "--html", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="write a page instead of cards"
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object on stdout")
def feed(user_id: int, html: Path | None, as_json: bool) -> None:
    """Show the first segment of a user's feed as it was stored."""
    with prepared(JOB) as (_, connection):
        require_user(connection, user_id)
        row = connection.execute(_FIRST, [user_id]).fetchone()
        if row is None:
            raise InvalidInput(_why_none(connection, user_id))
    cards, computed, expires = row
    note = f"{len(cards)} cards of {computed:%Y-%m-%d %H:%M} UTC, until {expires:%H:%M}"
    if as_json:
        print_json({"userId": user_id, "computedAt": computed, "expiresAt": expires, "cards": cards})
    elif html is None:
        show(output(), user_id, cards, note)
    if html is not None:
        _write(html, user_id, cards, note, silent=as_json)


def _write(html: Path, user_id: int, cards: Sequence[Card], note: str, *, silent: bool) -> None:
    from sitejobs_local.feed_page import page

    try:
        html.write_text(page(user_id, cards, note), encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--html: {html} cannot be written: {error.strerror}") from None
    click.echo(f"{html}: {note}", err=silent)


def show(console: "Console", user_id: int, cards: Sequence[Card], note: str) -> None:
    """Print cards, those of a grid beside each other."""
    from rich.table import Table

    console.print(f"feed of user {user_id}: {note}", highlight=False)
    for is_grid, group in groupby(cards, key=lambda card: card["presentation"] == "grid"):
        panels = [_panel(card) for card in group]
        rows = [panels[at : at + GRID] for at in range(0, len(panels), GRID)] if is_grid else [[it] for it in panels]
        for row in rows:
            table = Table.grid(expand=True)
            for _ in row:
                table.add_column(ratio=1)
            table.add_row(*row)
            console.print(table)


def _panel(card: Card) -> "Panel":
    from rich.panel import Panel
    from rich.text import Text

    from sitejobs_local.feed_page import meta

    author = card.get("author") or {}
    lines = [card.get("preview") or "", *(f"( ) {option['label']}" for option in card.get("options") or ())]
    text = Text(harmless("\n".join(filter(None, lines))))
    text.append(("\n" if text else "") + harmless(" · ".join(meta(card))), style="dim")
    title = Text(harmless(author.get("name") or "(no name)")) if author else None
    return Panel(text, title=title, title_align="left", border_style=_STYLES.get(card["presentation"], ""))


def _why_none(connection: "Connection", user_id: int) -> str:
    state = connection.execute(_STATE, [user_id]).fetchone()
    if state is None:
        return f"user {user_id} has no feed: `sitejobs {JOB} --userId={user_id}` computes it"
    computed, skipped = state
    if skipped is None:
        return f"the feed of user {user_id} has been cleaned up: `sitejobs {JOB} --userId={user_id}` computes it anew"
    return f"user {user_id} has no feed, as of {computed:%Y-%m-%d %H:%M} UTC: {skipped}"
