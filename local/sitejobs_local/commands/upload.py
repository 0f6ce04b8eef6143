"""Put files into the local media bucket and show what the upload trigger makes of them."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import notes, output, prepared
from sitejobs_local.commands.values import OneOf

if TYPE_CHECKING:
    from rich.console import Console

    from sitejobs_local.tables import Row
    from sitejobs_local.uploads import Uploaded

JOB = "media-metadata"
_COLOURS = {"READY": "green", "REJECTED": "yellow", "FAILED_PROCESSING": "red"}


@click.command(short_help="files into the local media bucket: their verdicts")
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--type",
    "given_type",
    type=OneOf("the kind of a file", lambda: ("IMAGE", "VIDEO", "AUDIO")),
    help="what the record claims",
)
@click.option("--userId", "user_id", type=click.IntRange(min=1), help="the owner; the first user when left out")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object a file on stdout")
def upload(paths: Sequence[str], given_type: str | None, user_id: int | None, as_json: bool) -> int:
    """Upload files, or all files of folders, as a site's users do.

    Each gets a Media record and goes into the local media bucket; the bucket's event, the queue and the function do
    the rest. Exit status: 0 when each has a verdict, whatever it says; 1 when one has none.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from sitejobs.media.rules import read_rules
    from sitejobs_local.runs.runner import workshop_of
    from sitejobs_local.uploads import files_in, owner_of
    from sitejobs_local.uploads import upload as upload_files

    read_rules(os.environ)  # a wrong MEDIA_ setting is reported before anything is uploaded
    files = files_in([Path(path) for path in paths])
    if not files:
        raise InvalidInput("there is no file in what was named")
    with prepared(JOB) as (target, connection):
        workshop = workshop_of(target, os.environ, "upload")
        owner, console = owner_of(connection, user_id), notes()
        if not console.is_interactive and not as_json:
            console.print(f"uploading, then waiting for the verdicts: {len(files):,}", highlight=False)
        columns = (TextColumn("upload"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as bar:
            task = bar.add_task("upload", total=len(files))
            done = upload_files(
                files,
                given_type=given_type,
                owner=owner,
                target=target,
                connection=connection,
                workshop=workshop,
                environ=os.environ,
                on_done=lambda count: bar.advance(task, count),
            )
    if not as_json:
        _print(output(), done)
    for one in done if as_json else ():
        click.echo(json.dumps(_as_json(one)))
    return 0 if all(one.verdict for one in done) else 1


def _as_json(one: "Uploaded") -> dict[str, object]:
    return {
        "file": str(one.file),
        "mediaId": one.media_id,
        "verdict": one.verdict,
        "reasons": list(one.reasons),
        "format": one.format,
        "width": one.width,
        "height": one.height,
        "durationMs": one.duration_ms,
        "sizeBytes": one.size,
        "playable": one.playable,
        "problem": one.problem,
    }


def _print(console: "Console", done: "Sequence[Uploaded]") -> None:
    from sitejobs_local.tables import print_rows

    names = ("media", "verdict", "format", "pixels", "seconds", "plays", "file")
    print_rows(console, names, map(_row, done), numbers=("media", "seconds"))


def _row(one: "Uploaded") -> "Row":
    from sitejobs_local.tables import Row
    from sitejobs_local.uploads import shown

    verdict = one.verdict or ("no verdict yet" if one.problem is None else "not uploaded")
    cells = (
        "" if one.media_id is None else str(one.media_id),
        verdict,
        one.format or "",
        f"{one.width} x {one.height}" if one.width else "",
        "" if one.duration_ms is None else f"{one.duration_ms / 1000:,.1f}",
        "" if one.playable is None else "yes" if one.playable else "no",
        shown(one.file),
    )
    why = one.problem or "; ".join(reason["detail"] for reason in one.reasons)
    return Row(cells, why, {1: _COLOURS.get(verdict, "red")})
