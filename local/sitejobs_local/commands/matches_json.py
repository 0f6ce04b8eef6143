"""What `sitejobs matches --json` prints. docs/command-line.md names the keys."""

from typing import TYPE_CHECKING, Any, Final

from sitejobs_local.commands.stored_matches import BUCKET, best, computed, counted, distribution

if TYPE_CHECKING:
    from psycopg import Connection

    from sitejobs.matching.match_scores.pair import Explained

PARTS: Final = {
    "traits": "scoreQuiz",
    "interests": "scoreInterests",
    "ratingQuality": "scoreRatingsQuality",
    "ratingFit": "scoreRatingsFit",
    "newness": "scoreNew",
    "proximity": "scoreNearby",
}
"""Parts of a score, and the columns that hold them."""


def of_user(connection: "Connection", user_id: int, limit: int) -> dict[str, Any]:
    """A user's best matches; `computedAt` is null for whom match-scores has not come to yet."""
    at, skipped = computed(connection, user_id) or (None, None)
    return {
        "userId": user_id,
        "computedAt": at,
        "skipped": skipped,
        "matches": [_match(row) for row in best(connection, user_id, limit)],
    }


def _match(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "userId": row["id"],
        **{name: row[name] for name in ("rank", "tier", "score", "name", "age", "place", "distanceKm", "reasons")},
        "parts": {name: row[column] for name, column in PARTS.items()},
        "chances": _chances(row["scoreLike"], row["scoreBack"]),
    }


def of_pair(connection: "Connection", user_id: int, candidate: int) -> dict[str, Any]:
    """One pair, as of now: `obstacles` says why it is no match."""
    from sitejobs_local.commands.pair import explained

    found, _ = explained(connection, user_id, candidate)
    known = {"userId": user_id, "candidateUserId": candidate, "obstacles": found.obstacles}
    return {**known, "rank": found.rank or None, "stored": found.matches, **_scores(found)}


def _scores(found: "Explained") -> dict[str, Any]:
    pair = found.pair
    if pair is None:
        return dict.fromkeys(("tier", "score", "parts", "distanceKm", "chances", "userWants", "candidateWants"))
    columns = ("traits", "interests", "rating_quality", "rating_fit", "newness", "proximity")
    return {
        "tier": "A" if pair.tier_a[0] else "B",
        "score": _number(pair.score[0]),
        "parts": {name: _number(getattr(pair, column)[0]) for name, column in zip(PARTS, columns, strict=True)},
        "distanceKm": _number(pair.distance_km[0]),
        "chances": _chances(_number(pair.like[0]), _number(pair.back[0])),
        "userWants": vars(found.viewer_wants) if found.viewer_wants else None,
        "candidateWants": vars(found.candidate_wants) if found.candidate_wants else None,
    }


def of_all(connection: "Connection") -> dict[str, Any]:
    """How many stored scores lie in each twentieth, by tier; highest first."""
    users, scores = counted(connection)
    tiers: dict[str, list[dict[str, Any]]] = {}
    for tier, bucket, count in distribution(connection):
        low = round(bucket * BUCKET, 2)
        tiers.setdefault(tier, []).append({"from": low, "to": round(low + BUCKET, 2), "count": count})
    return {"users": users, "scores": scores, "tiers": tiers}


def _chances(like: float | None, back: float | None) -> dict[str, float] | None:
    """By a model; None of scores that none made."""
    return None if like is None or back is None else {"userSaysYes": like, "candidateSaysYes": back}


def _number(value: Any) -> float | None:
    number = float(value)
    return None if number != number else number
