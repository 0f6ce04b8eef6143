"""Options of the search jobs."""

from typing import Final

from pydantic import Field

from sitejobs.jobs.entry import JobEntry
from sitejobs.options import OptionalUserId, PagedOptions, Whole


class SearchableUserOptions(PagedOptions):
    """searchable-user: who may be found."""

    user_id: OptionalUserId = Field(default=None, description="this user only; everyone when left out")
    batch_size: Whole = Field(default=2000, ge=1, le=10_000, description="users in one batch")


SEARCHABLE_USER: Final = JobEntry(
    "searchable-user",
    "search",
    "who may be found: visible, of age, complete enough; and why others may not",
    SearchableUserOptions,
)


class ProfileSearchIndexOptions(PagedOptions):
    """profile-search-index: what can be searched of a profile."""

    user_id: OptionalUserId = Field(default=None, description="index this user only; everyone when left out")
    user_batch_size: Whole = Field(default=100, ge=1, le=10_000, description="users in one batch")
    pause_ms: Whole = Field(default=50, ge=0, le=60_000, description="pause after each batch, in milliseconds")


PROFILE_SEARCH_INDEX: Final = JobEntry(
    "profile-search-index",
    "search",
    "what can be searched of each profile: words, place, age, traits and interests",
    ProfileSearchIndexOptions,
)
