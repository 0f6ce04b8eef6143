"""How far a workflow is: a line for each of its jobs."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sitejobs_local.runs.progress import Pace, RunProgress, Totals, counts, told

if TYPE_CHECKING:
    from rich.console import Console

_WORDS = {
    "SUCCEEDED": "succeeded",
    "ALREADY_RUNNING": "already running",
    "FAILED": "failed",
    "NOT_STARTED": "not started",
}


class View(Protocol):
    """What shows the jobs of a workflow."""

    def planned(self, jobs: list[str]) -> None: ...
    def begun(self, job: str) -> None: ...
    def moved(self, job: str, totals: Totals) -> None: ...
    def ended(self, job: str, line: str, seconds: float) -> None: ...


class Quiet:
    """Shows nothing."""

    def planned(self, jobs: list[str]) -> None: ...
    def begun(self, job: str) -> None: ...
    def moved(self, job: str, totals: Totals) -> None: ...
    def ended(self, job: str, line: str, seconds: float) -> None: ...


@dataclass
class WorkflowProgress:
    """Follows a workflow by the events and results of its functions; one call at a time.

    `on_end` is told each job that has ended; `run_id` is known once it is planned, `finished` is its summary.
    """

    view: View = field(default_factory=Quiet)
    on_end: Callable[[str], None] = lambda job: None
    run_id: str | None = None
    finished: Mapping[str, Any] | None = None
    started: dict[str, float] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    jobs: dict[str, RunProgress] = field(default_factory=dict)

    def add(self, event: Any, result: Mapping[str, Any]) -> None:
        """Count what a function returned for an event."""
        if isinstance(event, Mapping) and "step" in event:
            self.step(result)
            return
        run = result.get("run") or (event.get("run") if isinstance(event, Mapping) else None)
        job = run["job"] if isinstance(run, Mapping) else result.get("job")
        if job in self.jobs:
            self.jobs[job].add(result)

    def step(self, result: Mapping[str, Any]) -> None:
        """Count what Plan, Ended or Finish of the workflow returned."""
        if result.get("status") == "PLANNED":
            self.run_id = str(result["run"]["id"])
            self.jobs = {job: RunProgress(self._moved(job)) for job in result["jobs"]}
            self.view.planned(list(result["jobs"]))
        for order in result.get("ready", ()):
            self.started.setdefault(order["job"], time.monotonic())
            self.view.begun(order["job"])
        if "ended" in result:
            self._ended(result["ended"]["job"], result["ended"])
        if "jobs" in result and result.get("status") in ("SUCCEEDED", "FAILED"):
            self.finished = dict(result)
            for job, state in result["jobs"].items():
                self._ended(job, state)

    def _moved(self, job: str) -> Callable[[Totals], None]:
        return lambda totals: self.view.moved(job, totals)

    def _ended(self, job: str, state: Mapping[str, Any]) -> None:
        if job in self.told:
            return
        self.told.add(job)
        now = time.monotonic()
        self.view.ended(job, line(state), now - self.started.get(job, now))
        self.on_end(job)


def line(state: Mapping[str, Any]) -> str:
    """How a job ended, in one line: `succeeded  1,200 processed  240,000 rows  3 skipped`."""
    parts = [_WORDS[state["status"]]]
    if "processed" in state:
        parts += [f"{int(state['processed']):,} processed", f"{int(state['written']):,} rows"]
        parts += [f"{int(state[name]):,} {name}" for name in ("skipped", "failed") if state.get(name)]
    if state.get("error"):
        parts.append(f"{state['error']}: {state.get('cause') or ''}".rstrip(": "))
    elif state.get("message"):
        parts.append(str(state["message"]))
    return "  ".join(parts)


@contextmanager
def shown(console: "Console", figures: Callable[[Totals], str] = counts) -> Iterator[View]:
    """In a terminal a live line for each job with its `figures`; elsewhere one line when a job has ended."""
    if not console.is_interactive:
        yield _Lines(console)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}", table_column=Column(no_wrap=True, min_width=20)),
        TextColumn("{task.fields[told]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars, figures)


@dataclass
class _Lines:
    console: "Console"

    def planned(self, jobs: list[str]) -> None:
        self.console.print(f"{len(jobs)} jobs: {', '.join(jobs)}", markup=False, highlight=False)

    def begun(self, job: str) -> None:
        self.console.print(f"{job}: starting", highlight=False)

    def moved(self, job: str, totals: Totals) -> None: ...

    def ended(self, job: str, line: str, seconds: float) -> None:
        took = f"  {seconds:,.1f} s" if seconds else ""
        self.console.print(f"{job}: {line}{took}", markup=False, highlight=False)


@dataclass
class _Bars:
    bars: Any
    figures: Callable[[Totals], str]
    tasks: dict[str, Any] = field(default_factory=dict)
    paces: dict[str, Pace] = field(default_factory=dict)

    def planned(self, jobs: list[str]) -> None:
        self.tasks = {job: self.bars.add_task(job, total=1, start=False, told="waits") for job in jobs}

    def begun(self, job: str) -> None:
        self.bars.start_task(self.tasks[job])
        self.bars.update(self.tasks[job], told="starting")

    def moved(self, job: str, totals: Totals) -> None:
        pace = self.paces.setdefault(job, Pace())
        if totals.finished is None and (totals.planned_pages or totals.ended_pages):
            self.bars.update(self.tasks[job], told=told(totals, self.figures(totals), pace))

    def ended(self, job: str, line: str, seconds: float) -> None:
        self.bars.update(self.tasks[job], told=line, completed=1)
        self.bars.stop_task(self.tasks[job])
