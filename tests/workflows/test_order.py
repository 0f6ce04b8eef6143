"""The order of a workflow's jobs, and what a failed job stops: real executions of toys."""

from collections.abc import Iterable
from typing import Final

import pytest

from sitejobs.workflows.graph import STEPS, waits_of
from sitejobs.workflows.options import AllOptions
from tests.limits import PATIENCE_S
from tests.workflows.conftest import Toys

EVERYTHING = AllOptions().jobs()
WAITING: Final = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def dependants(job: str) -> set[str]:
    """The jobs of `all` that need this one, directly or through others."""
    found = {job}
    for other in EVERYTHING:
        if set(STEPS[other].needs) & found:
            found.add(other)
    return found - {job}


def assert_in_order(toys: Toys, jobs: Iterable[str]) -> None:
    """Check that each job started after those that it waits for had ended."""
    seen = toys.seen()
    for job, waits in waits_of(tuple(jobs)).items():
        for other in (*waits.needs, *waits.after):
            if job in seen and other in seen and seen[other]["ended"] is not None:
                assert seen[other]["ended"] <= seen[job]["started"], (other, job)


def test_every_job_runs_once_and_after_those_that_it_waits_for(toys: Toys) -> None:
    ended = toys.run("all")
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert set(toys.seen()) == set(EVERYTHING)
    assert_in_order(toys, EVERYTHING)
    assert {job: it["status"] for job, it in ended.output["jobs"].items()} == dict.fromkeys(EVERYTHING, "SUCCEEDED")
    assert ended.output["written"] == 5 * len(EVERYTHING)
    run = toys.last_run()
    assert (run["job"], run["status"], run["scope"]) == ("all", "SUCCEEDED", "all")
    assert run["written"] == ended.output["written"]
    assert run["finishedAt"] is not None


def test_jobs_that_do_not_wait_for_each_other_run_at_the_same_time(toys: Toys) -> None:
    """Each of these ends only when the others have started: if one waited too long, the run would hang."""
    toys.tell("build-user-traits", others=("user-interest-sets", "content-features"))
    toys.tell("content-features", others=("compatibility", "searchable-user"))
    toys.tell("profile-search-index", others=("feed-presort-cleanup",))
    toys.tell("compatibility", others=("feed-presort",))
    toys.tell("affinity", others=("trending",))
    toys.tell("trending", others=("affinity",))
    ended = toys.run("all")
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert_in_order(toys, EVERYTHING)


@pytest.mark.parametrize("job", EVERYTHING)
def test_a_jobs_failure_stops_those_that_need_it_and_no_others_and_the_run_fails_naming_it(
    toys: Toys, job: str
) -> None:
    toys.tell(job, "fail")
    ended = toys.run("all")
    stopped = dependants(job)
    seen = toys.seen()
    assert set(seen) == set(EVERYTHING) - stopped
    assert {name for name, it in seen.items() if it["ended"] is None} == {job}
    assert_in_order(toys, EVERYTHING)
    assert (ended.status, ended.error) == ("FAILED", "JobsFailed")
    assert f"failed: {job}: PagesFailed: 2 of 3 pages failed" in (ended.cause or "")
    assert ended.cause is not None
    left_out = ended.cause.partition("not started: ")[2]
    assert set(left_out.split(", ")) - {""} == stopped
    run = toys.last_run()
    assert (run["status"], run["error"]) == ("FAILED", f"JobsFailed: {ended.cause}")
    states = {name: state["status"] for name, state in run["context"]["jobs"].items()}
    expected = dict.fromkeys(EVERYTHING, "SUCCEEDED") | {job: "FAILED"} | dict.fromkeys(stopped, "NOT_STARTED")
    assert states == expected


def test_several_failures_are_all_named(toys: Toys) -> None:
    toys.tell("match-scores", "fail")
    toys.tell("affinity", "fail")
    ended = toys.run("all")
    assert (ended.status, ended.error) == ("FAILED", "JobsFailed")
    assert "match-scores: PagesFailed" in (ended.cause or "")
    assert "affinity: PagesFailed" in (ended.cause or "")
    assert "not started: compatibility, feed-presort" in (ended.cause or "")
    assert toys.seen()["feed-presort-cleanup"]["ended"]


def test_a_job_that_is_lost_with_its_process_fails_as_any_other(toys: Toys) -> None:
    toys.tell("content-features", "die")
    ended = toys.run("all")
    assert (ended.status, ended.error) == ("FAILED", "JobsFailed")
    assert "content-features: Runtime.ExitError" in (ended.cause or "")
    assert set(toys.seen()) == set(EVERYTHING) - dependants("content-features")


def test_a_job_that_is_at_work_already_counts_as_done_and_is_noted(toys: Toys) -> None:
    toys.tell("match-scores", "busy")
    ended = toys.run("all")
    assert ended.status == "SUCCEEDED"
    assert set(toys.seen()) == set(EVERYTHING)
    assert ended.output["message"] == "already running, not started again: match-scores"
    assert ended.output["jobs"]["match-scores"]["status"] == "ALREADY_RUNNING"
    assert ended.output["jobs"]["match-scores"]["message"] == "match-scores is already running"


def test_a_step_that_loses_its_database_is_tried_again_and_no_job_runs_twice(toys: Toys) -> None:
    toys.tell("content-features", others=("match-scores",))
    toys.tell("build-user-traits", others=("user-interest-sets",))
    execution = toys.machine.start("all", {})
    toys.eventually("""SELECT count(*) > 0 FROM "Seen" WHERE "job" = 'build-user-traits'""")
    with toys.connection.transaction():
        # The end of a job cannot be recorded until the waiting sessions are lost.
        toys.connection.execute('SELECT FROM "JobRun" FOR UPDATE')
        toys.eventually(f"SELECT count(*) > 0 FROM ({WAITING}) AS waiting")
        toys.connection.execute(f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting")
    ended = toys.machine.wait(execution, timeout=PATIENCE_S)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert set(toys.seen()) == set(EVERYTHING)
    assert_in_order(toys, EVERYTHING)
    assert [event for event in toys.events if event.error and event.error["errorType"] == "Transient"]


# What is run and with which input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("search", {"profile-search-index", "searchable-user"}),
        (["matching"], {"match-scores", "compatibility"}),
        ("build-user-traits, feed-presort", {"build-user-traits", "feed-presort"}),
        (["media-metadata-batch"], {"media-metadata-batch"}),
        ("media", {"media-metadata-all"}),
    ],
)
def test_only_what_is_asked_for_runs_in_its_order(toys: Toys, only: str | list[str], expected: set[str]) -> None:
    ended = toys.run("all", only=only, incremental=True)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    seen = toys.seen()
    assert set(seen) == expected
    assert all(it["given"] == {"trigger": "workflow", "incremental": True} for it in seen.values())
    assert_in_order(toys, expected)


def test_a_job_that_is_passed_over_still_orders_those_around_it(toys: Toys) -> None:
    toys.tell("build-user-traits", "fail")
    ended = toys.run("all", only="build-user-traits,feed-presort")
    assert ended.status == "FAILED"
    assert set(toys.seen()) == {"build-user-traits"}


def test_media_is_included_when_asked_for(toys: Toys) -> None:
    assert toys.run("all", includeMedia=True).status == "SUCCEEDED"
    assert set(toys.seen()) == {*EVERYTHING, "media-metadata-all"}


def test_a_new_user_is_computed_alone(toys: Toys) -> None:
    ended = toys.run("onboard-user", userId="8")
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    seen = toys.seen()
    jobs = {"build-user-traits", "match-scores", "profile-search-index", "searchable-user", "feed-presort"}
    assert set(seen) == jobs
    assert all(it["given"] == {"trigger": "workflow", "userId": 8} for it in seen.values())
    assert_in_order(toys, jobs)
    assert toys.last_run()["scope"] == "user:8"


def test_after_an_algorithm_update_everyone_is_computed(toys: Toys) -> None:
    ended = toys.run("after-algorithm-update")
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    seen = toys.seen()
    assert set(seen) == {"match-scores", "profile-search-index", "feed-presort"}
    assert all(it["given"] == {"trigger": "workflow"} for it in seen.values())
    assert_in_order(toys, seen)


@pytest.mark.parametrize("workflow", ["all", "after-algorithm-update"])
def test_a_loss_that_is_allowed_is_allowed_to_every_job(toys: Toys, workflow: str) -> None:
    assert toys.run(workflow, allowLoss=True).status == "SUCCEEDED"
    assert all(it["given"] == {"trigger": "workflow", "allowLoss": True} for it in toys.seen().values())


@pytest.mark.parametrize(
    ("workflow", "given", "told"),
    [
        ("all", {"only": ["match-score"]}, "only must be names of jobs (build-user-traits, "),
        ("all", {"only": []}, "only must be names of jobs"),
        ("all", {"only": ["media-metadata"]}, "only must be names of jobs"),
        ("all", {"incremental": "perhaps"}, "incremental must be true or false, not 'perhaps'"),
        ("all", {"userId": 8}, "unknown option 'userId'"),
        ("onboard-user", {}, "userId is required: a whole number from -9223372036854775808 to"),
        ("onboard-user", {"userId": None}, "userId must be a whole number from -9223372036854775808 to"),
        ("onboard-user", {"userId": 2**63}, "userId must be a whole number from -9223372036854775808 to"),
        ("after-algorithm-update", {"only": "feed"}, "unknown option 'only'"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_starts(
    toys: Toys, workflow: str, given: dict[str, object], told: str
) -> None:
    ended = toys.run(workflow, **given)
    assert (ended.status, ended.error) == ("FAILED", "InvalidInput")
    assert told in (ended.cause or "")
    assert toys.seen() == {}


def test_a_workflow_does_not_overlap_itself_but_others(toys: Toys) -> None:
    toys.tell("user-interest-sets", others=("searchable-user",))
    first = toys.machine.start("all", {"only": "user-interest-sets"})
    toys.eventually('SELECT count(*) = 1 FROM "Seen"')
    second = toys.run("all", only="user-interest-sets")
    assert second.status == "SUCCEEDED"
    assert second.output["status"] == "ALREADY_RUNNING"
    assert "all is already running for user-interest-sets: run " in second.output["message"]
    assert toys.machine.describe(first).status == "RUNNING"
    assert toys.run("all", only="searchable-user").output["status"] == "SUCCEEDED"
    assert toys.machine.wait(first, timeout=PATIENCE_S).status == "SUCCEEDED"
