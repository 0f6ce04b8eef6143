"""Every job by name: the command line lists them, and tests compare docs and templates with them.

Only options are imported: listing the jobs must not load numpy and other libraries.
"""

from typing import Final

from sitejobs.feed.options import AFFINITY, CONTENT_FEATURES, FEED_PRESORT, FEED_PRESORT_CLEANUP, TRENDING
from sitejobs.jobs.entry import JobEntry
from sitejobs.matching.options import COMPATIBILITY, MATCH_MODEL, MATCH_QUALITY, MATCH_SCORES
from sitejobs.media.options import MEDIA_METADATA, MEDIA_METADATA_ALL, MEDIA_METADATA_BATCH
from sitejobs.search.options import PROFILE_SEARCH_INDEX, SEARCHABLE_USER
from sitejobs.traits.options import BUILD_USER_TRAITS, USER_INTEREST_SETS

JOBS: Final[dict[str, JobEntry]] = {
    entry.name: entry
    for entry in (
        MATCH_SCORES,
        COMPATIBILITY,
        BUILD_USER_TRAITS,
        USER_INTEREST_SETS,
        SEARCHABLE_USER,
        PROFILE_SEARCH_INDEX,
        CONTENT_FEATURES,
        TRENDING,
        AFFINITY,
        MEDIA_METADATA,
        MEDIA_METADATA_ALL,
        MEDIA_METADATA_BATCH,
        FEED_PRESORT,
        FEED_PRESORT_CLEANUP,
        MATCH_MODEL,
        MATCH_QUALITY,
    )
}
