"""The tables that each job reads and writes. A test compares them with the contract, which also has their columns."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

Commands = str
"""What a job does with a table's rows, in the catalog's letters: r (SELECT), a (INSERT), w (UPDATE), d (DELETE)."""

READ: Final[Commands] = "r"
UPDATED: Final[Commands] = "rw"
OWNED: Final[Commands] = "rawd"

_MATCHING = (
    "User",
    "Profile",
    "UserBlock",
    "QuizResult",
    "InterestSubject",
    "Interest",
    "UserInterest",
    "ProfileRating",
)
_SNAPSHOT = (
    *("User", "Profile", "UserPreference", "UserBlock", "QuizResult", "UserInterest", "ProfileRating"),
    *("Like", "Match", "Conversation"),
)
"""What a snapshot of everybody is made of."""

_SITE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "match-scores": (*_SNAPSHOT, "InterestSubject", "Interest"),
        "match-model": _SNAPSHOT,
        "match-quality": _SNAPSHOT,
        "compatibility": (*_MATCHING, "Match", "ProfileAccess", "Conversation"),
        "build-user-traits": ("User", "QuizQuestion", "QuizOption", "QuizResult"),
        "user-interest-sets": ("User", "UserInterest"),
        "searchable-user": ("User", "Profile", "UserInterest"),
        "profile-search-index": ("User", "Profile", "UserInterest", "Top5List", "Top5Item"),
        "content-features": ("Post", "PostMedia", "Media"),
        "trending": ("User", "Profile", "Post", "LikedPost"),
        "affinity": ("User", "Post", "PostMedia", "LikedPost", "Media"),
        "feed-presort": (
            *("User", "Profile", "UserBlock", "Quiz", "QuizQuestion", "QuizOption", "QuizResult", "Match", "Like"),
            *("ProfileAccess", "Post", "PostMedia", "Media", "Conversation"),
        ),
        "feed-presort-cleanup": ("User", "Profile", "UserBlock", "Quiz", "QuizQuestion", "ProfileAccess", "Post"),
    }
)
_BUNDLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "match-scores": (
            *("UserTrait", "MatchList", "MatchListChange", "MatchScoreViewer"),
            *("MatchModel", "UserMatchEffect"),
        ),
        "match-model": ("UserTrait", "MatchModel", "UserMatchEffect"),
        "match-quality": ("UserTrait", "UserMatchEffect"),
        "compatibility": (
            "MatchList",
            "MatchListChange",
            "UserCompatibility",
            "UserCompatibilityViewer",
            "UserCompatibilityInput",
        ),
        "build-user-traits": ("UserTrait", "UserTraitState", "QuizOptionSeen"),
        "user-interest-sets": ("InterestUserSet", "InterestSubjectUserSet", "InterestSetState"),
        "searchable-user": ("SearchableUser",),
        "profile-search-index": ("UserTrait", "ProfileSearchIndex"),
        "content-features": ("PostFeatures",),
        "trending": ("TrendingScore",),
        "affinity": ("PostFeatures", "UserAffinityProfile"),
        "feed-presort": (
            *("MatchList", "MatchListChange", "PostFeatures", "TrendingScore", "UserAffinityProfile"),
            *("FeedSegment", "FeedCard", "FeedPresortedRow", "FeedPresortedUser", "FeedPublicPosts"),
        ),
        "feed-presort-cleanup": (
            *("FeedSegment", "FeedCard", "FeedPresortedRow", "FeedPresortedUser", "FeedPublicPosts"),
        ),
    }
)
_MEDIA: Final = ("media-metadata", "media-metadata-all", "media-metadata-batch")

RUNS: Mapping[str, Commands] = MappingProxyType({"JobRun": OWNED, "JobRunFailedPage": OWNED})
"""The tables of every run, a workflow's included."""


def tables_of(job: str) -> dict[str, Commands]:
    """The tables of a job, and what it does with their rows."""
    if job in _MEDIA:
        return {**RUNS, "Media": UPDATED, "MediaMetadata": OWNED}
    return {**RUNS, **dict.fromkeys(_SITE.get(job, ()), READ), **dict.fromkeys(_BUNDLE.get(job, ()), OWNED)}
