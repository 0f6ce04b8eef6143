"""What the promises need to know of each job: a job of the catalog without a description here fails them all."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.feed import affinity, content_features, feed_presort, feed_presort_cleanup, trending
from sitejobs.jobs.job import PagedJob
from sitejobs.matching import match_quality
from sitejobs.matching.compatibility import job as compatibility
from sitejobs.matching.match_model import job as match_model
from sitejobs.matching.match_scores import job as match_scores
from sitejobs.media import media_metadata, media_metadata_all, media_metadata_batch
from sitejobs.schema.model import Column, Table, needed
from sitejobs.schema.site import SITE_TABLES
from sitejobs.search import profile_search_index, searchable_user
from sitejobs.traits import build_user_traits as user_traits
from sitejobs.traits import user_interest_sets as interest_sets

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
UPLOADS = (901, 902, 903)
"""Ids of the uploads that a site of these tests has."""


@dataclass(frozen=True)
class Described:
    """A job under the promises.

    Attributes
    ----------
    tables : where its results are; `keys` names their columns that identify a row, the first of them whose it is. None:
        what it writes has no keys of the site.
    change : SQL of one changed input, as of `LATER`.
    vanish : SQL by which a key and all that the site has of it go, and of the key itself (`{key}`).
    options : of each of its runs.
    looks_always : an incremental run looks at every key, so that "finds nothing to do" means that it changes nothing.
    before : jobs whose results it takes, where ids were changed under it.
    reads, grants : the site's tables and columns that it reads, and SQL that lets `{role}` run it, where the contract
        does not tell.
    keys_only : others' new rows may rightly change everything of a row but its keys.
    no_vanish : why rows of a vanished key stay.
    """

    job: PagedJob
    tables: dict[str, tuple[str, ...]]
    change: str
    vanish: str | None = None
    options: JsonObject = field(default_factory=dict)
    looks_always: bool = False
    before: tuple[str, ...] = ()
    reads: tuple[tuple[Table, tuple[Column, ...]], ...] | None = None
    grants: str | None = None
    keys_only: bool = False
    no_vanish: str = ""

    @property
    def name(self) -> str:
        return self.job.entry.name

    @property
    def has_incremental(self) -> bool:
        return "incremental" in self.job.options.model_fields

    def incremental(self) -> JsonObject:
        """The options of an incremental run."""
        return {"incremental": True} if self.has_incremental else {}

    def allowing_loss(self) -> JsonObject:
        """The options of a run under which much of what is stored was made invalid."""
        return {"allowLoss": True} if "allow_loss" in self.job.options.model_fields else {}

    def read(self) -> tuple[tuple[Table, tuple[Column, ...]], ...]:
        """The site's tables that it may read, with the columns that it may read of them."""
        if self.reads is not None:
            return self.reads
        tables = [table for table in SITE_TABLES if needed(table.jobs, [self.name])]
        return tuple((table, tuple(table.columns_for([self.name]))) for table in tables)


_USER_GOES = 'DELETE FROM "User" WHERE "id" = {key}'
_POST_GOES = 'DELETE FROM "Post" WHERE "id" = {key}'
_UPLOAD_CHANGES = """UPDATE "Media" SET "status" = 'UPLOADED', "storageKey" = 'media/plain.png' WHERE "id" = 902"""
_A_CHANGE_OF_MIND = """UPDATE "Like" SET "action" = 'LIKE' WHERE "fromUserId" = 7"""
_NO_KEYS = "a model is of the whole site: tests/matching/learning have its promises"
_OF_MEDIA: dict[str, Any] = {
    "tables": {"MediaMetadata": ("mediaId",)},
    "change": _UPLOAD_CHANGES,
    "looks_always": True,
    "no_vanish": "the record of what was checked stays, as proof",
}

_ALL = (
    Described(
        match_scores.JOB,
        {"MatchScore": ("userId", "candidateUserId")},
        """UPDATE "Profile" SET "lat" = 48.2, "lng" = 16.37, "updatedAt" = '2026-06-01 12:00:00.5'
        WHERE "userId" = 7""",
        _USER_GOES,
    ),
    Described(
        compatibility.JOB,
        {"UserCompatibility": ("viewerUserId", "targetUserId")},
        """DELETE FROM "UserInterest" WHERE "userId" = 7""",
        _USER_GOES,
        {"maxSuggestionTargets": 1000},
        before=("match-scores",),
    ),
    Described(
        user_traits.JOB,
        {"UserTrait": ("userId", "traitKey")},
        """UPDATE "QuizOption" SET "traitValues" = "traitValues" || '{"sailing": 7}' WHERE "id" = (
            SELECT min("id") FROM "QuizOption" WHERE "traitValues" IS NOT NULL)""",
        _USER_GOES,
    ),
    Described(
        interest_sets.JOB,
        {"InterestUserSet": ("userId", "interestId"), "InterestSubjectUserSet": ("userId", "subjectId")},
        """DELETE FROM "UserInterest" WHERE "userId" = 7""",
        _USER_GOES,
    ),
    Described(
        searchable_user.JOB,
        {"SearchableUser": ("userId",)},
        """UPDATE "Profile" SET "isVisible" = NOT "isVisible" WHERE "userId" = 7""",
        _USER_GOES,
    ),
    Described(
        profile_search_index.JOB,
        {"ProfileSearchIndex": ("userId",)},
        """UPDATE "Profile" SET "bio" = 'sailing over the sea' WHERE "userId" = 7""",
        _USER_GOES,
    ),
    Described(
        content_features.JOB,
        {"PostFeatures": ("postId",)},
        """UPDATE "Post" SET "text" = '#sailing over the sea'
        WHERE "id" = (SELECT min("postId") FROM "PostFeatures")""",
        _POST_GOES,
        {"maxLookbackDays": 0},
    ),
    Described(
        trending.JOB,
        {"TrendingScore": ("postId",)},
        """DELETE FROM "LikedPost" WHERE "postId" = (SELECT min("postId") FROM "TrendingScore")""",
        _POST_GOES,
        {"minEngagements": 2},
        looks_always=True,
    ),
    Described(
        affinity.JOB,
        {"UserAffinityProfile": ("userId",)},
        """DELETE FROM "LikedPost" WHERE "userId" = (SELECT min("userId") FROM "UserAffinityProfile")""",
        _USER_GOES,
        before=("content-features",),
    ),
    Described(
        feed_presort.JOB,
        {"FeedPresorted": ("userId", "segmentIndex")},
        """INSERT INTO "Post" ("id", "userId", "text", "createdAt")
        VALUES (800001, 7, 'Sailing', '2026-06-01 12:00:00.5+00')""",
        _USER_GOES,
        before=("match-scores",),
        keys_only=True,
    ),
    Described(
        feed_presort_cleanup.JOB,
        {"FeedPresorted": ("userId", "segmentIndex")},
        """UPDATE "FeedSegment" SET "expiresAt" = '2026-06-01' WHERE "userId" = (
            SELECT min("userId") FROM "FeedSegment")""",
        """UPDATE "User" SET "deletedAt" = '2026-06-01' WHERE "id" = {key}""",
        looks_always=True,
        before=("match-scores", "feed-presort"),
        keys_only=True,
    ),
    Described(match_model.JOB, {}, _A_CHANGE_OF_MIND, no_vanish=_NO_KEYS),
    Described(match_quality.JOB, {}, _A_CHANGE_OF_MIND, no_vanish=_NO_KEYS),
    Described(media_metadata.JOB, options={"mediaId": 902}, **_OF_MEDIA),
    Described(media_metadata_all.JOB, **_OF_MEDIA),
    Described(media_metadata_batch.JOB, **_OF_MEDIA),
)
_BY_NAME = {described.name: described for described in _ALL}


def described(name: str) -> Described:
    """The description of a job of the catalog."""
    assert name in JOBS
    assert name in _BY_NAME, f"tests/promises/described.py says nothing of {name}"
    return _BY_NAME[name]
