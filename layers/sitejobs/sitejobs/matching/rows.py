"""Rows of MatchScore in PostgreSQL's binary COPY format, made by numpy for a whole page at once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.exact import SHARED_SHOWN
from sitejobs.matching.search import Matches
from sitejobs.matching.users import MISSING, Users

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_ARRAY_HEADER = 20
_ARRAY_ELEMENT = 12
_INT8_OID = 20

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

COPY_COLUMNS = (*COLUMNS, "algorithmVersion", "sharedInterestIds")


@dataclass(frozen=True)
class _Values:
    """Values of one column and, where it may be NULL, who has one."""

    values: Any
    present: NDArray[np.bool_] | None = None


def encode_rows(
    matches: Matches,
    viewers: Users,
    interest_ids: NDArray[np.int64],
    scored_at: datetime,
    algorithm_version: str,
) -> bytes:
    """All rows of the matches, without COPY's header and trailer.

    `interest_ids`: id of each interest code. Every row is laid out at its full width; then the bytes of NULLs
    and of interests that are not there are left out, which numpy does for all rows at once.
    """
    version = algorithm_version.encode()
    dtype = _row_dtype(len(version))
    rows = np.zeros(len(matches.rank), dtype)
    kept = np.ones((len(rows), dtype.itemsize), bool)
    rows["fields"] = len(COPY_COLUMNS)
    for name, column in _columns(matches, viewers, scored_at).items():
        rows[f"{name} length"] = dtype[name].itemsize
        rows[name] = column.values
        if column.present is not None:
            rows[f"{name} length"][~column.present] = -1
            at = _offset(dtype, name)
            kept[:, at : at + dtype[name].itemsize] = column.present[:, None]
    rows["algorithmVersion length"] = len(version)
    rows["algorithmVersion"] = version
    _put_shared(rows, kept, matches.pairs.shared, interest_ids)
    return rows.view(np.uint8).reshape(kept.shape)[kept].tobytes()


def _row_dtype(version_length: int) -> np.dtype[Any]:
    parts: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in COLUMNS.items():
        parts += [(f"{name} length", ">i4"), (name, kind)]
    parts += [("algorithmVersion length", ">i4"), ("algorithmVersion", f"S{version_length}")]
    parts += [("shared length", ">i4"), ("shared dimensions", ">i4"), ("shared nulls", ">i4"), ("shared oid", ">i4")]
    parts += [("shared count", ">i4"), ("shared low", ">i4")]
    for index in range(SHARED_SHOWN):
        parts += [(f"shared {index} length", ">i4"), (f"shared {index}", ">i8")]
    return np.dtype(parts)


def _offset(dtype: np.dtype[Any], name: str) -> int:
    assert dtype.fields is not None
    return int(dtype.fields[name][1])


def _columns(matches: Matches, viewers: Users, scored_at: datetime) -> dict[str, _Values]:
    pairs, candidates = matches.pairs, matches.candidates
    viewer, candidate = pairs.viewer, pairs.candidate
    averages = candidates.averages[candidate]
    rated = candidates.rating_count[candidate] > 0
    wants_age = (viewers.age_min != MISSING) | (viewers.age_max != MISSING)
    return {
        "userId": _Values(viewers.ids[viewer]),
        "candidateUserId": _Values(candidates.ids[candidate]),
        "score": _Values(pairs.score),
        "scoreQuiz": _Values(pairs.traits),
        "scoreInterests": _Values(pairs.interests),
        "scoreRatingsQuality": _Values(pairs.rating_quality),
        "scoreRatingsFit": _Values(pairs.rating_fit),
        "scoreNew": _Values(pairs.newness),
        "scoreNearby": _Values(pairs.proximity),
        "distanceKm": _Values(pairs.distance_km, ~np.isnan(pairs.distance_km)),
        "avgAttractive": _Values(averages[:, 0], rated),
        "avgSmart": _Values(averages[:, 1], rated),
        "avgFunny": _Values(averages[:, 2], rated),
        "avgInteresting": _Values(averages[:, 3], rated),
        "ratingCount": _Values(candidates.rating_count[candidate]),
        "rank": _Values(matches.rank),
        "sharedInterestCount": _Values(_small(pairs.shared_count)),
        "commonTraits": _Values(_small(pairs.common_traits)),
        "viewerTraits": _Values(_small(viewers.trait_count[viewer])),
        "candidateTraits": _Values(_small(candidates.trait_count[candidate])),
        "tier": _Values(np.where(pairs.tier_a, b"A", b"B")),
        "genderOk": _Values(pairs.gender_ok, (viewers.wants != 0)[viewer]),
        "ageOk": _Values(pairs.age_ok, wants_age[viewer]),
        "distanceOk": _Values(pairs.distance_ok, ~np.isnan(viewers.distance)[viewer]),
        "scoredAt": _Values((scored_at - _POSTGRES_EPOCH).total_seconds() * 1_000_000),
    }


def _put_shared(
    rows: NDArray[Any], kept: NDArray[np.bool_], shared: NDArray[np.int64], interest_ids: NDArray[np.int64]
) -> None:
    count = (shared != MISSING).sum(axis=1)
    rows["shared length"] = np.where(count > 0, _ARRAY_HEADER + _ARRAY_ELEMENT * count, -1)
    rows["shared dimensions"], rows["shared oid"], rows["shared low"] = 1, _INT8_OID, 1
    rows["shared count"] = count
    for index in range(SHARED_SHOWN):
        rows[f"shared {index} length"] = 8
        if len(interest_ids):
            rows[f"shared {index}"] = interest_ids[shared[:, index]]
    start = _offset(rows.dtype, "shared dimensions")
    present = np.arange(rows.dtype.itemsize - start)
    kept[:, start:] = present < np.where(count > 0, _ARRAY_HEADER + _ARRAY_ELEMENT * count, 0)[:, None]


def _small(values: NDArray[Any]) -> NDArray[Any]:
    """Counts as smallint holds them."""
    return np.asarray(np.minimum(values, np.iinfo(np.int16).max))
