"""Every workflow by name, beside the catalog of jobs."""

from sitejobs.catalog import JOBS
from sitejobs.jobs.entry import JobEntry
from sitejobs.options import JobOptions, id_to_json, parse_options
from sitejobs.workflows.options import AfterAlgorithmUpdateOptions, AllOptions, OnboardUserOptions

WorkflowOptions = AllOptions | OnboardUserOptions | AfterAlgorithmUpdateOptions

WORKFLOWS: dict[str, JobEntry] = {
    entry.name: entry
    for entry in (
        JobEntry(
            "all",
            "workflows",
            "every job of the site, each as soon as those that it needs are done",
            AllOptions,
        ),
        JobEntry(
            "onboard-user",
            "workflows",
            "what a new user needs: traits, matches, place in the search and feed",
            OnboardUserOptions,
        ),
        JobEntry(
            "after-algorithm-update",
            "workflows",
            "matches, search index and feeds of everyone, computed anew",
            AfterAlgorithmUpdateOptions,
        ),
    )
}


def scope_of_workflow(options: WorkflowOptions) -> str:
    """What a run is about. Runs of the same workflow and scope must not overlap.

    Runs of `all` with different `only` may: a job that they share refuses to run twice at a time.
    """
    if isinstance(options, OnboardUserOptions):
        return f"user:{options.user_id}"
    if isinstance(options, AllOptions) and options.only:
        return ",".join(options.jobs())
    return "all"


def input_of(job: str, options: JobOptions) -> dict[str, object]:
    """The input that a workflow with these options gives to one of its jobs.

    Raises
    ------
    InvalidInput : the job lacks one of the options. Without it, it would run for everyone.
    """
    given: dict[str, object] = {"trigger": "workflow"}
    if isinstance(options, AllOptions):
        given |= options.paging.get(job, {})
    if getattr(options, "incremental", False):
        given["incremental"] = True
    if getattr(options, "allow_loss", False):
        given["allowLoss"] = True
    if isinstance(options, OnboardUserOptions):
        given["userId"] = id_to_json(options.user_id)
    parse_options(JOBS[job].options, given)
    return given
