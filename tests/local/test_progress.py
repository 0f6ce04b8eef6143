"""Progress and the closing report: figures from what the functions return, in a terminal and elsewhere."""

import io
import threading
from typing import Any

import pytest
from rich.console import Console

from sitejobs_local.runs.progress import Pace, RunProgress, Totals, counts, shown, told
from sitejobs_local.runs.report import print_outcome
from sitejobs_local.runs.runner import FailedPage, Outcome, message_of
from sitejobs_local.runs.stopped import stopped

PLAN: dict[str, Any] = {
    "status": "PLANNED",
    "run": {"id": "7"},
    "pages": [],
    "cursor": None,
    "planned": {"pages": 4, "users": 400},
    "message": None,
}
PAGE: dict[str, Any] = {"page": 0, "processed": 100, "written": 2000, "skipped": 0, "failed": 0, "reasons": {}}
RECORD: dict[str, Any] = {"chapter": 1, "pages": 4, "failedPages": 1}
SUMMARY: dict[str, Any] = {
    "job": "match-scores",
    "runId": "7",
    "status": "SUCCEEDED",
    "pages": 4,
    "failedPages": 0,
    "processed": 400,
    "written": 8000,
    "skipped": 12,
    "failed": 0,
    "reasons": {"no-profile": 9, "no-candidates": 3},
    "message": None,
    "error": None,
    "cause": None,
}

TERMINAL = {"TERM": "xterm-256color"}


def printed(outcome: Outcome, width: int = 100) -> str:
    stream = io.StringIO()
    print_outcome(Console(file=stream, width=width, _environ={}), outcome, 12.34)
    return stream.getvalue()


def test_totals_add_up_what_each_function_returns() -> None:
    progress = RunProgress()
    for result in (PLAN, PAGE, PAGE, PAGE, RECORD, {**SUMMARY, "status": "FAILED"}):
        progress.add(result)
    totals = progress.totals
    assert (totals.planned_pages, totals.planned_users, totals.run_id) == (4, 400, "7")
    assert (totals.pages, totals.failed_pages, totals.ended_pages) == (3, 1, 4)
    assert (totals.processed, totals.written) == (300, 6000)
    assert totals.finished == {**SUMMARY, "status": "FAILED"}
    assert counts(totals) == "4/4 pages  300/400 users  6,000 rows  1 failed"
    assert counts(totals, "posts") == "4/4 pages  300/400 posts  6,000 rows  1 failed"


def test_the_time_left_follows_from_the_pages_done_since_the_plan() -> None:
    clock = [0.0]
    pace = Pace(lambda: clock[0])
    planned = Totals(planned_pages=10, run_id="7")
    assert told(Totals(), "figures", pace) == "starting"
    assert told(planned, "figures", pace) == "figures"
    for seconds, pages, expected in (
        (1.0, 5, ""),  # too early to tell
        (10.0, 2, "about 40 s left"),
        (600.0, 5, "about 10 min left"),
        (14400.0, 2, "about 16.0 h left"),
    ):
        clock[0] = seconds
        assert pace.left(Totals(planned_pages=10, pages=pages, run_id="7")) == expected
    assert told(Totals(planned_pages=10, pages=10, run_id="7"), "figures", pace) == "figures  closing the run"


def test_a_log_gets_a_line_at_the_start_and_one_when_the_last_page_has_ended() -> None:
    stream = io.StringIO()
    with shown(Console(file=stream, _environ={}), "match-scores") as progress:
        for result in (PLAN, PAGE, PAGE, PAGE, PAGE, {**RECORD, "failedPages": 0}, SUMMARY):
            progress.add(result)
    of_none = io.StringIO()
    with shown(Console(file=of_none, _environ={}), "match-scores") as progress:
        progress.add({**SUMMARY, "runId": None, "status": "FAILED"})
    assert of_none.getvalue() == "match-scores: starting\n"
    lines = stream.getvalue().splitlines()
    assert lines[0] == "match-scores: starting"
    assert lines[-1] == "match-scores: 4/4 pages  closing the run  400/400 users  8,000 rows"
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ({"job": "x", "runId": None}, "stopped: interrupted by the user; no run was opened"),
        ({"job": "x", "runId": "7", "pages": 0, "written": 0}, "stopped: interrupted by the user; no page was done"),
        (
            {"job": "x", "runId": "7", "pages": 3, "written": 4200},
            "stopped: interrupted by the user; 4,200 rows of 3 pages are written and stay",
        ),
    ],
)
def test_a_stopped_run_is_told_with_what_stays_at_whatever_moment(summary: dict[str, Any], expected: str) -> None:
    of_run = stopped("x", summary)
    assert of_run["status"] == "ABORTED"
    assert expected in " ".join(printed(Outcome(130, of_run)).split())
    on_aws = {**summary, "status": "ABORTED", "error": "Enough", "cause": "interrupted by the user"}
    assert expected in " ".join(printed(Outcome(1, on_aws)).split())


def test_pages_that_end_at_the_same_time_are_all_counted() -> None:
    progress = RunProgress()

    def count() -> None:
        for _ in range(500):
            progress.add(PAGE)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert progress.totals.pages == 4000


def test_a_second_run_in_the_way_counts_nothing() -> None:
    progress = RunProgress()
    progress.add({"status": "ALREADY_RUNNING", "job": "match-scores", "runId": "3", "message": "busy"})
    assert progress.totals == Totals()


def test_without_a_terminal_progress_is_plain_lines() -> None:
    stream = io.StringIO()
    with shown(Console(file=stream, _environ={}), "match-scores") as progress:
        progress.add(PLAN)
        for _ in range(3):
            progress.add(PAGE)
    assert stream.getvalue() == "match-scores: starting\nmatch-scores: 0/4 pages  0/400 users  0 rows\n"


def test_a_terminal_that_draws_nothing_gets_the_same_lines() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, _environ={"TERM": "dumb"})
    with shown(console, "match-scores") as progress:
        progress.add(PLAN)
    assert stream.getvalue() == "match-scores: starting\nmatch-scores: 0/4 pages  0/400 users  0 rows\n"


def test_in_a_terminal_progress_is_a_bar_that_leaves_nothing_behind() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, _environ=TERMINAL)
    with shown(console, "match-scores") as progress:
        progress.add(PLAN)
        progress.add(PAGE)
    assert "1/4 pages  100/400 users  2,000 rows" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")


def test_a_narrow_terminal_shows_pages_and_time_left_in_one_line() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None, _environ=TERMINAL)
    with shown(console, "profile-search-index", figures=lambda totals, noun: "1/4 pages  " + "9 " * 60) as progress:
        progress.add(PLAN)
    drawn = stream.getvalue().rpartition("\x1b[2K")[0].rpartition("\x1b[2K")[2]
    assert "profile-search-index 1/4 pages  9 9" in drawn
    assert drawn.count("\n") <= 1


def test_the_report_shows_counters_and_reasons() -> None:
    text = printed(Outcome(0, SUMMARY))
    assert "match-scores: run 7, succeeded" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in ("│ rows written │ 8,000 │", "│ no-profile │ 9 │", "│ elapsed │ 12.3 s │"):
        assert line in lines
    assert text.index("no-profile") < text.index("no-candidates")


def test_the_report_shows_the_message_of_a_run_that_wrote_nothing() -> None:
    text = printed(Outcome(0, {**SUMMARY, "written": 0, "message": "user 999 does not exist"}))
    assert "user 999 does not exist" in text


def test_the_report_of_a_failed_run_names_pages_errors_and_the_verdict() -> None:
    summary = {**SUMMARY, "status": "FAILED", "failedPages": 22, "error": "PagesFailed", "cause": "22 of 40 [pages]"}
    pages = tuple(FailedPage(number, "Transient", "SQLSTATE 40P01") for number in range(20))
    text = printed(Outcome(1, summary, pages))
    assert "19 │ Transient │ SQLSTATE 40P01" in text
    assert "and 2 more" in text
    assert text.rstrip().endswith("PagesFailed: 22 of 40 [pages]")


def test_a_run_that_never_opened_is_reported_by_its_error_alone() -> None:
    text = printed(Outcome(2, {"job": "match-scores", "status": "FAILED", "error": "InvalidInput", "cause": "topK?"}))
    assert text == "InvalidInput: topK?\n"


def test_a_run_in_the_way_is_reported_by_its_message_alone() -> None:
    assert printed(Outcome(3, {"job": "match-scores", "message": "run 3 is running"})) == "run 3 is running\n"


def test_a_functions_failure_is_told_by_its_message_not_its_stack_trace() -> None:
    cause = '{"errorMessage": "topK must be ...", "errorType": "InvalidInput", "stackTrace": ["a", "b"]}'
    assert message_of(cause) == "topK must be ..."
    assert message_of("plain words") == "plain words"
    assert message_of('["a list"]') == '["a list"]'
    assert message_of(None) == ""
