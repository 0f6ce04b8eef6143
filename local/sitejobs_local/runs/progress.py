"""How far a run is: counted from what its Lambda functions return, shown as a bar or as plain lines."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_LINE_SECONDS = 5.0
WITH_BAR = 110
"""Columns of a terminal that has room for a bar beside the figures."""
LEAST_SECONDS = 3.0
"""Seconds of work after which the time left is told."""


@dataclass(frozen=True)
class Totals:
    """The run so far. Planned figures are 0 until Plan has returned; `finished` is the summary of Finish."""

    planned_pages: int = 0
    planned_users: int = 0
    pages: int = 0
    failed_pages: int = 0
    processed: int = 0
    written: int = 0
    run_id: str | None = None
    message: str | None = None
    finished: Mapping[str, Any] | None = None

    @property
    def ended_pages(self) -> int:
        """Pages that will not be computed any more, done or failed."""
        return self.pages + self.failed_pages


@dataclass
class RunProgress:
    """Adds up the results of Plan, Batch, Record and Finish, recognised by their fields. Any thread may call it."""

    on_change: Callable[[Totals], None] = lambda totals: None
    totals: Totals = Totals()
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, result: Mapping[str, Any]) -> None:
        """Count what a function returned."""
        with self._lock:
            before, self.totals = self.totals, _added(self.totals, result)
            if self.totals != before:
                self.on_change(self.totals)

    def set_pages(self, pages: int) -> None:
        """Say how many pages have ended, where that is all there is to know."""
        with self._lock:
            self.totals = replace(self.totals, pages=pages)
            self.on_change(self.totals)


def _added(totals: Totals, result: Mapping[str, Any]) -> Totals:
    if "planned" in result:
        return replace(
            totals,
            planned_pages=max(totals.planned_pages, int(result["planned"]["pages"])),
            planned_users=max(totals.planned_users, int(result["planned"]["users"])),
            run_id=str(result["run"]["id"]),
            message=result.get("message") or totals.message,
        )
    if "processed" in result and "page" in result:
        return replace(
            totals,
            pages=totals.pages + 1,
            processed=totals.processed + int(result["processed"]),
            written=totals.written + int(result["written"]),
        )
    if result.get("status") in ("SUCCEEDED", "FAILED"):
        return replace(totals, finished=dict(result))
    if "failedPages" in result:
        return replace(totals, failed_pages=totals.failed_pages + int(result["failedPages"]))
    return totals


def counts(totals: Totals, noun: str = "users") -> str:
    """One line of figures: `12/40 pages  1,200/4,000 users  240,000 rows`."""
    parts = [
        f"{totals.ended_pages:,}/{totals.planned_pages:,} pages",
        f"{totals.processed:,}/{totals.planned_users:,} {noun}",
        f"{totals.written:,} rows",
    ]
    if totals.failed_pages:
        parts.append(f"{totals.failed_pages:,} failed")
    return "  ".join(parts)


class Pace:
    """How long a run will take, from how long its pages took so far."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._planned: tuple[float, int] | None = None

    def left(self, totals: Totals) -> str:
        """`about 3 min left`; empty where it cannot be told yet."""
        if totals.run_id is None:
            return ""
        if self._planned is None:
            self._planned = self._clock(), totals.ended_pages
        began, before = self._planned
        done, remaining = totals.ended_pages - before, totals.planned_pages - totals.ended_pages
        seconds = self._clock() - began
        if done < 1 or remaining < 1 or seconds < LEAST_SECONDS:
            return ""
        return f"about {_span(seconds / done * remaining)} left"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def told(totals: Totals, figures: str, pace: Pace) -> str:
    """What a run does, in one line: starting, its figures with the time left, or closing. Pages and time come first:
    a narrow terminal cuts the end."""
    if totals.run_id is None and not totals.ended_pages:
        return "starting"
    closing = totals.ended_pages >= totals.planned_pages and totals.run_id is not None
    first, gap, rest = figures.partition("  ")
    state = "closing the run" if closing else pace.left(totals)
    return "  ".join(filter(None, (first, state, rest if gap else "")))


@contextmanager
def shown(
    console: "Console", job: str, noun: str = "users", figures: Callable[[Totals, str], str] = counts
) -> Iterator[RunProgress]:
    """A progress that shows itself: a live bar in a terminal, a line every few seconds elsewhere.

    `noun` is what the job goes through; `figures` says how far it is.
    """
    pace = Pace()

    def tell(totals: Totals) -> str:
        return told(totals, figures(totals, noun), pace)

    with _bar(console, job, tell) if console.is_interactive else _lines(console, job, tell) as progress:
        yield progress


@contextmanager
def _bar(console: "Console", job: str, tell: Callable[[Totals], str]) -> Iterator[RunProgress]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    name = TextColumn("[bold]{task.description}", table_column=Column(no_wrap=True, min_width=len(job)))
    figures = TextColumn("{task.fields[counts]}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    wide = console.width >= WITH_BAR
    columns = (
        SpinnerColumn(),
        name,
        *((BarColumn(bar_width=20), figures, TimeElapsedColumn()) if wide else (figures,)),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(job, total=None, counts=tell(Totals()))

        def show(totals: Totals) -> None:
            bar.update(task, total=totals.planned_pages or None, completed=totals.ended_pages, counts=tell(totals))

        yield RunProgress(show)


@contextmanager
def _lines(console: "Console", job: str, tell: Callable[[Totals], str]) -> Iterator[RunProgress]:
    """A line at the start, then one every few seconds, and one when the last page has ended."""
    last, over = time.monotonic() - PLAIN_LINE_SECONDS, False
    console.print(f"{job}: {tell(Totals())}", highlight=False)

    def show(totals: Totals) -> None:
        nonlocal last, over
        if totals.run_id is None and not totals.ended_pages:  # it ended before it was planned
            return
        ends = not over and totals.finished is None and 0 < totals.planned_pages <= totals.ended_pages
        if ends or (not over and time.monotonic() - last >= PLAIN_LINE_SECONDS):
            last, over = time.monotonic(), ends
            console.print(f"{job}: {tell(totals)}", highlight=False)

    yield RunProgress(show)
