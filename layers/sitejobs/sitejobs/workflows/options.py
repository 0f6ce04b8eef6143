"""Options of the workflows."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.errors import InvalidInput
from sitejobs.options import JobOptions, UserId, parse_options
from sitejobs.schemas import shown
from sitejobs.workflows.graph import STEPS

ALLOW_LOSS = "each job goes on even if it would remove much of what is stored because its source has gone"

GROUPS: dict[str, tuple[str, ...]] = {
    group: tuple(job for job, step in STEPS.items() if JOBS[job].group == group and step.part != "named")
    for group in sorted({JOBS[job].group for job in STEPS})
}
"""The jobs of each group that `only` may name."""


def _names(value: Any) -> Any:
    """Names of jobs or groups, at least one: a list or, from the command line, a text with commas."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise ValueError("names are wanted")
    names = tuple(name.strip() if isinstance(name, str) else name for name in names)
    if not all(isinstance(name, str) and (name in STEPS or name in GROUPS) for name in names):
        raise ValueError("a name is unknown")
    return names


PAGING = ("batchSize", "userBatchSize", "pauseMs", "maxConcurrency", "tolerateFailures")
"""Options of a job that say how it goes through its pages, and change no result."""


def _paging(value: Any) -> Any:
    """Options of jobs by name: an object or, from the command line, its JSON."""
    given = json.loads(value) if isinstance(value, str) else value
    if not isinstance(given, dict):
        raise ValueError("an object is wanted")
    for job, options in given.items():
        if job not in STEPS or not isinstance(options, dict):
            raise ValueError("a job is unknown, or its options are no object")
        for name in options:
            if name not in PAGING:
                raise InvalidInput(f"paging of {job}: {shown(name)} must be one of {', '.join(PAGING)}")
        try:
            parse_options(JOBS[job].options, options)
        except InvalidInput as error:
            raise InvalidInput(f"paging of {job}: {error}") from None
    return given


class AllOptions(JobOptions):
    """all: every job of the site."""

    only: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        default=(),
        description="run only these jobs or groups of jobs, in the same order",
        json_schema_extra={
            "takes": f"names of jobs ({', '.join(STEPS)}) or groups ({', '.join(GROUPS)}), comma between"
        },
    )
    incremental: bool = Field(default=False, description="each job computes only what changed")
    allow_loss: bool = Field(default=False, description=ALLOW_LOSS)
    include_media: bool = Field(default=False, description="run media-metadata-all, too")
    paging: Annotated[dict[str, JsonObject], BeforeValidator(_paging)] = Field(
        default={},
        description='how single jobs go through their pages, as JSON: {"match-scores": {"batchSize": 1000}}',
        json_schema_extra={
            "takes": f"an object of jobs ({', '.join(STEPS)}), each with an object of {', '.join(PAGING)}"
        },
    )

    def jobs(self) -> tuple[str, ...]:
        """The jobs that these options choose, in the order of `STEPS`."""
        chosen = {job for name in self.only for job in GROUPS.get(name, (name,))}
        if not self.only:
            chosen = {job for job, step in STEPS.items() if step.part == "always"}
        if self.include_media:
            chosen |= {job for job, step in STEPS.items() if step.part == "with media"}
        return tuple(job for job in STEPS if job in chosen)


class OnboardUserOptions(JobOptions):
    """onboard-user: what a new user needs to be seen and to see something."""

    user_id: UserId = Field(description="the new user")

    def jobs(self) -> tuple[str, ...]:
        """The jobs that are run for this user alone."""
        return ("build-user-traits", "match-scores", "profile-search-index", "searchable-user", "feed-presort")


class AfterAlgorithmUpdateOptions(JobOptions):
    """after-algorithm-update: everything that scores depend on, for everyone."""

    allow_loss: bool = Field(default=False, description=ALLOW_LOSS)

    def jobs(self) -> tuple[str, ...]:
        """The jobs whose results a new algorithm changes."""
        return ("match-scores", "profile-search-index", "feed-presort")
