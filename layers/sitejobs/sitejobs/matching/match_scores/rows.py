"""Encodes a page as PostgreSQL binary COPY with numpy; and the column list of MatchScore."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.topk.search import Matches
from sitejobs.postgres.copy import LAST_COLUMNS, Values, encode_table, microseconds, small

COLUMNS: dict[str, str] = {
    "userId": ">i8",
    "candidateUserId": ">i8",
    "score": ">f4",
    "scoreQuiz": ">f4",
    "scoreInterests": ">f4",
    "scoreRatingsQuality": ">f4",
    "scoreRatingsFit": ">f4",
    "scoreNew": ">f4",
    "scoreNearby": ">f4",
    "distanceKm": ">f4",
    "avgAttractive": ">f4",
    "avgSmart": ">f4",
    "avgFunny": ">f4",
    "avgInteresting": ">f4",
    "ratingCount": ">i4",
    "rank": ">i2",
    "sharedInterestCount": ">i2",
    "commonTraits": ">i2",
    "viewerTraits": ">i2",
    "candidateTraits": ">i2",
    "tier": "S1",
    "genderOk": "?",
    "ageOk": "?",
    "distanceOk": "?",
    "scoredAt": ">i8",
}
"""Columns of fixed size; algorithmVersion and sharedInterestIds follow."""
COPY_COLUMNS = (*COLUMNS, *LAST_COLUMNS)


def encode_rows(
    matches: Matches,
    viewers: Users,
    interest_ids: NDArray[np.int64],
    scored_at: datetime,
    algorithm_version: str,
) -> bytes:
    """All rows of the matches, without COPY's header and trailer.

    `interest_ids`: id of each interest code.
    """
    return encode_table(
        COLUMNS, _columns(matches, viewers, scored_at), algorithm_version, matches.pairs.shared, interest_ids
    )


def are_finite(matches: Matches) -> NDArray[np.bool_]:
    """(p,) whether a row can be stored: all its numbers are finite, but for those that it does not have.

    The score is the weighted sum of the parts: it is finite only if they are, whatever their weights.
    """
    pairs, candidates = matches.pairs, matches.candidates
    rated = np.isfinite(candidates.averages).all(axis=1) | (candidates.rating_count == 0)
    return np.asarray(np.isfinite(pairs.score) & ~np.isinf(pairs.distance_km) & rated[pairs.candidate])


def _columns(matches: Matches, viewers: Users, scored_at: datetime) -> dict[str, Values]:
    pairs, candidates = matches.pairs, matches.candidates
    viewer, candidate = pairs.viewer, pairs.candidate
    averages = candidates.averages[candidate]
    rated = candidates.rating_count[candidate] > 0
    wants_age = (viewers.age_min != MISSING) | (viewers.age_max != MISSING)
    return {
        "userId": Values(viewers.ids[viewer]),
        "candidateUserId": Values(candidates.ids[candidate]),
        "score": Values(pairs.score),
        "scoreQuiz": Values(pairs.traits),
        "scoreInterests": Values(pairs.interests),
        "scoreRatingsQuality": Values(pairs.rating_quality),
        "scoreRatingsFit": Values(pairs.rating_fit),
        "scoreNew": Values(pairs.newness),
        "scoreNearby": Values(pairs.proximity),
        "distanceKm": Values(pairs.distance_km, ~np.isnan(pairs.distance_km)),
        "avgAttractive": Values(averages[:, 0], rated),
        "avgSmart": Values(averages[:, 1], rated),
        "avgFunny": Values(averages[:, 2], rated),
        "avgInteresting": Values(averages[:, 3], rated),
        "ratingCount": Values(candidates.rating_count[candidate]),
        "rank": Values(matches.rank),
        "sharedInterestCount": Values(small(pairs.shared_count)),
        "commonTraits": Values(small(pairs.common_traits)),
        "viewerTraits": Values(small(viewers.trait_count[viewer])),
        "candidateTraits": Values(small(candidates.trait_count[candidate])),
        "tier": Values(np.where(pairs.tier_a, b"A", b"B")),
        "genderOk": Values(pairs.gender_ok, (viewers.wants != 0)[viewer]),
        "ageOk": Values(pairs.age_ok, wants_age[viewer]),
        "distanceOk": Values(pairs.distance_ok, ~np.isnan(viewers.distance)[viewer]),
        "scoredAt": Values(microseconds(scored_at)),
    }
