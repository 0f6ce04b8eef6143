"""Compares the stored rows of MatchScore with the expected ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import Connection

from tests.matching.oracle import Row

TOLERANCE = 1e-5
RATED = ("attractive", "smart", "funny", "interesting")

_STORED = """
SELECT "userId", "candidateUserId", "tier", "score", "scoreQuiz", "scoreInterests", "scoreRatingsQuality",
       "scoreRatingsFit", "scoreNew", "scoreNearby", "distanceKm", "genderOk", "ageOk", "distanceOk",
       "sharedInterestCount", "sharedInterestIds", "commonTraits", "viewerTraits", "candidateTraits", "ratingCount",
       "avgAttractive", "avgSmart", "avgFunny", "avgInteresting", "rank", "scoredAt", "algorithmVersion",
       "scoreLike", "scoreBack"
FROM "MatchScore" WHERE %(only)s::bigint[] IS NULL OR "userId" = ANY(%(only)s)
ORDER BY "userId", "rank"
"""
_VIEWERS = """SELECT "userId", "rows", "skipped", "scoredAt", "algorithmVersion" FROM "MatchScoreViewer" """


@dataclass(frozen=True)
class Stored:
    """A stored row: the values that the oracle computes too, and those of the run."""

    row: Row
    rank: int
    scored_at: datetime
    version: str


def stored_rows(connection: Connection, only: Sequence[int] | None = None) -> dict[int, list[Stored]]:
    """The rows of all viewers, or of some, by rank."""
    found: dict[int, list[Stored]] = {}
    for values in connection.execute(_STORED, {"only": only}):
        found.setdefault(values[0], []).append(_stored(values))
    return found


def stored_viewers(connection: Connection) -> dict[int, tuple[int, str | None, datetime, str]]:
    """User id -> number of rows, reason for having none, scoredAt, algorithmVersion."""
    return {row[0]: tuple(row[1:]) for row in connection.execute(_VIEWERS)}


def _stored(values: Sequence[Any]) -> Stored:
    averages = values[20:24]
    row = Row(
        candidate_id=values[1],
        tier=values[2],
        score=values[3],
        traits=values[4],
        interests=values[5],
        quality=values[6],
        fit=values[7],
        newness=values[8],
        proximity=values[9],
        distance_km=values[10],
        gender_ok=values[11],
        age_ok=values[12],
        distance_ok=values[13],
        shared_interest_count=values[14],
        shared_interest_ids=tuple(values[15] or ()),
        common_traits=values[16],
        viewer_traits=values[17],
        candidate_traits=values[18],
        rating_count=values[19],
        averages=None if None in averages else tuple(averages),
        like=values[27],
        back=values[28],
    )
    assert (None in averages) == all(value is None for value in averages), f"half of the averages: {averages}"
    return Stored(row, *values[24:27])


def assert_rows_equal(
    stored: Mapping[int, Sequence[Stored]], expected: Mapping[int, Sequence[Row]], top_k: int
) -> None:
    """Every viewer's stored rows are its best `top_k` by the oracle's `expected` (all candidates, in order)."""
    wanted = {viewer for viewer, rows in expected.items() if rows}
    assert set(stored) == wanted, f"viewers with rows: {sorted(set(stored) ^ wanted)} differ"
    for viewer, rows in expected.items():
        if rows:
            assert_viewer_equal(viewer, stored[viewer], rows, top_k)


def assert_viewer_equal(viewer: int, stored: Sequence[Stored], expected: Sequence[Row], top_k: int) -> None:
    """Candidates may trade places only where their scores are that close; equal ones are in the order of ids."""
    by_id = {row.candidate_id: row for row in expected}
    assert len(stored) == min(top_k, len(expected)), f"viewer {viewer}: {len(stored)} rows of {len(expected)}"
    assert [item.rank for item in stored] == list(range(1, len(stored) + 1)), f"viewer {viewer}: ranks"
    for item, best in zip(stored, expected, strict=False):
        where = f"viewer {viewer}, rank {item.rank}, candidate {item.row.candidate_id}"
        assert item.row.candidate_id in by_id, f"{where}: no candidate"
        assert_pair_equal(where, item.row, by_id[item.row.candidate_id])
        assert item.row.tier == best.tier, f"{where}: tier {item.row.tier} where {best.tier} belongs"
        own = by_id[item.row.candidate_id].worth
        assert abs(own - best.worth) <= TOLERANCE, f"{where}: has {own}, here belongs {best}"
    assert_ties_by_id(viewer, stored, expected)


def assert_ties_by_id(viewer: int, stored: Sequence[Stored], expected: Sequence[Row]) -> None:
    """Candidates with equal data are in the order of ids, and the lower ids are kept at the end of the list."""
    shown: dict[Row, list[int]] = {}
    everyone: dict[Row, list[int]] = {}
    by_id = {row.candidate_id: row for row in expected}
    for item in stored:
        shown.setdefault(_nameless(by_id[item.row.candidate_id]), []).append(item.row.candidate_id)
    for row in expected:
        look = _nameless(row)
        if look in shown:
            everyone.setdefault(look, []).append(row.candidate_id)
    for look, ids in shown.items():
        first = sorted(everyone[look])[: len(ids)]
        assert ids == first, f"viewer {viewer}: of equal candidates {ids} instead of {first}"


def _nameless(row: Row) -> Row:
    return replace(row, candidate_id=0)


def assert_pair_equal(where: str, got: Row, want: Row, *, newness: bool = True) -> None:
    """Compare all values of one row; without `newness`, all but the newness and the score."""
    for name in ("traits", "interests", "quality", "fit", "proximity"):
        _close(where, name, getattr(got, name), getattr(want, name))
    if newness:
        _close(where, "newness", got.newness, want.newness)
        _close(where, "score", got.score, want.score)
    exact = ("tier", "gender_ok", "age_ok", "distance_ok", "shared_interest_count", "shared_interest_ids")
    for name in (*exact, "common_traits", "viewer_traits", "candidate_traits", "rating_count"):
        assert getattr(got, name) == getattr(want, name), f"{where}: {name} {getattr(got, name)}, {getattr(want, name)}"
    assert (got.distance_km is None) == (want.distance_km is None), f"{where}: distance {got.distance_km}"
    if want.distance_km is not None:
        assert got.distance_km is not None
        # A real has 7 digits, so 20,000 km are rounded to metres.
        _close(where, "distance", got.distance_km, want.distance_km, max(1.0, 0.1 * want.distance_km))
    assert (got.like is None, got.back is None) == (want.like is None, want.back is None), where
    if got.like is not None and got.back is not None and want.like is not None and want.back is not None:
        _close(where, "like", got.like, want.like)
        _close(where, "back", got.back, want.back)
    assert (got.averages is None) == (want.averages is None), f"{where}: averages {got.averages}, {want.averages}"
    if want.averages is not None:
        assert got.averages is not None
        for name, one, other in zip(RATED, got.averages, want.averages, strict=True):
            _close(where, name, one, other)


def _close(where: str, name: str, got: float, want: float, scale: float = 1.0) -> None:
    # NaN fails this comparison.
    assert abs(got - want) <= TOLERANCE * scale, f"{where}: {name} is {got}, should be {want}"
