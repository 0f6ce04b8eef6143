"""Every job by name: what the command line lists, and what documentation and templates are checked against.

Only options are imported here: listing the jobs must not load what they compute with.
"""

from dataclasses import dataclass

from sitejobs.matching.options import MatchScoresOptions
from sitejobs.media.options import MediaMetadataAllOptions, MediaMetadataBatchOptions, MediaMetadataOptions
from sitejobs.options import JobOptions


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
            "media-metadata",
            "media",
            "what one upload is, and whether it keeps the rules",
            MediaMetadataOptions,
        ),
        JobEntry(
            "media-metadata-all",
            "media",
            "the same for every unchecked upload, one at a time",
            MediaMetadataAllOptions,
        ),
        JobEntry(
            "media-metadata-batch",
            "media",
            "the same for the unchecked uploads of the last hours",
            MediaMetadataBatchOptions,
        ),
    )
}
