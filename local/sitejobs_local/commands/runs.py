"""`sitejobs runs`: recent runs, and one of them with what failed and what was left out."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import output, prepared, print_json
from sitejobs_local.commands.values import JOB_OR_WORKFLOW
from sitejobs_local.tables import Row, print_rows

if TYPE_CHECKING:
    from psycopg import Connection
    from rich.console import Console
    from rich.table import Table

LONGEST_WHY = 200
_STYLES = {"SUCCEEDED": "green", "RUNNING": "cyan"}

_RECENT = """
SELECT * FROM "JobRunOverview" WHERE "id" < %(before)s ORDER BY "id" DESC LIMIT %(limit)s
"""
_RECENT_OF_JOB = """
SELECT * FROM "JobRunOverview" WHERE "job" = %(job)s AND "id" < %(before)s ORDER BY "id" DESC LIMIT %(limit)s
"""
_ONE = """SELECT * FROM "JobRunOverview" WHERE "id" = %(id)s"""
_FAILED_PAGES = """
SELECT "page", "keys", "error", "detail", "failedAt" FROM "JobRunFailedPage" WHERE "runId" = %(id)s
ORDER BY "page" LIMIT %(limit)s
"""


@click.command(short_help="what ran and how it ended; failed pages again")
@click.argument("run_id", metavar="[ID]", required=False, type=click.IntRange(1, 2**63 - 1))
@click.option("--job", metavar="<name>", type=JOB_OR_WORKFLOW, help="runs of this job only")
@click.option("--limit", metavar="<n>", type=click.IntRange(1, 1000), default=20, show_default=True, help="how many")
@click.option("--before", metavar="<id>", type=click.IntRange(1, 2**63 - 1), help="runs older than this one")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object on stdout")
def runs(run_id: int | None, job: str | None, limit: int, before: int | None, as_json: bool) -> None:
    """List the recent runs of the jobs, newest first; with an ID one of them, with its failed pages (the first --limit)
    and its skipped records by reason. The same is in the view "JobRunOverview".
    """
    with prepared() as (_, connection):
        if run_id is None:
            found = recent(connection, job=job, before=before, limit=limit)
            shown: Mapping[str, Any] = {"runs": found, "next": found[-1]["id"] if len(found) == limit else None}
        else:
            shown = one(connection, run_id, limit)
    if as_json:
        print_json(shown)
    elif run_id is None:
        _print_recent(output(), shown["runs"], shown["next"], job)
    else:
        _print_one(output(), shown)


def recent(
    connection: "Connection", *, job: str | None = None, before: int | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """Rows of "JobRunOverview", newest first: of one job or of all, and older than the run `before`."""
    query = _RECENT if job is None else _RECENT_OF_JOB
    return _rows(connection, query, {"job": job, "before": before or 2**63 - 1, "limit": limit})


def one(connection: "Connection", run_id: int, limit: int) -> dict[str, Any]:
    """A run's row of "JobRunOverview", with up to `limit` of its failed pages as `failedPagesNoted`.

    Raises
    ------
    InvalidInput : there is no such run.
    """
    found = _rows(connection, _ONE, {"id": run_id})
    if not found:
        raise InvalidInput(f"there is no run {run_id}: `sitejobs runs` lists the recent ones")
    return {**found[0], "failedPagesNoted": _rows(connection, _FAILED_PAGES, {"id": run_id, "limit": limit})}


def _rows(connection: "Connection", query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


def _print_recent(console: "Console", found: list[dict[str, Any]], following: int | None, job: str | None) -> None:
    if not found:
        console.print(f"no runs of {job} yet" if job else "no runs yet", markup=False)
        return
    names = ("run", "job", "status", "started UTC", "took", "records", "rows")
    print_rows(console, names, map(_row, found), numbers=("run", "took", "records", "rows"))
    console.print("sitejobs runs <run> tells all of one run", style="dim", markup=False, highlight=False)
    if following is not None:
        of_job = f" --job={job}" if job else ""
        console.print(f"older ones: sitejobs runs{of_job} --before={following}", style="dim", markup=False)


def _row(run: Mapping[str, Any]) -> Row:
    cells = (
        str(run["id"]),
        run["job"],
        _word(run["status"]),
        _minute(run["startedAt"]),
        _duration(run["seconds"]),
        f"{run['processed']:,}",
        f"{run['written']:,}",
    )
    return Row(cells, _notes(run), {2: _style(run["status"])})


def _notes(run: Mapping[str, Any]) -> str:
    """What is said beside the counts: for whom, by what, failed pages, and why."""
    notes = [run["scope"]] if run["scope"] not in ("all", "unknown") else []
    notes += [f"by {run['trigger']}"] if run["trigger"] in ("schedule", "api") else []
    if run["failedPages"] and not run["error"]:
        notes.append(f"{run['failedPages']:,} of {run['pages']:,} pages failed")
    return "; ".join(filter(None, [*notes, _why(run)]))


def _print_one(console: "Console", run: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"run {run['id']}: {run['job']}", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    rows: list[tuple[str, Any]] = [
        ("status", _status(run)),
        ("of", run["scope"]),
        ("trigger", run["trigger"]),
        ("options", _plain(json.dumps(run["options"]))),
        ("started (UTC)", _moment(run["startedAt"])),
        ("finished (UTC)", _moment(run["finishedAt"])),
        ("took", _duration(run["seconds"])),
        ("pages", _pages(run)),
    ]
    if run["quietSeconds"] is not None:
        rows.append(("last heard of", f"{_duration(run['quietSeconds'])} ago"))
    rows += [(name, f"{run[key]:,}") for key, name in _COUNTERS]
    rows += [(f"  {reason}", f"{count:,}") for reason, count in _by_count(run["reasons"])]
    rows += [(name, _plain(run[name])) for name in ("message", "error") if run[name]]
    rows.append(("execution", _plain(run["execution"])))
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    if run["failedPagesNoted"]:
        console.print(_failed_pages(run))


_COUNTERS = (
    ("processed", "records processed"),
    ("written", "rows written"),
    ("skipped", "records skipped"),
    ("failed", "records failed"),
)


def _failed_pages(run: Mapping[str, Any]) -> "Table":
    from rich.table import Table

    total = sum(run["pageErrors"].values())
    shown = run["failedPagesNoted"]
    title = "failed pages" if run["failedPages"] else "pages that failed, and may have succeeded when tried again"
    table = Table(title=title, title_justify="left", title_style="")
    table.add_column("page", justify="right")
    table.add_column("error", overflow="fold")
    table.add_column("detail", overflow="fold")
    table.add_column("keys", overflow="fold")
    for page in shown:
        keys = {name: value for name, value in page["keys"].items() if name != "page"}
        table.add_row(str(page["page"]), page["error"], _plain(page["detail"] or ""), _plain(json.dumps(keys)))
    if total > len(shown):
        table.caption = f"and {total - len(shown):,} more: --limit"
    return table


def _status(run: Mapping[str, Any]) -> str:
    return f"[{_style(run['status'])}]{_word(run['status'])}[/]"


def _style(status: str) -> str:
    return _STYLES.get(status, "red")


def _word(status: str) -> str:
    return status.lower().replace("_", " ")


def _why(run: Mapping[str, Any]) -> str:
    """One line beside the counts: the error, the message, or why records were left out."""
    if run["error"] or run["message"]:
        return str(run["error"] or run["message"])[:LONGEST_WHY]
    pages = [f"{error} {count:,}" for error, count in _by_count(run["pageErrors"])] if run["failedPages"] else []
    return ", ".join([*pages, *(f"{reason} {count:,}" for reason, count in _by_count(run["reasons"]))])[:LONGEST_WHY]


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _pages(run: Mapping[str, Any]) -> str:
    return f"{run['pages']:,}" + (f", {run['failedPages']:,} failed" if run["failedPages"] else "")


def _moment(moment: Any) -> str:
    from datetime import UTC

    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _minute(moment: Any) -> str:
    """Month, day and minute; of what is a year old the date."""
    from datetime import UTC, datetime, timedelta

    old = datetime.now(UTC) - moment > timedelta(days=300)
    return f"{moment.astimezone(UTC):{'%Y-%m-%d' if old else '%m-%d %H:%M'}}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _plain(text: str) -> Any:
    """Text as it is: brackets in it are no markup."""
    from rich.text import Text

    return Text(text)
