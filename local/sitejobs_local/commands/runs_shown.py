"""Runs as `sitejobs runs` prints them."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sitejobs_local.tables import Row, plain, print_plain, print_rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LONGEST_WHY = 200
_STYLES = {"SUCCEEDED": "green", "RUNNING": "cyan"}
_NAMES = ("run", "job", "status", "started UTC", "took", "records", "rows")


def print_recent(
    console: "Console", found: list[dict[str, Any]], following: int | None, chosen: str, *, hint: bool = True
) -> None:
    """Print a line for each run. `chosen`: the options by which they were chosen, each with a blank before it."""
    if not found:
        console.print("no runs yet" if not chosen else f"no such runs yet:{chosen}", markup=False, highlight=False)
        return
    print_rows(console, _NAMES, map(_row, found), numbers=("run", "took", "records", "rows"))
    if hint:
        console.print("sitejobs runs <run> tells all of one run", style="dim", markup=False, highlight=False)
    if following is not None:
        console.print(
            f"older ones: sitejobs runs{chosen} --before={following}", style="dim", markup=False, highlight=False
        )


def _row(run: Mapping[str, Any]) -> Row:
    cells = (
        str(run["id"]),
        run["job"],
        _word(run["status"]),
        _minute(run["startedAt"]),
        duration(run["seconds"]),
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


def print_one(console: "Console", run: Mapping[str, Any]) -> None:
    """Print all that is known of a run."""
    from rich.table import Table

    table = Table(
        title=f"run {run['id']}: {run['job']}", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    table.add_column()
    table.add_column(overflow="fold")
    rows: list[tuple[str, Any]] = [
        ("status", _status(run)),
        ("of", run["scope"]),
        ("trigger", run["trigger"]),
        ("options", _plain(json.dumps(run["options"]))),
        ("started (UTC)", _moment(run["startedAt"])),
        ("finished (UTC)", _moment(run["finishedAt"])),
        ("took", duration(run["seconds"])),
        ("pages", _pages(run)),
    ]
    if run["quietSeconds"] is not None:
        rows.append(("last heard of", f"{duration(run['quietSeconds'])} ago"))
    rows += [(name, f"{run[key]:,}") for key, name in _COUNTERS]
    rows += [(f"  {reason}", f"{count:,}") for reason, count in _by_count(run["reasons"])]
    rows += [(name, _plain(run[name])) for name in ("message", "error") if run[name]]
    rows.append(("execution", _plain(run["execution"])))
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    if run.get("jobs"):
        print_plain(console, _jobs(run["jobs"]))
    if run["failedPagesNoted"]:
        console.print(_failed_pages(run))
    for again in run.get("again", ()):
        console.print(f"failed pages again: run {again['id']}, {_word(again['status'])}", highlight=False)
    if run["failedPages"] and not run.get("again") and run["status"] != "RUNNING":
        console.print(f"sitejobs runs retry {run['id']} computes the failed pages again", style="dim", highlight=False)


def _jobs(jobs: list[dict[str, Any]]) -> "Table":
    table = plain("jobs", "job", "run", "status", "took", "records", "rows", texts=("status",))
    for job in jobs:
        counts = [f"{job[name]:,}" if job[name] is not None else "" for name in ("processed", "written")]
        took = "" if job["seconds"] is None else duration(job["seconds"])
        status = job["status"] if job["status"] not in (None, "RUNNING") else job["state"]
        table.add_row(job["job"], str(job["id"] or ""), _word(str(status)), took, *counts)
    return table


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


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _plain(text: str) -> Any:
    """Text as it is: brackets in it are no markup."""
    from rich.text import Text

    return Text(text)
