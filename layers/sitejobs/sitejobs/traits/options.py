"""Options of the jobs on traits and interests."""

from typing import Final

from pydantic import Field

from sitejobs.jobs.entry import JobEntry
from sitejobs.options import OptionalUserId, PagedOptions, Whole


class UserInterestSetsOptions(PagedOptions):
    """user-interest-sets: who has which interest."""

    user_id: OptionalUserId = Field(default=None, description="this user's sets only; everyone's when left out")
    batch_size: Whole = Field(default=1000, ge=1, le=10_000, description="users in one transaction")


USER_INTEREST_SETS: Final = JobEntry(
    "user-interest-sets",
    "supporting",
    "who has which interest: the users of each interest and of each subject",
    UserInterestSetsOptions,
)


class BuildUserTraitsOptions(PagedOptions):
    """build-user-traits: what a user's quiz answers say."""

    user_id: OptionalUserId = Field(default=None, description="this user's traits only; everyone's when left out")
    batch_size: Whole = Field(default=1000, ge=1, le=10_000, description="users in one transaction")


BUILD_USER_TRAITS: Final = JobEntry(
    "build-user-traits",
    "supporting",
    "what a user's quiz answers say: the mean of their trait values",
    BuildUserTraitsOptions,
)
