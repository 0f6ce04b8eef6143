"""`sitejobs runs --watch`: runs while they are at work."""

import time
from typing import TYPE_CHECKING, Any, Final

from sitejobs_local.commands.common import output, prepared
from sitejobs_local.commands.runs_shown import duration, print_one, print_recent

if TYPE_CHECKING:
    from rich.console import Console

LOOK_SECONDS: Final = 2.0
PLAIN_LINE_SECONDS: Final = 10.0


def watch_one(run_id: int) -> int:
    """Show how far a run is until it has ended, then all of it; the exit status says whether it succeeded."""
    from sitejobs_local.runs.recorded import one, overview

    console = output()
    told = 0.0
    with prepared() as (_, connection):
        while (run := overview(connection, run_id))["status"] == "RUNNING":
            if time.monotonic() - told >= (0 if console.is_terminal else PLAIN_LINE_SECONDS) or not told:
                told = time.monotonic()
                _say(console, run)
            time.sleep(LOOK_SECONDS)
        found = one(connection, run_id, 20)
    print_one(console, found)
    return 0 if found["status"] == "SUCCEEDED" else 1


def _say(console: "Console", run: dict[str, Any]) -> None:
    """One line; in a terminal it takes the place of the last."""
    line = f"run {run['id']}: {run['job']}, running for {duration(run['seconds'])}"
    if run["pages"]:  # Record counts them after each chapter
        line += f", {run['pages']:,} pages, {run['written']:,} rows"
    if run["quietSeconds"] > 60:
        line += f", nothing heard for {duration(run['quietSeconds'])}"
    if console.is_terminal:
        console.control(_to_the_start())
    end = "" if console.is_terminal else "\n"
    console.print(line, markup=False, highlight=False, no_wrap=True, overflow="ellipsis", end=end)


def _to_the_start() -> Any:
    from rich.control import Control
    from rich.segment import ControlType

    return Control((ControlType.CARRIAGE_RETURN,), (ControlType.ERASE_IN_LINE, 2))


def watch_list(job: str | None, status: str | None, limit: int) -> int:
    """Show the list until Ctrl-C: anew in a terminal; elsewhere a row for each run that begins or ends."""
    from sitejobs_local.runs.recorded import recent

    console, seen = output(), dict[int, str]()
    try:
        with prepared() as (_, connection):
            while True:
                found = recent(connection, job=job, status=status, limit=limit)
                changed = [run for run in found if seen.get(run["id"]) != run["status"]]
                if console.is_terminal:
                    console.clear()
                    print_recent(console, found, None, "")
                elif changed:
                    print_recent(console, changed[::-1], None, "", hint=False)
                    console.file.flush()
                seen |= {run["id"]: run["status"] for run in found}
                time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        return 0
