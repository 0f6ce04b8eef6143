"""Step Functions repeats a call whose answer it did not get: the result is the same, and nothing is counted twice."""

from typing import Any

from sitejobs.aliases import JsonObject
from tests.failure.site import BATCH, FINISH, OPTIONS, PLAN, RECORD, Rows, Site

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:match-scores:twice"
FIRST = {"input": OPTIONS, "execution": EXECUTION, "run": None, "cursor": None, "chapter": 0}


def twice(site: Site, function: str, event: JsonObject) -> JsonObject:
    first = site.call(function, event)
    assert "errorType" not in first
    assert site.call(function, event) == first
    return first


def stored(site: Site, table: str) -> list[tuple[Any, ...]]:
    return site.query(f'SELECT to_jsonb(t)::text FROM "{table}" t ORDER BY 1')


def test_every_state_called_twice_leaves_what_a_clean_run_leaves(site: Site, clean: Rows) -> None:
    planned = twice(site, PLAN, FIRST)
    run = planned["run"]
    results = [twice(site, BATCH, {"run": run, "page": page}) for page in planned["pages"]]
    assert twice(site, RECORD, {"run": run, "chapter": 1, "results": results})["failedPages"] == 0
    summary = twice(site, FINISH, {"run": run, "execution": EXECUTION, "error": None})
    assert (summary["status"], summary["pages"], summary["written"]) == ("SUCCEEDED", len(results), len(clean))
    assert site.rows() == clean
    assert [row[:2] for row in site.run_rows()] == [("all", "SUCCEEDED")]


def test_a_failed_page_recorded_twice_counts_once(site: Site) -> None:
    planned = site.call(PLAN, FIRST)
    failed = {"page": planned["pages"][0], "error": "DatabaseFailure"}
    record = {"run": planned["run"], "chapter": 1, "results": [failed]}
    twice(site, RECORD, record)
    summary = twice(site, FINISH, {"run": planned["run"], "execution": EXECUTION, "error": None})
    assert (summary["status"], summary["failedPages"]) == ("FAILED", 1)


def test_an_error_before_the_run_was_known_closes_it_once(site: Site) -> None:
    run_id = site.call(PLAN, FIRST)["run"]["id"]
    error = {"Error": "States.Timeout", "Cause": None}
    summary = twice(site, FINISH, {"run": None, "execution": EXECUTION, "error": error})
    assert (summary["runId"], summary["status"], summary["error"]) == (run_id, "FAILED", "States.Timeout")
    assert [row[:2] for row in site.run_rows()] == [("all", "FAILED")]


def test_a_plan_called_again_after_the_end_neither_starts_nor_changes_anything(site: Site) -> None:
    planned = site.call(PLAN, FIRST)
    site.call(FINISH, {"run": planned["run"], "execution": EXECUTION, "error": None})
    before = stored(site, "JobRun")
    late = site.call(PLAN, FIRST)
    assert (late["errorType"], "was closed as SUCCEEDED" in late["errorMessage"]) == ("RunClosed", True)
    assert stored(site, "JobRun") == before


def test_a_page_that_comes_after_the_end_writes_nothing(site: Site) -> None:
    planned = site.call(PLAN, FIRST)
    site.call(FINISH, {"run": planned["run"], "execution": EXECUTION, "error": None})
    late = site.call(BATCH, {"run": planned["run"], "page": planned["pages"][0]})
    assert late["errorType"] == "RunClosed"
    assert stored(site, "MatchScore") == stored(site, "MatchScoreViewer") == []


def test_a_finish_without_run_or_error_is_refused(site: Site) -> None:
    answer = site.call(FINISH, {"run": None, "execution": EXECUTION, "error": None})
    assert (answer["errorType"], answer["errorMessage"]) == (
        "InvalidInput",
        f"execution {EXECUTION} has no run to close",
    )
