"""The bundle's own tables as its migrations leave them; a test compares the two.

They are listed because a database may hold older tables of the same names: CREATE TABLE IF NOT EXISTS passes them over.
"""

from sitejobs.schema.model import Column, Index, Table
from sitejobs.schema.site import (
    AFFINITY,
    COMPATIBILITY,
    FEATURES,
    FEED,
    FEED_CLEANUP,
    INTEREST_SETS,
    MATCH_MODEL,
    MATCH_SCORES,
    MEDIA,
    SEARCH_INDEX,
    SEARCHABLE,
    SNAPSHOT,
    TRAITS,
    TRENDING,
)


def _columns(text: str) -> tuple[Column, ...]:
    """Columns written as in SQL: `name type, name type`."""
    pairs = (part.strip().split(" ", 1) for part in text.split(";"))
    return tuple(Column(name, type_) for name, type_ in pairs)


_SCORES = """userId bigint; candidateUserId bigint; score real; scoreQuiz real; scoreInterests real;
    scoreRatingsQuality real; scoreRatingsFit real; scoreNew real; scoreNearby real; distanceKm real"""

_FEED_PRESORTED = """userId bigint; segmentIndex smallint; items jsonb; phase1Json text; algorithmVersion text;
    computedAt timestamp with time zone; expiresAt timestamp with time zone"""

BUNDLE_TABLES: tuple[Table, ...] = (
    Table(
        "JobRun",
        jobs=None,
        columns=_columns(
            """id bigint; job text; scope text; execution text; trigger text; options jsonb; context jsonb;
            status text; chapter integer; pages integer; failedPages integer; processed bigint; written bigint;
            skipped bigint; failed bigint; reasons jsonb; startedAt timestamp with time zone;
            heartbeatAt timestamp with time zone; finishedAt timestamp with time zone; error text"""
        ),
        indexes=(Index(("id",), unique=True), Index(("execution",), unique=True), Index(("job", "id"))),
        owned=True,
    ),
    Table(
        "JobRunOverview",
        jobs=None,
        columns=_columns(
            """id bigint; job text; scope text; trigger text; options jsonb; status text;
            startedAt timestamp with time zone; finishedAt timestamp with time zone; seconds double precision;
            quietSeconds double precision; pages integer; failedPages integer; processed bigint; written bigint;
            skipped bigint; failed bigint; reasons jsonb; pageErrors jsonb; message text; error text; execution text"""
        ),
        owned=True,
        view=True,
    ),
    Table(
        "JobRunFailedPage",
        jobs=None,
        columns=_columns(
            "runId bigint; page integer; keys jsonb; error text; detail text; failedAt timestamp with time zone"
        ),
        indexes=(Index(("runId", "page"), unique=True),),
        owned=True,
    ),
    Table(
        "UserTrait",
        jobs=(*SNAPSHOT, SEARCH_INDEX, TRAITS),
        columns=_columns(
            "userId bigint; traitKey text; value numeric(10,2); n integer; updatedAt timestamp with time zone"
        ),
        indexes=(Index(("userId", "traitKey"), unique=True),),
        owned=True,
    ),
    Table(
        "UserTraitState",
        jobs=(TRAITS,),
        columns=_columns("userId bigint; fingerprint bigint; skipped integer; checkedAt timestamp with time zone"),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "QuizOptionSeen",
        jobs=(TRAITS,),
        columns=_columns(
            """quizId bigint; questionId bigint; valueHash bigint; fingerprint bigint;
            changedAt timestamp with time zone"""
        ),
        indexes=(Index(("quizId", "questionId", "valueHash"), unique=True), Index(("changedAt",))),
        owned=True,
    ),
    Table(
        "InterestUserSet",
        jobs=(INTEREST_SETS,),
        columns=_columns("interestId bigint; userId bigint; createdAt timestamp with time zone"),
        indexes=(Index(("interestId", "userId"), unique=True), Index(("userId",))),
        owned=True,
    ),
    Table(
        "InterestSubjectUserSet",
        jobs=(INTEREST_SETS,),
        columns=_columns("subjectId bigint; userId bigint; createdAt timestamp with time zone"),
        indexes=(Index(("subjectId", "userId"), unique=True), Index(("userId",))),
        owned=True,
    ),
    Table(
        "InterestSetState",
        jobs=(INTEREST_SETS,),
        columns=_columns("userId bigint; fingerprint bigint; updatedAt timestamp with time zone"),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "MatchList",
        jobs=(MATCH_SCORES, COMPATIBILITY, FEED),
        columns=_columns(
            """userId bigint; scoredAt timestamp with time zone; algorithmVersion text; fingerprint bigint;
            viewerTraits smallint; tierA smallint; candidateUserId bigint[]; score real[]; scoreQuiz real[];
            scoreInterests real[]; scoreRatingsQuality real[]; scoreRatingsFit real[]; scoreNew real[];
            scoreNearby real[]; distanceKm real[]; avgAttractive real[]; avgSmart real[]; avgFunny real[];
            avgInteresting real[]; ratingCount integer[]; sharedInterestCount smallint[]; commonTraits smallint[];
            candidateTraits smallint[]; genderOk boolean[]; ageOk boolean[]; distanceOk boolean[];
            sharedInterestId1 bigint[]; sharedInterestId2 bigint[]; sharedInterestId3 bigint[];
            sharedInterestId4 bigint[]; sharedInterestId5 bigint[]; scoreLike real[]; scoreBack real[];
            spareUserId bigint[]; spareScore real[]; spareTierA smallint; quizCode smallint[];
            interestsCode smallint[]; ratingsFitCode smallint[]; newCode smallint[]; nearbyCode smallint[];
            attractiveHalves smallint[]; smartHalves smallint[]; funnyHalves smallint[]; interestingHalves smallint[]"""
        ),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "MatchListChange",
        jobs=(MATCH_SCORES, COMPATIBILITY, FEED),
        columns=_columns(
            """userId bigint; listScoredAt timestamp with time zone; scoredAt timestamp with time zone; tierA smallint;
            rank smallint[]; candidateUserId bigint[]; score real[]; scoreQuiz real[]; scoreInterests real[];
            scoreRatingsQuality real[]; scoreRatingsFit real[]; scoreNew real[]; scoreNearby real[]; distanceKm real[];
            avgAttractive real[]; avgSmart real[]; avgFunny real[]; avgInteresting real[]; ratingCount integer[];
            sharedInterestCount smallint[]; commonTraits smallint[]; candidateTraits smallint[]; genderOk boolean[];
            ageOk boolean[]; distanceOk boolean[]; sharedInterestId1 bigint[]; sharedInterestId2 bigint[];
            sharedInterestId3 bigint[]; sharedInterestId4 bigint[]; sharedInterestId5 bigint[]; scoreLike real[];
            scoreBack real[]; parts real[]; counts integer[]; sharedInterestIds bigint[]"""
        ),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "MatchCandidates",
        jobs=(MATCH_SCORES, COMPATIBILITY, FEED),
        columns=_columns(
            """userId bigint; scoredAt timestamp with time zone; tierA smallint; candidateUserId bigint[];
            score real[]"""
        ),
        owned=True,
        view=True,
    ),
    Table(
        "MatchScore",
        jobs=(MATCH_SCORES,),
        columns=_columns(
            _SCORES
            + """; avgAttractive real; avgSmart real; avgFunny real; avgInteresting real; ratingCount integer;
            rank smallint; sharedInterestCount smallint; commonTraits smallint; viewerTraits smallint;
            candidateTraits smallint; tier character(1); genderOk boolean; ageOk boolean; distanceOk boolean;
            scoredAt timestamp with time zone; algorithmVersion text; sharedInterestIds bigint[];
            scoreLike real; scoreBack real"""
        ),
        owned=True,
        view=True,
    ),
    Table(
        "MatchScoreViewer",
        jobs=(MATCH_SCORES,),
        columns=_columns(
            """userId bigint; scoredAt timestamp with time zone; algorithmVersion text; rows smallint; skipped text;
            provisional boolean"""
        ),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "MatchScoreExplained",
        jobs=(MATCH_SCORES,),
        columns=_columns(
            _SCORES
            + """; tier character(1); rank smallint; algorithmVersion text; scoredAt timestamp with time zone;
            reasons jsonb; scoreLike real; scoreBack real"""
        ),
        owned=True,
        view=True,
    ),
    Table(
        "MatchModel",
        jobs=(MATCH_SCORES, MATCH_MODEL),
        columns=_columns(
            """id bigint; runId bigint; status text; trainedAt timestamp with time zone;
            trainedThrough timestamp with time zone; decisions bigint; parameters jsonb; figures jsonb;
            reasons text[]"""
        ),
        indexes=(Index(("id",), unique=True),),
        owned=True,
    ),
    Table(
        "UserMatchEffect",
        jobs=SNAPSHOT,
        columns=_columns(
            """modelId bigint; userId bigint; selectivity real; appeal real; price real; trainedSelectivity real;
            trainedAppeal real; fingerprint bigint"""
        ),
        indexes=(Index(("modelId", "userId"), unique=True),),
        owned=True,
    ),
    Table(
        "UserCompatibility",
        jobs=(COMPATIBILITY,),
        columns=_columns(
            """viewerUserId bigint; targetUserId bigint; score real; scoreQuiz real; scoreInterests real;
            scoreRatingsQuality real; scoreRatingsFit real; avgAttractive real; avgSmart real; avgFunny real;
            avgInteresting real; ratingCount integer; sharedInterestCount smallint;
            computedAt timestamp with time zone; algorithmVersion text; sharedInterestIds bigint[]; status text;
            chance real"""
        ),
        indexes=(Index(("viewerUserId", "targetUserId"), unique=True),),
        owned=True,
    ),
    Table(
        "UserCompatibilityViewer",
        jobs=(COMPATIBILITY,),
        columns=_columns(
            """userId bigint; fingerprint bigint; rows integer; skipped text; algorithmVersion text;
            computedAt timestamp with time zone"""
        ),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "UserCompatibilityInput",
        jobs=(COMPATIBILITY,),
        columns=_columns(
            """userId bigint; interests bytea; latestQuizId bigint; results bytea; vectors bytea; answers bytea;
            received bytea; given bytea; viewerHash bigint; targetHash bigint"""
        ),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "UserCompatibilityExplained",
        jobs=(COMPATIBILITY,),
        columns=_columns(
            """viewerUserId bigint; targetUserId bigint; status text; score real; reasons jsonb; algorithmVersion text;
            computedAt timestamp with time zone"""
        ),
        owned=True,
        view=True,
    ),
    Table(
        "SearchableUser",
        jobs=(SEARCHABLE,),
        columns=_columns(
            """userId bigint; isVisible boolean; isDeleted boolean; completeness real; isSearchable boolean;
            reasons text[]; missing text[]; updatedAt timestamp with time zone"""
        ),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "ProfileSearchIndex",
        jobs=(SEARCH_INDEX,),
        columns=_columns(
            """userId bigint; displayName text; bio text; locationText text; lat double precision;
            lng double precision; hasLocation boolean; geoPrecision text; locationAccuracy double precision;
            gender text; intent text; age integer; ageBucket integer; birthdate date; city text; state text;
            country text; interestCount integer; traitCount integer; traitSummary jsonb; top5Keywords text[];
            isVisible boolean; isDeleted boolean; accountCreatedAt timestamp with time zone; searchVector tsvector;
            fingerprint bigint; indexedAt timestamp with time zone"""
        ),
        indexes=(
            Index(("userId",), unique=True),
            Index(("searchVector",), method="gin"),
            Index(("lat", "lng")),
        ),
        owned=True,
    ),
    Table(
        "PostFeatures",
        jobs=(FEATURES, AFFINITY, FEED),
        columns=_columns(
            """postId bigint; topics text[]; quality double precision; computedAt timestamp with time zone;
            fingerprint bigint"""
        ),
        indexes=(Index(("postId",), unique=True),),
        owned=True,
    ),
    Table(
        "TrendingScore",
        jobs=(TRENDING, FEED),
        columns=_columns(
            """postId bigint; popularity double precision; velocity double precision; peakVelocity double precision;
            peakTime timestamp with time zone; computedAt timestamp with time zone;
            expiresAt timestamp with time zone"""
        ),
        indexes=(Index(("postId",), unique=True),),
        owned=True,
    ),
    Table(
        "UserAffinityProfile",
        jobs=(AFFINITY, FEED),
        columns=_columns(
            """userId bigint; topCreators bigint[]; topCreatorShares real[]; topTopics text[];
            topTopicShares real[]; contentTypePrefs jsonb; engagementVelocity double precision;
            explorationFactor double precision; computedAt timestamp with time zone; fingerprint bigint"""
        ),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "MediaMetadata",
        jobs=MEDIA,
        columns=_columns(
            """mediaId bigint; storageKey text; etag text; objectModifiedAt timestamp with time zone; verdict text;
            reasons jsonb; checkedAt timestamp with time zone; checks integer; format text; kind text; mimeType text;
            sizeBytes bigint; durationMs bigint; width integer; height integer; storedWidth integer;
            storedHeight integer; rotation smallint; mirrored boolean; aspectRatio double precision; hasVideo boolean;
            hasAudio boolean; videoCodec text; videoProfile text; bitDepth smallint; frameRate double precision;
            bitRate bigint; hdrFormat text; audioCodec text; channels smallint; sampleRate integer; language text;
            animated boolean; frameCount integer; capturedAt timestamp without time zone; playable boolean;
            placeholder text; dominantColor text"""
        ),
        indexes=(Index(("mediaId",), unique=True),),
        owned=True,
    ),
    Table(
        "FeedSegment",
        jobs=(FEED, FEED_CLEANUP),
        columns=_columns(
            """userId bigint; segmentIndex smallint; algorithmVersion text; computedAt timestamp with time zone;
            expiresAt timestamp with time zone; phase1Json text; presentation text[]; id bigint[];
            score double precision[]; match double precision[]; affinity double precision[];
            recency double precision[]; quality double precision[]; trending double precision[]"""
        ),
        indexes=(Index(("userId", "segmentIndex"), unique=True),),
        owned=True,
    ),
    Table(
        "FeedCard",
        jobs=(FEED, FEED_CLEANUP),
        columns=_columns("kind text; id bigint; madeAt timestamp with time zone; hash bigint; card jsonb"),
        indexes=(Index(("kind", "id", "madeAt")),),
        owned=True,
    ),
    Table(
        "FeedPresortedRow",
        jobs=(FEED, FEED_CLEANUP),
        columns=_columns(_FEED_PRESORTED),
        indexes=(Index(("userId", "segmentIndex"), unique=True),),
        owned=True,
    ),
    Table("FeedPresorted", jobs=(FEED,), columns=_columns(_FEED_PRESORTED), owned=True, view=True),
    Table(
        "FeedPresortedUser",
        jobs=(FEED, FEED_CLEANUP),
        columns=_columns(
            """userId bigint; algorithmVersion text; computedAt timestamp with time zone;
            expiresAt timestamp with time zone; segments smallint; skipped text; shared bigint; fingerprint bigint;
            people bigint[]; publicPosts bigint; posts bigint[]; scored boolean; lastScore integer"""
        ),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
    Table(
        "FeedPublicPosts",
        jobs=(FEED, FEED_CLEANUP),
        columns=_columns("hash bigint; madeAt timestamp with time zone; id bigint[]; content bigint[]; rank bigint[]"),
        indexes=(Index(("hash", "madeAt")),),
        owned=True,
    ),
)
