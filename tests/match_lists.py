"""Lists of matches as match-scores stores them, for tests of what reads them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sitejobs.matching.match_scores.list_columns import COPY_COLUMNS, HEAD, NULLABLE, SPARES

_ABSENT = ("distanceKm", "avgAttractive", "avgSmart", "avgFunny", "avgInteresting")


def store_lists(cursor: Any, lists: Mapping[int, Sequence[tuple[int, float]]], scored_at: datetime) -> None:
    """Make these the viewers' lists: pairs of a candidate of tier A and its score, best first."""
    cursor.execute("""DELETE FROM "MatchList" WHERE "userId" = ANY(%s)""", [list(lists)])
    columns = ", ".join(f'"{name}"' for name in COPY_COLUMNS)
    values = ", ".join(f"%({name})s" for name in COPY_COLUMNS)
    statement = f'INSERT INTO "MatchList" ({columns}) VALUES ({values})'
    cursor.executemany(statement, [_row(user, pairs, scored_at) for user, pairs in lists.items() if pairs])


def _row(user: int, pairs: Sequence[tuple[int, float]], scored_at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COPY_COLUMNS, [0] * len(pairs))
    row |= dict.fromkeys(_ABSENT, [None] * len(pairs))
    row |= dict.fromkeys((*NULLABLE, *SPARES)) | dict.fromkeys(HEAD, 0)
    return row | {
        "userId": user,
        "scoredAt": scored_at,
        "algorithmVersion": "v1",
        "tierA": len(pairs),
        "candidateUserId": [candidate for candidate, _ in pairs],
        "score": [float(score) for _, score in pairs],
    }
