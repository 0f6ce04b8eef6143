"""Why a record gets no result, and should not: the codes that a run's summary counts."""

from enum import StrEnum


class SkipReason(StrEnum):
    """A code of the summary; one meaning in all jobs."""

    DELETED = "deleted"
    FRESH = "fresh"
    """Nothing that the record's result depends on has changed: it is not looked at."""
    UNCHANGED = "unchanged"
    """It was computed, and is equal to what is stored."""
    SUPERSEDED = "superseded"
    """A later run has already written this viewer."""
    NEWER_RESULT = "newer-result"
    """What is stored is of a later run."""

    NO_PROFILE = "no-profile"
    NO_CANDIDATES = "no-candidates"
    ALL_DECIDED = "all-decided"
    """Everybody who could be suggested is decided about."""
    NO_TARGETS = "no-targets"
    NO_INTERESTS = "no-interests"
    NO_QUIZ_RESULTS = "no-quiz-results"
    NO_LIKES = "no-likes"

    PRIVATE = "private"
    AUTHOR_HIDDEN = "author-hidden"
    OUT_OF_WINDOW = "out-of-window"
    FEW_LIKES = "few-likes"
    NOTHING_TO_SHOW = "nothing-to-show"
    BEING_PRESORTED = "being-presorted"
    NOTHING_TO_REMOVE = "nothing-to-remove"

    NO_FILE = "no-file"
    NO_STORAGE_KEY = "no-storage-key"
    OUTSIDE_PREFIX = "outside-prefix"
    NOT_UPLOADED = "not-uploaded"
    NO_UPLOAD = "no-upload"
    """The message names no object of ours."""
    NO_RECORD_YET = "no-record-yet"
    NOT_AVAILABLE = "not-available"
    """The database or the bucket: the message comes again."""
    OUT_OF_TIME = "out-of-time"
