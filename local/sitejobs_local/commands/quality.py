"""`sitejobs quality`: whether a model earns its place, on decisions that it had not seen."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import output, prepared

if TYPE_CHECKING:
    from psycopg import Connection
    from rich.console import Console

    from sitejobs_local.quality.words import Report

JOBS = ["match-model", "match-quality"]
_NEWEST_RUN: LiteralString = """
SELECT r."id", r."job", to_char(r."startedAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS "at",
       r."context" -> 'quality' AS "quality", m."status"
FROM "JobRun" r LEFT JOIN "MatchModel" m ON m."id" = (r."context" -> 'quality' ->> 'model')::bigint
WHERE r."job" = ANY (%(jobs)s) AND r."status" = 'SUCCEEDED' AND r."context" ? 'quality'
ORDER BY r."id" DESC LIMIT 1
"""
"""Reads the figures of the newest run that has some, and what became of its model."""
_NEWEST_MODEL: LiteralString = """
SELECT "id", "status", to_char("trainedAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS "at", "figures", "reasons"
FROM "MatchModel" WHERE "figures" ? 'match' ORDER BY "id" DESC LIMIT 1
"""
"""Reads the figures of the newest model that has some: runs are removed after a while, models stay."""


@click.command(short_help="whether a learned model earns its place, in figures")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object on stdout")
@click.option(
    "--html", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="write a page with pictures"
)
def quality(as_json: bool, html: Path | None) -> None:
    """Show what the newest run of match-model or match-quality found: v1, v2 and popularity on decisions that the model
    had not seen, by group, whether chances hold, and who is shown.
    """
    from sitejobs_local.quality.words import headline

    with prepared() as (_, connection):
        report = newest(connection)
    if html is not None:
        _write(html, report)
        click.echo(f"{html}: {headline(report.figures)}", err=as_json)
    if as_json:
        click.echo(json.dumps(report.to_json(), ensure_ascii=False))
    elif html is None:
        from sitejobs_local.quality.tables import show

        show(output(), report)


def show_worth(console: "Console", connection: "Connection") -> None:
    """Print in two lines what the newest model is worth; nothing where there is none."""
    from sitejobs_local.quality.words import headline, verdict

    try:
        report = newest(connection)
    except InvalidInput:
        return
    for line in (verdict(report), headline(report.figures)):
        console.print(f"{line[0].upper()}{line[1:]}", markup=False, highlight=False)


def newest(connection: "Connection") -> "Report":
    """The newest figures.

    Raises
    ------
    InvalidInput : there are none.
    """
    from psycopg.rows import dict_row

    from sitejobs_local.quality.words import Report

    with connection.cursor(row_factory=dict_row) as cursor:
        run = cursor.execute(_NEWEST_RUN, {"jobs": JOBS}).fetchone()
        if run is not None:
            found = run["quality"]
            at = f"{run['at']} UTC"
            return Report(
                found["figures"],
                found["active"],
                found["reasons"],
                found["model"],
                run["status"],
                run["job"],
                run["id"],
                at,
            )
        model = cursor.execute(_NEWEST_MODEL).fetchone()
    if model is None:
        raise InvalidInput("no model was checked yet: `sitejobs match-model` trains one and checks it")
    reasons = list(model["reasons"])
    at = f"{model['at']} UTC"
    return Report(model["figures"], not reasons, reasons, model["id"], model["status"], JOBS[0], None, at)


def _write(target: Path, report: "Report") -> None:
    from sitejobs_local.quality.page import page

    try:
        target.write_text(page(report), encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--html: {target} cannot be written: {error.strerror}") from None
