"""Every job by name: what the command line lists, and what documentation and templates are checked against.

Only options are imported here: listing the jobs must not load what they compute with.
"""

from sitejobs.feed.options import (
    AffinityOptions,
    ContentFeaturesOptions,
    FeedPresortCleanupOptions,
    FeedPresortOptions,
    TrendingOptions,
)
from sitejobs.jobs.entry import JobEntry
from sitejobs.matching.options import CompatibilityOptions, MatchScoresOptions
from sitejobs.media.options import MediaMetadataAllOptions, MediaMetadataBatchOptions, MediaMetadataOptions
from sitejobs.search.options import ProfileSearchIndexOptions, SearchableUserOptions
from sitejobs.traits.options import BuildUserTraitsOptions, UserInterestSetsOptions

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
            "compatibility",
            "matching",
            "detailed scores between each user and its matches, conversations, accesses and best suggestions",
            CompatibilityOptions,
        ),
        JobEntry(
            "build-user-traits",
            "supporting",
            "what a user's quiz answers say: the mean of their trait values",
            BuildUserTraitsOptions,
        ),
        JobEntry(
            "user-interest-sets",
            "supporting",
            "who has which interest: the users of each interest and of each subject",
            UserInterestSetsOptions,
        ),
        JobEntry(
            "searchable-user",
            "search",
            "who may be found: visible, of age, complete enough; and why others may not",
            SearchableUserOptions,
        ),
        JobEntry(
            "profile-search-index",
            "search",
            "what can be searched of each profile: words, place, age, traits and interests",
            ProfileSearchIndexOptions,
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
            "media-metadata",
            "media",
            "what one upload is, and whether it keeps the rules",
            MediaMetadataOptions,
            noun="uploads",
        ),
        JobEntry(
            "media-metadata-all",
            "media",
            "the same for every unchecked upload, one at a time",
            MediaMetadataAllOptions,
            noun="uploads",
        ),
        JobEntry(
            "media-metadata-batch",
            "media",
            "the same for the unchecked uploads of the last hours",
            MediaMetadataBatchOptions,
            noun="uploads",
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
