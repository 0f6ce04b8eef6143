"""What is shown of a workflow while it runs."""

import io
from typing import Any

from rich.console import Console

from sitejobs_local.runs.deployed import pages_of
from sitejobs_local.runs.progress import Totals
from sitejobs_local.runs.workflow_progress import WorkflowProgress, line, shown

RUN = {"id": "5", "job": "match-scores"}
TERMINAL = {"TERM": "xterm-256color"}
ENDED = {"status": "SUCCEEDED", "processed": 1200, "written": 24000, "skipped": 3, "failed": 0, "message": None}


def step(name: str, **result: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"step": name}, result


STORY: list[tuple[dict[str, Any], dict[str, Any]]] = [
    step(
        "Plan",
        status="PLANNED",
        run={"id": "4", "workflow": "all"},
        jobs=["match-scores", "compatibility"],
        ready=[{"job": "match-scores"}],
    ),
    ({}, {"planned": {"pages": 2, "users": 1200}, "run": RUN}),
    ({"run": RUN}, {"page": 1, "processed": 600, "written": 12000}),
    step("Ended", workflow="all", ended={"job": "match-scores", **ENDED}, ready=[{"job": "compatibility"}]),
    step(
        "Ended",
        workflow="all",
        ended={"job": "compatibility", "status": "FAILED", "error": "PagesFailed", "cause": "[1] of 2"},
        ready=[],
    ),
    step(
        "Finish",
        status="FAILED",
        jobs={"match-scores": ENDED, "compatibility": {"status": "FAILED"}, "feed-presort": {"status": "NOT_STARTED"}},
    ),
]


def told(*, terminal: bool) -> tuple[str, WorkflowProgress, list[str]]:
    """What is printed of the story, the progress, and the jobs reported as ended."""
    file, ended = io.StringIO(), list[str]()
    console = Console(file=file, force_terminal=terminal, width=110, color_system=None, _environ=TERMINAL)
    with shown(console) as view:
        progress = WorkflowProgress(view, ended.append)
        for event, result in STORY[: 5 if terminal else None]:
            progress.add(event, result)
    return file.getvalue(), progress, ended


def test_where_there_is_no_terminal_a_job_is_told_once_when_it_has_ended() -> None:
    text, progress, ended = told(terminal=False)
    lines = [line for line in text.splitlines() if not line.endswith(": starting")]
    assert text.splitlines()[1] == "match-scores: starting"
    assert lines[0] == "2 jobs: match-scores, compatibility"
    assert lines[1].startswith("match-scores: succeeded  1,200 processed  24,000 rows  3 skipped  0.")
    assert lines[2].startswith("compatibility: failed  PagesFailed: [1] of 2  ")
    assert lines[3:] == ["feed-presort: not started"]
    assert ended == ["match-scores", "compatibility", "feed-presort"]
    assert (progress.run_id, progress.finished) == ("4", STORY[-1][1])


def test_in_a_terminal_every_job_keeps_its_line() -> None:
    text, _, _ = told(terminal=True)
    drawn_last = text.rpartition("\x1b[2K")[2].splitlines()
    frame = {row.split()[0]: row for row in drawn_last if row.split()}
    assert "succeeded  1,200 processed  24,000 rows  3 skipped" in frame["match-scores"]
    assert "failed  PagesFailed: [1] of 2" in frame["compatibility"]


def test_a_jobs_line_says_how_far_it_is_in_the_figures_that_are_asked_for() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=110, color_system=None, _environ=TERMINAL)
    with shown(console, pages_of) as view:
        view.planned(["match-scores", "trending"])
        for job in ("match-scores", "trending"):
            view.begun(job)
        view.moved("match-scores", Totals(planned_pages=40, pages=12))
        view.moved("trending", Totals())
    drawn_last = file.getvalue().rpartition("\x1b[2K")[2].splitlines()
    assert [row for row in drawn_last if "match-scores" in row and "12/40 pages" in row]
    assert [row for row in drawn_last if "trending" in row and "starting" in row]


def test_pages_of_a_job_are_counted_to_it_alone() -> None:
    progress = WorkflowProgress()
    for event, result in STORY[:3]:
        progress.add(event, result)
    assert progress.jobs["match-scores"].totals.processed == 600
    assert progress.jobs["match-scores"].totals.planned_pages == 2
    assert progress.jobs["compatibility"].totals.processed == 0


def test_a_line_says_why_nothing_was_written() -> None:
    state = {"status": "SUCCEEDED", "processed": 0, "written": 0, "message": "nothing written: there was nothing to do"}
    assert line(state) == "succeeded  0 processed  0 rows  nothing written: there was nothing to do"
    assert line({"status": "ALREADY_RUNNING", "message": "trending is already running"}) == (
        "already running  trending is already running"
    )
