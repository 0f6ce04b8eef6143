"""Options of the workflows."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sitejobs.catalog import JOBS
from sitejobs.options import JobOptions, UserId
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
