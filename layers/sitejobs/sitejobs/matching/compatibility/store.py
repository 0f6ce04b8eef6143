"""Writes the rows of a page's viewers that differ from the stored ones, in the page's transaction."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection, sql

from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.matching.compatibility.comparing import Compared
from sitejobs.matching.compatibility.scoring import Scores
from sitejobs.matching.compatibility.targets import READ_CHANCES, fingerprint
from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.pair_scores import SHARED_SHOWN
from sitejobs.matching.scoring.users import MISSING
from sitejobs.postgres.columns import Column, fetch_columns
from sitejobs.postgres.copy import COPY_HEADER, COPY_TRAILER, LAST_COLUMNS, Values, encode_table, microseconds, small

_PARTS = ("scoreQuiz", "scoreInterests", "scoreRatingsQuality", "scoreRatingsFit")
_AVERAGES = ("avgAttractive", "avgSmart", "avgFunny", "avgInteresting")
_COLUMNS: dict[str, str] = {
    "viewerUserId": ">i8",
    "targetUserId": ">i8",
    "score": ">f4",
    **dict.fromkeys((*_PARTS, *_AVERAGES), ">f4"),
    "ratingCount": ">i4",
    "sharedInterestCount": ">i2",
    "chance": ">f4",
    "computedAt": ">i8",
}
_COPY_ROWS: Final = sql.SQL('COPY "UserCompatibility" ({}) FROM STDIN (FORMAT BINARY)').format(
    sql.SQL(", ").join(map(sql.Identifier, (*_COLUMNS, *LAST_COLUMNS)))
)
_READ_STORED_ROWS: Final[LiteralString] = """
SELECT "viewerUserId", "targetUserId", COALESCE("score", 'NaN') AS "score",
       "scoreQuiz", "scoreInterests", "scoreRatingsQuality", "scoreRatingsFit",
       COALESCE("avgAttractive", 'NaN') AS "avgAttractive", COALESCE("avgSmart", 'NaN') AS "avgSmart",
       COALESCE("avgFunny", 'NaN') AS "avgFunny", COALESCE("avgInteresting", 'NaN') AS "avgInteresting",
       "ratingCount", "sharedInterestCount", COALESCE("chance", 'NaN') AS "chance",
       ("algorithmVersion" <> %(version)s)::int AS "otherVersion",
       COALESCE("sharedInterestIds"[1], %(missing)s) AS "shared0",
       COALESCE("sharedInterestIds"[2], %(missing)s) AS "shared1",
       COALESCE("sharedInterestIds"[3], %(missing)s) AS "shared2",
       COALESCE("sharedInterestIds"[4], %(missing)s) AS "shared3",
       COALESCE("sharedInterestIds"[5], %(missing)s) AS "shared4"
FROM "UserCompatibility" WHERE "viewerUserId" = ANY(%(ids)s)
"""
"""Reads the viewers' stored rows. NaN and `missing` stand for NULL."""

_SHARED = tuple(f"shared{index}" for index in range(SHARED_SHOWN))
_TYPES = {
    "viewerUserId": "int8",
    "targetUserId": "int8",
    **dict.fromkeys(("score", *_PARTS, *_AVERAGES, "chance"), "float4"),
    "ratingCount": "int4",
    "sharedInterestCount": "int2",
    "otherVersion": "int4",
    **dict.fromkeys(_SHARED, "int8"),
}
_DELETE_PAIRS: Final[LiteralString] = """
DELETE FROM "UserCompatibility" c USING unnest(%(viewers)s::bigint[], %(targets)s::bigint[]) AS old ("viewer", "target")
WHERE c."viewerUserId" = old."viewer" AND c."targetUserId" = old."target"
"""
"""Deletes the rows of these pairs."""

_GIVEN_FINGERPRINT: Final[LiteralString] = fingerprint(
    "%(version)s", 'given."hash"', 'given."rows"', 'given."total"', 'given."chances"'
)
_WRITE_VIEWERS: Final[LiteralString] = f"""
INSERT INTO "UserCompatibilityViewer" AS stored
    ("userId", "fingerprint", "rows", "skipped", "algorithmVersion", "computedAt")
SELECT given."id", {_GIVEN_FINGERPRINT}, given."rows",
       CASE WHEN given."rows" = 0 THEN %(no_targets)s::text END, %(version)s, %(computed_at)s
FROM (
    SELECT g.*, c."chances"
    FROM unnest(%(ids)s::bigint[], %(hashes)s::bigint[], %(rows)s::int[], %(totals)s::numeric[])
        AS g ("id", "hash", "rows", "total")
    LEFT JOIN ({READ_CHANCES}) AS c ON c."userId" = g."id"
) AS given
ORDER BY given."id"
ON CONFLICT ("userId") DO UPDATE SET "fingerprint" = excluded."fingerprint", "rows" = excluded."rows",
    "skipped" = excluded."skipped", "algorithmVersion" = excluded."algorithmVersion",
    "computedAt" = excluded."computedAt"
WHERE stored."userId" = ANY(%(changed)s)
   OR (stored."fingerprint", stored."rows", stored."algorithmVersion")
      IS DISTINCT FROM (excluded."fingerprint", excluded."rows", excluded."algorithmVersion")
"""
"""Writes the viewers' fingerprints, in the order of ids, so that overlapping runs wait instead of deadlocking.

A viewer in `changed` is written even if its fingerprint is the same: two overlapping runs that change the same
viewer's rows then conflict here, and one of them fails.
"""

_DELETE_VIEWERS: Final[LiteralString] = """DELETE FROM "UserCompatibilityViewer" WHERE "userId" = ANY(%(ids)s)"""
"""Deletes the fingerprints of users who are deleted."""


def fit_to_store(compared: Compared) -> tuple[Compared, Indices]:
    """The viewers whose rows are all finite, and the ids of the others."""
    scores = compared.scores
    parts = scores.quiz + scores.interests + scores.rating_quality + scores.rating_fit
    finite = np.isfinite(parts) & (np.isfinite(scores.averages).all(axis=1) | (scores.rating_count == 0))
    if finite.all():
        return compared, np.empty(0, np.int64)
    unfit = np.unique(scores.viewer[~finite])
    kept = np.flatnonzero(~np.isin(compared.viewers, unfit))
    fit = Compared(
        viewers=compared.viewers[kept],
        hashes=compared.hashes[kept],
        counts=compared.counts[kept],
        totals=[compared.totals[row] for row in kept],
        scores=scores.take(np.flatnonzero(~np.isin(scores.viewer, unfit))),
        interest_ids=compared.interest_ids,
    )
    return fit, unfit


def write(
    connection: Connection, compared: Compared, gone: list[int], version: str, suggestions: int, now: datetime
) -> int:
    """Write the rows of the compared viewers that differ, and remove those of users who are gone.

    The transaction must be REPEATABLE READ. Returns how many rows are new or changed.
    """
    scores, interest_ids = compared.scores, compared.interest_ids
    given = {"ids": [*compared.viewers.tolist(), *gone], "version": version, "missing": MISSING}
    stored = fetch_columns(connection, _READ_STORED_ROWS, given, _TYPES)
    old, new = _differences(stored, _values(scores, interest_ids))
    changed = np.union1d(stored["viewerUserId"][old], scores.viewer[new])
    _write_viewers(connection, compared, changed, {"version": version, "suggestions": suggestions, "computed_at": now})
    if gone:
        connection.execute(_DELETE_VIEWERS, {"ids": gone})
    if len(old):
        pairs = {"viewers": stored["viewerUserId"][old].tolist(), "targets": stored["targetUserId"][old].tolist()}
        connection.execute(_DELETE_PAIRS, pairs)
    if len(new):
        with connection.cursor() as cursor, cursor.copy(_COPY_ROWS) as copy:
            copy.write(COPY_HEADER)
            copy.write(_encoded(scores.take(new), interest_ids, version, now))
            copy.write(COPY_TRAILER)
    return len(new)


def _write_viewers(connection: Connection, compared: Compared, changed: Indices, given: dict[str, Any]) -> None:
    connection.execute(
        _WRITE_VIEWERS,
        {
            **given,
            "ids": compared.viewers.tolist(),
            "hashes": compared.hashes.tolist(),
            "rows": compared.counts.tolist(),
            "totals": [Decimal(total) for total in compared.totals],
            "changed": changed.tolist(),
            "no_targets": SkipReason.NO_TARGETS.value,
        },
    )


def _values(scores: Scores, interest_ids: Indices) -> dict[str, Column]:
    """The rows' columns as `_READ_STORED_ROWS` reads them, without the version."""
    shared = (
        np.where(scores.shared == MISSING, MISSING, interest_ids[scores.shared]) if len(interest_ids) else scores.shared
    )
    parts = (scores.quiz, scores.interests, scores.rating_quality, scores.rating_fit)
    return {
        "viewerUserId": scores.viewer,
        "targetUserId": scores.target,
        "score": scores.score.astype(np.float32),
        **{name: part.astype(np.float32) for name, part in zip(_PARTS, parts, strict=True)},
        **dict(zip(_AVERAGES, scores.averages.T.astype(np.float32), strict=True)),
        "ratingCount": scores.rating_count,
        "sharedInterestCount": small(scores.shared_count),
        "chance": scores.chance.astype(np.float32),
        **dict(zip(_SHARED, shared.T, strict=True)),
    }


def _differences(stored: dict[str, Column], wanted: dict[str, Column]) -> tuple[Indices, Indices]:
    """Indices of the stored rows to delete, and of the wanted rows to insert: a changed row is in both."""
    here, there = _keys(stored, wanted)
    order = np.argsort(here)
    at = np.searchsorted(here, there, sorter=order)
    at = order[np.minimum(at, max(len(order) - 1, 0))] if len(order) else np.zeros(len(there), np.int64)
    same = here[at] == there if len(order) else np.zeros(len(there), bool)
    rows, kept = np.flatnonzero(same), at[same]
    equal = stored["otherVersion"][kept] == 0
    for name, column in wanted.items():
        one, other = stored[name][kept], column[rows]
        equal &= (one == other) | ((one != one) & (other != other))  # NaN stands for NULL
    old, new = np.ones(len(here), bool), np.ones(len(there), bool)
    old[kept[equal]] = False
    new[rows[equal]] = False
    return np.flatnonzero(old), np.flatnonzero(new)


def _keys(stored: dict[str, Column], wanted: dict[str, Column]) -> tuple[Indices, Indices]:
    """A number for each pair of ids, the same for equal pairs."""
    codes = []
    for name in ("viewerUserId", "targetUserId"):
        _, code = np.unique(np.concatenate([stored[name], wanted[name]]), return_inverse=True)
        codes.append(code.astype(np.int64))
    viewer, target = codes
    keys = viewer * (len(target) + 1) + target
    return keys[: len(stored["viewerUserId"])], keys[len(stored["viewerUserId"]) :]


def _encoded(scores: Scores, interest_ids: Indices, version: str, now: datetime) -> bytes:
    values: dict[str, Any] = {**_values(scores, interest_ids), "computedAt": microseconds(now)}
    nullable = {"score": ~np.isnan(scores.score), "chance": ~np.isnan(scores.chance)}
    nullable |= dict.fromkeys(_AVERAGES, scores.rating_count > 0)
    columns = {name: Values(values[name], nullable.get(name)) for name in _COLUMNS}
    return encode_table(_COLUMNS, columns, version, scores.shared, interest_ids)
