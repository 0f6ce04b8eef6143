"""The chance that a viewer and a suggestion both say yes, as match-scores stored it where a model is active."""

from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.postgres.columns import fetch_columns

_READ_CHANCES: Final[LiteralString] = """
SELECT m."userId", s."id" AS "otherId", s."score"::float8 * s."score" AS "chance"
FROM "MatchList" l JOIN "MatchCandidates" m ON m."userId" = l."userId"
CROSS JOIN LATERAL unnest(m."candidateUserId"[:%(suggestions)s::int], m."score"[:%(suggestions)s::int])
    AS s ("id", "score")
WHERE l."userId" = ANY(%(ids)s) AND l."scoreLike" IS NOT NULL
"""
"""Reads the chances of the viewers' best matches; none of lists that no model ranked."""

_TYPES: Final = {"userId": "int8", "otherId": "int8", "chance": "float8"}


def chances_of(connection: Connection, viewers: Indices, viewer: Indices, target: Indices, suggestions: int) -> Floats:
    """(p,) chances of pairs of ids, NaN where there is none. `viewers`: all ids in `viewer`."""
    found = fetch_columns(connection, _READ_CHANCES, {"ids": viewers, "suggestions": suggestions}, _TYPES)
    people, code = np.unique(np.concatenate([found["otherId"], target]), return_inverse=True)
    rows = np.searchsorted(viewers, np.concatenate([found["userId"], viewer]))
    pairs = rows * len(people) + code
    known, asked = pairs[: len(found["userId"])], pairs[len(found["userId"]) :]
    if not len(known):
        return np.full(len(asked), np.nan)
    order = np.argsort(known)
    at = order[np.minimum(np.searchsorted(known, asked, sorter=order), len(known) - 1)]
    return np.where(known[at] == asked, found["chance"][at], np.nan)
