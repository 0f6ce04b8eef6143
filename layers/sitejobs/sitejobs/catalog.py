"""Every job by name: what the command line lists, and what documentation and templates are checked against.

Only options are imported here: listing the jobs must not load what they compute with.
"""

from dataclasses import dataclass

from sitejobs.matching.options import MatchScoresOptions
from sitejobs.options import JobOptions
from sitejobs.search.options import ProfileSearchIndexOptions, SearchableUserOptions


@dataclass(frozen=True)
class JobEntry:
    """A job as people know it. `name` is also the name of its state machine."""

    name: str
    group: str
    summary: str
    options: type[JobOptions]


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
    )
}
