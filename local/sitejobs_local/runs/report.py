"""The end of a run as a person reads it: what was done, what was left out and why, what failed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sitejobs.catalog import JOBS
from sitejobs_local.runs.runner import EXIT_ALREADY_RUNNING, EXIT_INTERRUPTED, EXIT_SUCCEEDED, Outcome
from sitejobs_local.runs.stopped import sentence
from sitejobs_local.tables import plain, print_plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_COUNTERS = (
    ("pages", "pages"),
    ("processed", "users"),
    ("written", "rows written"),
    ("skipped", "skipped"),
    ("failed", "failed"),
    ("failedPages", "failed pages"),
)


def print_outcome(console: "Console", outcome: Outcome, seconds: float) -> None:
    """Print the summary table, the reasons, the failed pages and the run's message."""
    summary = outcome.summary
    if outcome.exit_status == EXIT_ALREADY_RUNNING:
        console.print(str(summary.get("message") or f"{summary['job']} is already running"), markup=False)
        return
    if "processed" in summary:
        run = f"run {summary['runId']}, " if summary.get("runId") else ""
        console.print(f"{summary['job']}: {run}{str(summary['status']).lower()}", markup=False, highlight=False)
        console.print(_counters(outcome, seconds))
    if "compared" in summary:
        from sitejobs_local.runs.comparison_report import comparison_table

        console.print(comparison_table(summary["compared"], JOBS[str(summary["job"])].noun))
    if outcome.failed_pages:
        console.print(_failed_pages(outcome))
    if summary.get("message"):
        console.print(str(summary["message"]), markup=False)
    _print_verdict(console, outcome)


def print_workflow(console: "Console", outcome: Outcome, seconds: float) -> None:
    """Print how each job of a workflow ended, and the workflow's message."""
    summary = outcome.summary
    if outcome.exit_status == EXIT_ALREADY_RUNNING:
        console.print(str(summary["message"]), markup=False)
        return
    if "jobs" in summary:
        head = f"{summary['job']}: run {summary['runId']}, {str(summary['status']).lower()}, {seconds:,.1f} s"
        console.print(head, markup=False, highlight=False)
        print_plain(console, _jobs(summary["jobs"]))
    if summary.get("message"):
        console.print(str(summary["message"]), markup=False)
    _print_verdict(console, outcome)


def _jobs(jobs: Mapping[str, Mapping[str, Any]]) -> "Table":
    counters = ("processed", "written", "skipped", "failed")
    table = plain("", "job", "status", *counters, texts=("status",))
    for job, state in jobs.items():
        counts = (f"{int(state[key]):,}" if key in state else "" for key in counters)
        table.add_row(job, str(state["status"]).lower().replace("_", " "), *counts)
    return table


def _print_verdict(console: "Console", outcome: Outcome) -> None:
    """Print why a run did not succeed, or what stays of one that was stopped."""
    summary = outcome.summary
    if outcome.exit_status == EXIT_SUCCEEDED:
        return
    if summary.get("status") == "RUNNING":  # no longer followed from here
        console.print(str(summary.get("cause")), markup=False, highlight=False, soft_wrap=True)
    elif outcome.exit_status == EXIT_INTERRUPTED or summary.get("status") == "ABORTED":
        console.print(sentence(summary), style="red", markup=False, highlight=False)
    else:
        console.print(f"[red]{summary.get('error') or 'failed'}:[/]", end="", markup=True)
        console.print(f" {summary.get('cause') or ''}".rstrip(), markup=False, highlight=False)


def _counters(outcome: Outcome, seconds: float) -> "Table":
    from rich.table import Table

    summary = outcome.summary
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    reasons = summary.get("reasons") or {}
    entry = JOBS.get(str(summary["job"]))
    for key, label in _COUNTERS:
        table.add_row(entry.noun if entry and key == "processed" else label, f"{int(summary.get(key) or 0):,}")
        if key == "failed" and reasons:
            table.add_row("skipped or failed because", "")
            for reason, count in sorted(reasons.items(), key=lambda item: (-int(item[1]), item[0])):
                table.add_row(f"  {reason}", f"{int(count):,}")
    table.add_row("elapsed", f"{seconds:,.1f} s")
    return table


def _failed_pages(outcome: Outcome) -> "Table":
    from rich.table import Table

    table = Table(title="failed pages", title_justify="left")
    table.add_column("page", justify="right")
    table.add_column("error")
    table.add_column("detail", overflow="fold")
    for failed in outcome.failed_pages:
        table.add_row(str(failed.page), failed.error, failed.detail or "")
    rest = int(outcome.summary.get("failedPages") or 0) - len(outcome.failed_pages)
    if rest > 0:
        table.caption = f'and {rest:,} more, in "JobRunFailedPage"'
    return table
