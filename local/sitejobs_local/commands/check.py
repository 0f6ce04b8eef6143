"""`sitejobs check`: what the database lacks, all of it at once, and how to mend each."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import notes, output

if TYPE_CHECKING:
    from rich.console import Console

    from sitejobs.schema.check import Finding, Report


_STDOUT = "-"

_NAMED = 6
"""Most things of one problem and one mend that are named."""


@click.command(short_help="what the database lacks, and how to mend it")
@click.option("--stack", metavar="<name>", help="as the functions of this stack on AWS see it, with buckets and queue")
@click.option(
    "--silence",
    metavar="<kinds>",
    default="",
    envvar="CHECK_SILENCE",
    help="leave out recommendations of these kinds (index, values, ...) or about these objects, comma separated",
)
@click.option(
    "--views",
    metavar="<file>",
    is_flag=False,
    flag_value=_STDOUT,
    help="write views for a site whose tables differ into this file, or print them, and do nothing else",
)
@click.option("--json", "as_json", is_flag=True, help="print the report as one JSON object")
def check(stack: str | None, silence: str, views: str | None, as_json: bool) -> int:
    """Compare the database with what the jobs need of it: tables or views, columns and their types, privileges of the
    role that connects, indexes, migrations. Nothing is changed. The exit status is 1 when a job could not run.
    """
    if views is not None:
        return _write_views(None if views == _STDOUT else Path(views), stack)
    report, label = _here() if stack is None else _there(stack)
    report = report.without([name.strip() for name in silence.split(",") if name.strip()])
    if as_json:
        click.echo(json.dumps({"ok": report.ok, **asdict(report)}))
    else:
        _print(output(), report, label)
    return 0 if report.ok else 1


def _write_views(file: Path | None, stack: str | None) -> int:
    """Write or print the views for the site of this environment's database; nothing is written into it."""
    from sitejobs.schema.views import make_views
    from sitejobs_local.database.target import open_target

    if stack is not None:
        raise InvalidInput("--views goes with DATABASE_URL: the file is made of what this machine reaches")
    if file is not None and file.exists():
        raise InvalidInput(f"--views: {file} is there already, perhaps with somebody's changes: name another file")
    with open_target(os.environ) as target, target.connect() as connection:
        views = make_views(connection)
    if file is None:
        click.echo(views.sql)
    else:
        try:
            file.write_text(views.sql, encoding="utf-8")
        except OSError as error:
            raise InvalidInput(f"--views: {file} cannot be written: {error.strerror}") from None
    console = notes() if file is None else output()
    for title, names in (("recognised", views.found), ("nothing like", views.missing)):
        console.print(f"{title}: {', '.join(names) or '-'}", markup=False, highlight=False)
    told = f"{file or 'the views'}: read, mend the lines with EDIT, and apply as the head says"
    console.print(told, markup=False, highlight=False)
    return 0


def _here() -> "tuple[Report, str]":
    from sitejobs.catalog import JOBS
    from sitejobs.schema.check import check as compare
    from sitejobs_local.database import migrations
    from sitejobs_local.database.target import open_target, prepare

    with open_target(os.environ) as target, target.connect() as connection:
        if target.embedded:
            prepare(target, connection, list(JOBS))
        return compare(connection, list(JOBS), migrations.pending(connection)), target.label


def _there(stack: str) -> "tuple[Report, str]":
    from sitejobs_local.runs import deployed_database

    report = deployed_database.check(stack)
    return report, f"database {report.database!r} of stack {stack}" if report.database else f"stack {stack}"


def _print(console: "Console", report: "Report", label: str) -> None:
    jobs = ", ".join(report.jobs)
    if report.server:  # it was reached
        place = f"PostgreSQL {report.server}, role {report.role}, schemas {', '.join(report.search_path)}"
        console.print(f"{label}: {place}")
    if report.silenced:
        console.print(f"silenced recommendations: {report.silenced}")
    if not report.findings:
        console.print(f"[green]nothing is missing[/] for {jobs}")
        return
    required = [finding for finding in report.findings if finding.level == "required"]
    _print_section(console, "[red]required[/]", required)
    _print_section(
        console, "[yellow]recommended[/]", [finding for finding in report.findings if finding not in required]
    )
    console.print()
    absent = [it for it in required if it.kind == "table" and it.mend.startswith("CREATE VIEW")]
    if len(absent) > 1:
        hint = "tables like these, of other names? `sitejobs check --views views.sql` writes views for them"
        console.print(hint, markup=False, highlight=False)
    if report.ok:
        console.print(f"[green]every job can run[/]: {jobs}")
    else:
        stopped = ", ".join(sorted({job for finding in required for job in finding.jobs}))
        console.print(f"[red]cannot run[/]: {stopped}")


def _print_section(console: "Console", title: str, findings: "list[Finding]") -> None:
    if findings:
        console.print(f"\n{title}")
    alike: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        alike.setdefault((finding.problem, finding.mend), []).append(finding.object)
    for (problem, mend), objects in alike.items():
        named = (
            ", ".join(objects)
            if len(objects) <= _NAMED
            else f"{', '.join(objects[:_NAMED])} and {len(objects) - _NAMED} more"
        )
        console.print(
            f"  {named}: {problem}" if len(objects) > 1 else f"  {named} {problem}", markup=False, highlight=False
        )
        # One line whatever the width of the terminal, so that it can be copied.
        console.print(f"      {mend}", style="dim", markup=False, highlight=False, soft_wrap=True)
