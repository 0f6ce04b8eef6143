"""Options of the matching jobs."""

from typing import Final

from pydantic import Field

from sitejobs.jobs.entry import JobEntry
from sitejobs.options import Number, OptionalUserId, PagedOptions, Whole


class MatchScoresOptions(PagedOptions):
    """match-scores: the best candidates of each viewer."""

    user_id: OptionalUserId = Field(default=None, description="score for this user only; everyone when left out")
    batch_size: Whole = Field(default=100, ge=1, le=10_000, description="viewers in one batch")
    candidate_batch_size: Whole = Field(
        default=500, ge=1, le=20_000, description="candidates in one block of the snapshot"
    )
    pause_ms: Whole = Field(default=50, ge=0, le=60_000, description="pause after each batch, in milliseconds")
    top_k: Whole = Field(default=200, ge=1, le=1000, description="rows kept for a viewer")
    rewrite_epsilon: Number = Field(
        default=0.002,
        ge=0,
        le=1,
        description="a list whose scores only newness has moved, by less than this, is not rewritten; 0 rewrites all",
    )


MATCH_SCORES: Final = JobEntry(
    "match-scores",
    "matching",
    "compatibility scores between users: the best candidates of each viewer, tier A before tier B",
    MatchScoresOptions,
)


class CompatibilityOptions(PagedOptions):
    """compatibility: the detailed score between a viewer and each user it has to do with."""

    user_id: OptionalUserId = Field(default=None, description="compute for this user only; everyone when left out")
    batch_size: Whole = Field(default=100, ge=1, le=10_000, description="viewers in one batch")
    target_batch_size: Whole = Field(default=500, ge=1, le=20_000, description="targets loaded at a time")
    max_suggestion_targets: Whole = Field(
        default=100, ge=0, le=1000, description="best matches of match-scores that are targets of a viewer"
    )


COMPATIBILITY: Final = JobEntry(
    "compatibility",
    "matching",
    "detailed scores between each user and its matches, conversations, accesses and best suggestions",
    CompatibilityOptions,
)
