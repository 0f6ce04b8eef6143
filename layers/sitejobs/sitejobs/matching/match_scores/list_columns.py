"""The columns of "MatchList" and "MatchListChange", and the numbers of 16 bits that lists hold."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Singles
from sitejobs.matching.scoring.pair_scores import SHARED_SHOWN

CODED_ONE: Final = 65520
"""Steps from a part of 0 to one of 1. 16 bits hold so many, and halves, thirds, fifths and tenths are exact."""

CODES: Final = {
    "quizCode": "traits",
    "interestsCode": "interests",
    "ratingsFitCode": "rating_fit",
    "newCode": "newness",
    "nearbyCode": "proximity",
}
"""A list's parts of the score, as codes (`coded`). The quality of ratings follows from the averages."""

PARTS: Final = {
    "scoreQuiz": "traits",
    "scoreInterests": "interests",
    "scoreRatingsQuality": "rating_quality",
    "scoreRatingsFit": "rating_fit",
    "scoreNew": "newness",
    "scoreNearby": "proximity",
}
"""The parts beside a list, where few are stored: as they are."""

AVERAGES: Final = ("avgAttractive", "avgSmart", "avgFunny", "avgInteresting")
HALVES: Final = ("attractiveHalves", "smartHalves", "funnyHalves", "interestingHalves")
"""Twice the sums of the ratings, in the place of the averages (`halves_of`)."""

_BOTH: Final = {
    "candidateUserId": ">i8",
    "distanceKm": ">f4",
    "ratingCount": ">i4",
    "sharedInterestCount": ">i2",
    "commonTraits": ">i2",
    "candidateTraits": ">i2",
    "genderOk": "?",
    "ageOk": "?",
    "distanceOk": "?",
    **{f"sharedInterestId{number}": ">i8" for number in range(1, SHARED_SHOWN + 1)},
    "scoreLike": ">f4",
    "scoreBack": ">f4",
    **dict.fromkeys(AVERAGES, ">f4"),
}
"""Values that both tables have, and what is in the arrays of a list."""

SOMETIMES: Final = ("genderOk", "ageOk", "distanceOk", "scoreLike", "scoreBack")
"""Columns that all of a viewer's matches have or none."""

NULLABLE: Final = frozenset({*SOMETIMES, *(name for name in _BOTH if "InterestId" in name)})
"""Columns whose array is NULL where none of its values is there."""

AGEING: Final = {"score": ">f4", "newCode": ">i2"}
"""A list's columns of arrays whose values change with time alone. Its fingerprint covers all others."""

WITH_NULLS: Final = tuple(name for name in _BOTH if name == "distanceKm" or "InterestId" in name)
"""A list's columns of arrays of which single values may be NULL, but for the averages."""

LIST_ARRAYS: Final = AGEING | _BOTH | dict.fromkeys((*CODES, *HALVES), ">i2")
PLAIN: Final = tuple(name for name in LIST_ARRAYS if name not in (*AGEING, *WITH_NULLS, *SOMETIMES, *AVERAGES, *HALVES))
"""A list's columns of arrays whose values are always there."""

HEAD: Final = ("userId", "scoredAt", "algorithmVersion", "fingerprint", "viewerTraits", "tierA")
SPARES: Final = ("spareUserId", "spareScore", "spareTierA")
COPY_COLUMNS: Final = (*HEAD, *AGEING, *PLAIN, *HALVES, *AVERAGES, *WITH_NULLS, *SOMETIMES, *SPARES)
"""Those of "MatchList", as they are written. Of HALVES and AVERAGES a list has the one or the other."""

CHANGE_ARRAYS: Final = {
    "candidateUserId": (">i8", ("candidateUserId",)),
    "score": (">f4", ("score",)),
    "parts": (">f4", (*PARTS, "distanceKm", *AVERAGES, "scoreLike", "scoreBack")),
    "counts": (
        ">i4",
        ("ratingCount", "sharedInterestCount", "commonTraits", "candidateTraits", "genderOk", "ageOk", "distanceOk"),
    ),
    "sharedInterestIds": (">i8", tuple(name for name in _BOTH if "InterestId" in name)),
}
"""The arrays of "MatchListChange", what is in them, and the values that each candidate has there, one after the other.

There are few candidates, so an array for each value would be mostly headers.
"""

CHANGE_COLUMNS: Final = ("userId", "listScoredAt", "scoredAt", "tierA", "rank", *CHANGE_ARRAYS)
"""Those of "MatchListChange", in the order in which they are written."""

_MOST: Final = np.iinfo(np.int16).max


def coded(part: Floats) -> NDArray[np.int16]:
    """Codes of a part of scores, each from 0 to 1: CODED_ONE times the part, less half of that. Off by 8e-6 at most."""
    return (np.rint(part * CODED_ONE) - CODED_ONE // 2).astype(np.int16)


def halves_of(averages: Singles, counts: NDArray[np.int32]) -> tuple[NDArray[np.int16], Flags]:
    """Twice the sums of ratings (c, 4), 0 where there are none, and (c,) whether the averages follow from them exactly.

    They do not where ratings are finer than halves, and where there are thousands.
    """
    several = 2.0 * np.maximum(counts, 1)[:, None]
    sums = np.rint(np.where(counts[:, None] > 0, averages, 0).astype(np.float64) * several)
    exact = (sums / several).astype(np.float32) == averages
    fit = (counts == 0) | (exact & (sums <= _MOST)).all(axis=1)
    return np.where(fit[:, None], sums, 0).astype(np.int16), fit
