"""The graph of the jobs, and the order that follows from it."""

import itertools

import pytest

from sitejobs.catalog import JOBS
from sitejobs.errors import InvalidInput
from sitejobs.options import parse_options
from sitejobs.workflows.catalog import WORKFLOWS, WorkflowOptions, input_of, scope_of_workflow
from sitejobs.workflows.graph import STEPS, Waits, waits_of
from sitejobs.workflows.options import GROUPS, AllOptions, OnboardUserOptions

EXAMPLES: dict[str, dict[str, object]] = {"onboard-user": {"userId": 8}}


def options_of(workflow: str, **given: object) -> WorkflowOptions:
    options = parse_options(WORKFLOWS[workflow].options, {**EXAMPLES.get(workflow, {}), **given})
    assert isinstance(options, WorkflowOptions)
    return options


def test_every_job_of_the_graph_is_in_the_catalog() -> None:
    assert set(STEPS) - set(JOBS) == set()


def test_every_job_but_that_of_one_file_is_in_the_graph() -> None:
    assert set(JOBS) - set(STEPS) == {"media-metadata"} & set(JOBS)


def test_a_job_stands_after_those_that_it_waits_for() -> None:
    names = list(STEPS)
    for job, step in STEPS.items():
        for other in (*step.needs, *step.after):
            assert names.index(other) < names.index(job)


def test_all_runs_every_job_but_those_of_media_and_those_that_must_be_named() -> None:
    named = {job for job, step in STEPS.items() if step.part == "named"}
    assert "media-metadata-batch" in named
    assert set(options_of("all").jobs()) == set(STEPS) - named - {"media-metadata-all"}
    assert set(options_of("all", includeMedia=True).jobs()) == set(STEPS) - named


def test_a_job_waits_for_those_that_its_left_out_ones_would_have_waited_for() -> None:
    assert waits_of(["feed-presort", "build-user-traits"]) == {
        "build-user-traits": Waits(),
        "feed-presort": Waits(needs=("build-user-traits",)),
    }
    # The cleanup waits for the feeds to end; without them, for everything that they would wait for.
    assert waits_of(["trending", "feed-presort-cleanup"])["feed-presort-cleanup"] == Waits(after=("trending",))


def test_waits_stay_within_the_run_and_lose_no_order() -> None:
    """For any choice of jobs: one that precedes another in the whole graph precedes it in the run."""
    whole = {job: before(job, waits_of(STEPS)) for job in STEPS}
    for size in (1, 2, 3):
        for chosen in itertools.combinations(STEPS, size):
            waits = waits_of(chosen)
            for job, waited in waits.items():
                assert set(waited.needs) | set(waited.after) <= set(chosen)
                assert before(job, waits) == whole[job] & set(chosen)


def before(job: str, waits: dict[str, Waits]) -> set[str]:
    direct = {*waits[job].needs, *waits[job].after}
    return direct.union(*(before(other, waits) for other in direct))


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_every_job_takes_the_input_that_a_workflow_gives_it(workflow: str) -> None:
    for given in ({}, {"incremental": True, "includeMedia": True}) if workflow == "all" else ({},):
        options = options_of(workflow, **given)
        for job in options.jobs():
            assert parse_options(JOBS[job].options, input_of(job, options)).trigger == "workflow"


def test_a_job_that_knows_no_user_is_not_run_for_everyone_instead() -> None:
    with pytest.raises(InvalidInput, match="unknown option 'userId'"):
        input_of("trending", OnboardUserOptions.model_validate({"userId": 8}))


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_names_its_jobs(group: str) -> None:
    assert set(options_of("all", only=group).jobs()) == set(GROUPS[group])
    assert {JOBS[job].group for job in GROUPS[group]} == {group}


def test_runs_of_different_choices_may_overlap() -> None:
    assert scope_of_workflow(options_of("all")) == scope_of_workflow(options_of("all", incremental=True)) == "all"
    assert scope_of_workflow(options_of("all", only="trending,content-features")) == "content-features,trending"
    assert scope_of_workflow(options_of("onboard-user")) == "user:8"


@pytest.mark.parametrize("only", ["", ",", [], "match-score", ["media-metadata"], [8], 8, {"search": True}, None])
def test_what_names_no_job_is_refused_with_the_names_that_there_are(only: object) -> None:
    with pytest.raises(InvalidInput, match=r"^only must be names of jobs \(build-user-traits, .*\) or groups \("):
        parse_options(AllOptions, {"only": only})
