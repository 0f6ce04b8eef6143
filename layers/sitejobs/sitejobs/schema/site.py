"""The site's own tables, and which of their columns each job reads. Views of these names serve as well."""

from sitejobs.schema.model import Column, Extension, Index, Jobs, Table

MATCH_SCORES = "match-scores"
COMPATIBILITY = "compatibility"
SEARCH_INDEX = "profile-search-index"
SEARCHABLE = "searchable-user"
INTEREST_SETS = "user-interest-sets"
FEATURES = "content-features"
TRENDING = "trending"
AFFINITY = "affinity"
FEED = "feed-presort"
FEED_CLEANUP = "feed-presort-cleanup"
TRAITS = "build-user-traits"
MATCH_MODEL = "match-model"
MATCH_QUALITY = "match-quality"
MEDIA = ("media-metadata", "media-metadata-all", "media-metadata-batch")

SNAPSHOT = (MATCH_SCORES, MATCH_MODEL, MATCH_QUALITY)
"""Jobs that take a snapshot of everybody."""

MATCHING = (*SNAPSHOT, COMPATIBILITY)
SEARCH = (SEARCH_INDEX, SEARCHABLE)


def _columns(type_: str, *names: str, jobs: Jobs = None) -> tuple[Column, ...]:
    return tuple(Column(name, type_, jobs) for name in names)


SITE_TABLES: tuple[Table, ...] = (
    Table(
        "User",
        jobs=(
            *MATCHING,
            *SEARCH,
            INTEREST_SETS,
            FEED,
            FEED_CLEANUP,
            TRAITS,
            TRENDING,
            AFFINITY,
        ),
        columns=(
            *_columns("bigint", "id"),
            *_columns("timestamp", "deletedAt"),
            *_columns("timestamp", "createdAt", jobs=(SEARCH_INDEX,)),
        ),
        indexes=(Index(("id",), unique=True),),
    ),
    Table(
        "Profile",
        jobs=(*MATCHING, *SEARCH, FEED, FEED_CLEANUP, TRENDING),
        columns=(
            *_columns("bigint", "id", "userId"),
            *_columns("boolean", "isVisible", jobs=(*SNAPSHOT, *SEARCH, FEED, FEED_CLEANUP, TRENDING)),
            *_columns("timestamp", "deletedAt"),
            *_columns("timestamp", "updatedAt", jobs=SNAPSHOT),
            *_columns("text", "gender", jobs=(*SNAPSHOT, *SEARCH)),
            *_columns("date", "birthdate", jobs=(*SNAPSHOT, *SEARCH)),
            *_columns("text", "locationText", jobs=(*SNAPSHOT, *SEARCH)),
            *_columns("double precision", "lat", "lng", jobs=(*SNAPSHOT, *SEARCH)),
            *_columns("text", "displayName", "avatarUrl", jobs=(*SEARCH, FEED)),
            *_columns("text", "bio", jobs=(*SEARCH, FEED)),
            *_columns("text", "geoPrecision", "intent", jobs=(SEARCH_INDEX,)),
            *_columns("measure", "locationAccuracy", jobs=(SEARCH_INDEX,)),
        ),
        indexes=(Index(("id",), unique=True), Index(("userId",), unique=True, live=True)),
    ),
    Table(
        "UserPreference",
        jobs=SNAPSHOT,
        columns=(
            *_columns("bigint", "userId"),
            *_columns("double precision", "preferredAgeMin", "preferredAgeMax", "preferredDistanceKm"),
            *_columns("names", "preferredGenders"),
            *_columns("timestamp", "updatedAt"),
        ),
        indexes=(Index(("userId",), unique=True),),
    ),
    Table(
        "UserBlock",
        jobs=(*MATCHING, FEED, FEED_CLEANUP),
        columns=_columns("bigint", "blockerId", "blockedId"),
        indexes=(Index(("blockerId",)), Index(("blockedId",))),
    ),
    Table(
        "Quiz",
        jobs=(FEED, FEED_CLEANUP),
        columns=(
            *_columns("bigint", "id"),
            *_columns("timestamp", "updatedAt", jobs=(FEED,)),
            *_columns("boolean", "isActive"),
        ),
        indexes=(Index(("id",), unique=True),),
    ),
    Table(
        "QuizQuestion",
        jobs=(TRAITS, FEED, FEED_CLEANUP),
        columns=(
            *_columns("bigint", "id", "quizId"),
            *_columns("text", "prompt", jobs=(FEED,)),
            *_columns("double precision", "order", jobs=(FEED,)),
        ),
        indexes=(Index(("id",), unique=True), Index(("quizId",))),
    ),
    Table(
        "QuizOption",
        jobs=(TRAITS, FEED),
        columns=(
            *_columns("bigint", "id", "questionId"),
            *_columns("text", "value"),
            *_columns("jsonb", "traitValues", jobs=(TRAITS,)),
            *_columns("text", "label", jobs=(FEED,)),
            *_columns("double precision", "order", jobs=(FEED,)),
        ),
        indexes=(Index(("questionId",)),),
    ),
    Table(
        "QuizResult",
        jobs=(*MATCHING, TRAITS, FEED),
        columns=(
            *_columns("bigint", "userId", "quizId"),
            *_columns("timestamp", "updatedAt", jobs=(*MATCHING, TRAITS, FEED)),
            *_columns("jsonb", "answers", jobs=(*MATCHING, TRAITS, FEED)),
            *_columns("jsonb", "scoreVec", jobs=MATCHING),
        ),
        indexes=(Index(("userId",)), Index(("userId", "quizId"), unique=True)),
    ),
    Table(
        "InterestSubject",
        jobs=(MATCH_SCORES, COMPATIBILITY),
        columns=(*_columns("bigint", "id"), *_columns("text", "key")),
        indexes=(Index(("id",), unique=True),),
    ),
    Table(
        "Interest",
        jobs=(MATCH_SCORES, COMPATIBILITY),
        columns=(*_columns("bigint", "id", "subjectId"), *_columns("text", "key")),
        indexes=(Index(("id",), unique=True),),
    ),
    Table(
        "UserInterest",
        jobs=(*MATCHING, *SEARCH, INTEREST_SETS),
        columns=(
            *_columns("bigint", "userId", "subjectId", "interestId"),
            *_columns("timestamp", "createdAt", jobs=(INTEREST_SETS,)),
        ),
        indexes=(Index(("userId",)), Index(("userId", "subjectId", "interestId"), unique=True)),
    ),
    Table(
        "ProfileRating",
        jobs=MATCHING,
        columns=(
            *_columns("bigint", "raterProfileId", "targetProfileId"),
            *_columns("double precision", "attractive", "smart", "funny", "interesting"),
            *_columns("timestamp", "createdAt"),
        ),
        indexes=(
            *(Index(("raterProfileId",)), Index(("targetProfileId",))),
            Index(("raterProfileId", "targetProfileId"), unique=True),
        ),
    ),
    Table(
        "Top5List",
        jobs=(SEARCH_INDEX,),
        columns=(*_columns("bigint", "id", "profileId"), *_columns("text", "title")),
        indexes=(Index(("profileId",)),),
    ),
    Table(
        "Top5Item",
        jobs=(SEARCH_INDEX,),
        columns=(
            *_columns("bigint", "listId"),
            *_columns("double precision", "order"),
            *_columns("text", "text"),
        ),
        indexes=(Index(("listId",)),),
    ),
    Table(
        "Match",
        jobs=(*MATCHING, FEED),
        columns=(
            *_columns("bigint", "userAId", "userBId"),
            *_columns("text", "state"),
            *_columns("timestamp", "updatedAt", jobs=(COMPATIBILITY, FEED)),
        ),
        indexes=(Index(("userAId",)), Index(("userBId",))),
    ),
    Table(
        "Like",
        jobs=(*SNAPSHOT, FEED),
        columns=(
            *_columns("bigint", "fromUserId", "toUserId"),
            *_columns("text", "action"),
            *_columns("timestamp", "createdAt"),
        ),
        indexes=(Index(("fromUserId",)), Index(("toUserId",))),
    ),
    Table(
        "ProfileAccess",
        jobs=(COMPATIBILITY, FEED, FEED_CLEANUP),
        columns=(*_columns("bigint", "ownerUserId", "viewerUserId"), *_columns("text", "status")),
        indexes=(Index(("ownerUserId",)), Index(("viewerUserId",))),
    ),
    Table(
        "Conversation",
        jobs=(*MATCHING, FEED),
        columns=_columns("bigint", "userAId", "userBId"),
        indexes=(Index(("userAId",)), Index(("userBId",))),
    ),
    Table(
        "Post",
        jobs=(FEATURES, TRENDING, AFFINITY, FEED, FEED_CLEANUP),
        columns=(
            *_columns("bigint", "id", "userId"),
            *_columns("text", "visibility", "text"),
            *_columns("timestamp", "createdAt", "deletedAt"),
        ),
        indexes=(Index(("id",), unique=True), Index(("createdAt",)), Index(("userId", "createdAt"))),
    ),
    Table(
        "PostMedia",
        jobs=(FEATURES, AFFINITY, FEED),
        columns=(*_columns("bigint", "postId", "mediaId"), *_columns("double precision", "order")),
        indexes=(Index(("postId",)),),
    ),
    Table(
        "LikedPost",
        jobs=(TRENDING, AFFINITY),
        columns=(*_columns("bigint", "userId", "postId"), *_columns("timestamp", "createdAt")),
        indexes=(Index(("postId",)), Index(("userId", "createdAt")), Index(("userId", "postId"), unique=True)),
    ),
    Table(
        "Media",
        jobs=(*MEDIA, FEATURES, AFFINITY, FEED),
        columns=(
            *_columns("bigint", "id"),
            *_columns("text", "type", "status"),
            *_columns("timestamp", "deletedAt"),
            *_columns("text", "storageKey", "mimeType", jobs=MEDIA),
            *_columns("double precision", "sizeBytes", "width", "height", "durationSec", jobs=MEDIA),
            *_columns("timestamp", "createdAt", jobs=MEDIA),
        ),
        indexes=(Index(("id",), unique=True), Index(("status", "createdAt")), Index(("storageKey",))),
        updates=("width", "height", "durationSec", "mimeType", "status"),
        updated_by=MEDIA,
    ),
)

EXTENSIONS: tuple[Extension, ...] = (Extension("pg_trgm", (SEARCH_INDEX,), "search by parts of a name", migrated=True),)
