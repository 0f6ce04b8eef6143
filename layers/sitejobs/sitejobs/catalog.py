"""Every job by name: what the command line lists, and what documentation and templates are checked against.

Only options are imported here: listing the jobs must not load what they compute with.
"""

from dataclasses import dataclass

from sitejobs.feed.options import (
    AffinityOptions,
    ContentFeaturesOptions,
    FeedPresortCleanupOptions,
    FeedPresortOptions,
    TrendingOptions,
)
from sitejobs.matching.options import MatchScoresOptions
from sitejobs.options import JobOptions


@dataclass(frozen=True)
class JobEntry:
    """A job as people know it. `name` is also the name of its state machine; `noun`: what it goes through."""

    name: str
    group: str
    summary: str
    options: type[JobOptions]
    noun: str = "users"


JOBS: dict[str, JobEntry] = {
    entry.name: entry
    for entry in (
        JobEntry(
            "match-scores",
            "matching",
            "compatibility scores between users: the best candidates of each viewer, tier A before tier B",
            MatchScoresOptions,
        ),
        JobEntry(
            "content-features",
            "feed",
            "topics and quality of posts: their hashtags and most telling words, how much they offer",
            ContentFeaturesOptions,
            noun="posts",
        ),
        JobEntry(
            "trending",
            "feed",
            "posts that draw likes now: popularity and velocity of each, and when it peaked",
            TrendingOptions,
            noun="posts",
        ),
        JobEntry(
            "affinity",
            "feed",
            "whose posts and which topics each user likes, as shares of the user's likes",
            AffinityOptions,
        ),
        JobEntry(
            "feed-presort",
            "feed",
            "the first segments of each user's feed: posts, suggestions and questions, ready to be shown",
            FeedPresortOptions,
        ),
        JobEntry(
            "feed-presort-cleanup",
            "feed",
            "removes feed segments that have expired or show what has since gone, been hidden or been blocked",
            FeedPresortCleanupOptions,
        ),
    )
}
