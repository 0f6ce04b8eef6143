"""Options of the matching jobs, and those of their settings that need no other module."""

from typing import Final

from pydantic import Field

from sitejobs.jobs.entry import JobEntry
from sitejobs.options import ComparingOptions, JobOptions, Number, OptionalUserId, PagedOptions, Whole
from sitejobs.variables import Variables

PART_USERS = 100_000
"""Users up to which a snapshot is taken in one piece, and of a part of a larger one."""


class MatchScoresOptions(ComparingOptions):
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
    all_stale=True,  # by changed users, who are targets of many viewers
)


class SnapshotVariables(Variables):
    """The SNAPSHOT_* variables."""

    max_age_seconds: int = Field(
        default=3600,
        alias="SNAPSHOT_MAX_AGE_SECONDS",
        description="age in seconds up to which a run for one user uses an existing snapshot",
        ge=0,
    )
    part_users: int = Field(
        default=PART_USERS,
        alias="SNAPSHOT_PART_USERS",
        description="users up to which Plan takes the snapshot in one piece, and of a part of a larger one",
        ge=1,
    )


class RoomVariables(Variables):
    """What the functions of match-scores have, which Lambda and the template say; 0 if nobody does."""

    memory_mb: int = Field(default=0, alias="AWS_LAMBDA_FUNCTION_MEMORY_SIZE", description="MB of memory", ge=0)
    storage_mb: int = Field(default=0, alias="WORK_STORAGE_MB", description="MB of /tmp", ge=0)


class CompatibilityVariables(Variables):
    """The COMPATIBILITY_* variables."""

    version: str = Field(
        default="v1",
        alias="COMPATIBILITY_ALGO_VERSION",
        description="stored with every row of compatibility; with a new version all rows are replaced",
    )


class MatchQualityOptions(JobOptions):
    """match-quality: how well a model and v1 foretell the site's newest likes and matches."""

    max_concurrency: Whole = Field(default=4, ge=1, le=1000, description="pages in flight at a time")
    batch_size: Whole = Field(default=1000, ge=1, le=10_000, description="viewers whose decisions one page reads")


MATCH_QUALITY: Final = JobEntry(
    "match-quality",
    "matching",
    "whether a learned model foretells likes and matches: beside v1 and popularity, on the newest; writes no results",
    MatchQualityOptions,
)


class MatchModelOptions(MatchQualityOptions):
    """match-model: learns from likes and dislikes who says yes to whom."""

    incremental: bool = Field(
        default=False, description="train nothing: fold in new users, and those of whom more was told since"
    )
    rewrite_epsilon: Number = Field(
        default=0.05,
        ge=0,
        le=1,
        description="with incremental: an effect that moves by less than this, in log odds, stays as it was; 0: none",
    )


MATCH_MODEL: Final = JobEntry(
    "match-model",
    "matching",
    "learns from likes and dislikes who says yes to whom, for match-scores",
    MatchModelOptions,
)
