"""Options of the feed's jobs."""

from typing import Final

from pydantic import Field

from sitejobs.jobs.entry import JobEntry
from sitejobs.options import ComparingOptions, OptionalUserId, PagedOptions, Whole

OptionalPostId = OptionalUserId
"""A post's id; every post when left out."""


class ContentFeaturesOptions(PagedOptions):
    """content-features: topics and quality of posts."""

    post_id: OptionalPostId = Field(default=None, description="this post only, whatever its age; all when left out")
    batch_size: Whole = Field(default=50, ge=1, le=10_000, description="posts in one batch")
    max_lookback_days: Whole = Field(
        default=7, ge=0, le=36_500, description="only posts of so many days; 0 takes all of them"
    )
    max_topics: Whole = Field(default=8, ge=1, le=50, description="topics kept of a post")


CONTENT_FEATURES: Final = JobEntry(
    "content-features",
    "feed",
    "topics and quality of posts: their hashtags and most telling words, how much they offer",
    ContentFeaturesOptions,
    noun="posts",
)


class TrendingOptions(PagedOptions):
    """trending: posts that draw likes now."""

    batch_size: Whole = Field(default=500, ge=1, le=10_000, description="posts in one batch")
    window_hours: Whole = Field(
        default=48, ge=1, le=8760, description="only posts of so many hours, and only likes of so many hours, count"
    )
    min_engagements: Whole = Field(default=5, ge=1, le=1_000_000, description="likes that a trending post has at least")
    expiry_hours: Whole = Field(default=48, ge=1, le=8760, description="hours after which a stored score has expired")


TRENDING: Final = JobEntry(
    "trending",
    "feed",
    "posts that draw likes now: popularity and velocity of each, and when it peaked",
    TrendingOptions,
    noun="posts",
)


class AffinityOptions(PagedOptions):
    """affinity: whose posts and which topics a user likes."""

    user_id: OptionalUserId = Field(default=None, description="this user only; everyone when left out")
    batch_size: Whole = Field(default=500, ge=1, le=10_000, description="users in one batch")
    lookback_days: Whole = Field(default=90, ge=1, le=36_500, description="only likes of so many days count")


AFFINITY: Final = JobEntry(
    "affinity", "feed", "whose posts and which topics each user likes, as shares of the user's likes", AffinityOptions
)


class FeedPresortOptions(ComparingOptions):
    """feed-presort: the first segments of each user's feed."""

    user_id: OptionalUserId = Field(default=None, description="this user only; everyone when left out")
    batch_size: Whole = Field(default=100, ge=1, le=1000, description="users in one batch")
    segment_size: Whole = Field(default=20, ge=1, le=100, description="items in a segment")
    max_segments: Whole = Field(default=3, ge=1, le=20, description="segments kept of a feed")


FEED_PRESORT: Final = JobEntry(
    "feed-presort",
    "feed",
    "the first segments of each user's feed: posts, suggestions and questions, ready to be shown",
    FeedPresortOptions,
    all_stale=True,  # by a new public post
)


class FeedPresortCleanupOptions(PagedOptions):
    """feed-presort-cleanup: segments that should not be shown any more."""

    user_id: OptionalUserId = Field(default=None, description="this user only; everyone when left out")
    batch_size: Whole = Field(default=500, ge=1, le=10_000, description="users in one batch")
    max_segments: Whole = Field(default=3, ge=1, le=20, description="segments kept of a feed")


FEED_PRESORT_CLEANUP: Final = JobEntry(
    "feed-presort-cleanup",
    "feed",
    "removes expired feed segments, and those that show what has since gone, been hidden or been blocked",
    FeedPresortCleanupOptions,
)
