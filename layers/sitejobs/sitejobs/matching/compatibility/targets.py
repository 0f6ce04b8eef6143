"""The targets of a viewer, and the fingerprint of everything that its rows are computed from, as SQL."""

from dataclasses import dataclass
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.compatibility.inputs import IN_LIST, IN_RANGE
from sitejobs.matching.scoring.arrays import Indices

_TARGETS: Final[LiteralString] = """
related AS (
    SELECT "userAId" AS "viewer", "userBId" AS "target" FROM "Match"
    WHERE "userAId" <viewers> AND "state"::text = 'ACTIVE'
    UNION
    SELECT "userBId", "userAId" FROM "Match" WHERE "userBId" <viewers> AND "state"::text = 'ACTIVE'
    UNION
    SELECT "ownerUserId", "viewerUserId" FROM "ProfileAccess"
    WHERE "ownerUserId" <viewers> AND "status"::text IN ('PENDING', 'GRANTED')
    UNION
    SELECT "viewerUserId", "ownerUserId" FROM "ProfileAccess"
    WHERE "viewerUserId" <viewers> AND "status"::text IN ('PENDING', 'GRANTED')
    UNION
    SELECT "userAId", "userBId" FROM "Conversation" WHERE "userAId" <viewers>
    UNION
    SELECT "userBId", "userAId" FROM "Conversation" WHERE "userBId" <viewers>
), blocked AS (
    SELECT "blockerId" AS "viewer", "blockedId" AS "target" FROM "UserBlock" WHERE "blockerId" <viewers>
    UNION ALL
    SELECT "blockedId", "blockerId" FROM "UserBlock" WHERE "blockedId" <viewers>
), suggested AS (
    SELECT m."userId" AS "viewer", s."target" FROM "MatchCandidates" m
    CROSS JOIN LATERAL unnest(m."candidateUserId"[:%(suggestions)s::int]) AS s ("target")
    WHERE m."userId" <viewers>
), targets AS (
    SELECT t."viewer", t."target" FROM (
        SELECT "viewer", "target" FROM suggested
        UNION ALL
        SELECT r."viewer", r."target" FROM related r
        WHERE NOT EXISTS (SELECT FROM suggested s WHERE s."viewer" = r."viewer" AND s."target" = r."target")
    ) AS t
    WHERE t."viewer" <> t."target"
      AND NOT EXISTS (SELECT FROM blocked b WHERE b."viewer" = t."viewer" AND b."target" = t."target")
)
"""
"""Common table expression `targets` (viewer, target) of the viewers whose id meets the condition `<viewers>`.

Includes deleted users. A pair that is related in several ways is there once. Suggestions, by far the most, need no
DISTINCT: a list of matches holds a candidate once.
"""
_TARGETS_IN_RANGE: Final[LiteralString] = _TARGETS.replace("<viewers>", IN_RANGE)
_TARGETS_IN_LIST: Final[LiteralString] = _TARGETS.replace("<viewers>", IN_LIST)


def fingerprint(
    version: LiteralString, viewer: LiteralString, count: LiteralString, total: LiteralString, chances: LiteralString
) -> LiteralString:
    """Returns the SQL expression of a viewer's fingerprint; the arguments are SQL expressions.

    `version`: the algorithm's. `viewer`: the viewer's hash. `count`, `total`: number of targets, and the sum of their
    hashes, in which their order does not matter; each target's hash includes its id. `chances`: NULL without any.
    """
    return f"""hashtextextended(
        concat_ws('/', {version}::text, {viewer}::text, {count}::text, {total}::text, {chances}::text), 0)"""


_CHANCES: Final[LiteralString] = """
SELECT l."userId",
       sum(hashint8extended(s."id"::bigint, round(s."score" * 100)::bigint) & 1099511627775)::int8 AS "chances"
FROM "MatchList" l JOIN "MatchCandidates" m ON m."userId" = l."userId"
CROSS JOIN LATERAL unnest(m."candidateUserId"[:%(suggestions)s::int], m."score"[:%(suggestions)s::int])
    AS s ("id", "score")
WHERE l."userId" <viewers> AND l."scoreLike" IS NOT NULL AND s."score" BETWEEN 0 AND 1 GROUP BY l."userId"
"""
"""For each viewer whose list a model ranked: a hash of the suggestions' scores, to two decimals.

Smaller moves of effects leave the stored chances as they are.
"""
_CHANCES_IN_RANGE: Final[LiteralString] = _CHANCES.replace("<viewers>", IN_RANGE)
READ_CHANCES: Final[LiteralString] = _CHANCES.replace("<viewers>", IN_LIST)

_STORED_FINGERPRINT: Final[LiteralString] = fingerprint(
    "%(version)s",
    'viewer."viewerHash"',
    'count(here."target")',
    'COALESCE(sum(here."targetHash"), 0)',
    'chances."chances"',
)

STALE: Final[LiteralString] = f"""
WITH {_TARGETS_IN_RANGE}, chances AS MATERIALIZED ({_CHANCES_IN_RANGE}), wanted AS (
    SELECT viewer."userId", {_STORED_FINGERPRINT} AS "fingerprint"
    FROM "UserCompatibilityInput" viewer
    LEFT JOIN (
        SELECT targets."viewer", targets."target", known."targetHash"
        FROM targets JOIN "UserCompatibilityInput" known ON known."userId" = targets."target"
        WHERE known."targetHash" IS NOT NULL
    ) AS here ON here."viewer" = viewer."userId"
    LEFT JOIN chances ON chances."userId" = viewer."userId"
    WHERE viewer."userId" {IN_RANGE}
    GROUP BY viewer."userId", chances."chances"
)
SELECT COALESCE(wanted."userId", stored."userId") AS "id" FROM wanted
FULL JOIN (
    SELECT "userId", "fingerprint" FROM "UserCompatibilityViewer" WHERE "userId" {IN_RANGE}
) AS stored ON stored."userId" = wanted."userId"
WHERE wanted."fingerprint" IS DISTINCT FROM stored."fingerprint"
ORDER BY "id"
"""
"""Viewers whose stored rows were computed from other inputs than the current ones. The inputs must be renewed first."""

KNOWN: Final[LiteralString] = """
SELECT "id" FROM (
    (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL
     ORDER BY "id" LIMIT %(limit)s)
    UNION
    (SELECT "userId" FROM "UserCompatibilityViewer" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
) AS known ORDER BY "id" LIMIT %(limit)s
"""
"""Viewers of a key range, and users whose stored rows may have to go."""

COUNT: Final[LiteralString] = """SELECT count(*) FROM "User" WHERE "deletedAt" IS NULL"""
"""Number of viewers."""

_READ_TARGETS: Final[LiteralString] = f"""
WITH {_TARGETS_IN_LIST}
SELECT u."id"::bigint, here."targets"
FROM "User" u
LEFT JOIN (
    SELECT targets."viewer", string_agg(int8send(targets."target"::bigint), ''::bytea) AS "targets"
    FROM targets GROUP BY targets."viewer"
) AS here ON here."viewer" = u."id"
WHERE u."id" {IN_LIST} AND u."deletedAt" IS NULL
ORDER BY u."id"
"""
"""Reads the undeleted viewers of a page, and the ids of each one's targets as bytes."""


@dataclass(frozen=True)
class Targets:
    """Undeleted viewers and the targets of each, deleted users included.

    viewers : (n,) ids, ascending. viewer: (p,) index into `viewers`, ascending. target: (p,) ids.
    """

    viewers: Indices
    viewer: Indices
    target: Indices


def targets_of(connection: Connection, ids: list[int], suggestions: int) -> Targets:
    """Read the targets of these users, without the users themselves and without blocked pairs."""
    given: dict[str, Any] = {"ids": ids, "suggestions": suggestions}
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_READ_TARGETS, given).fetchall()
    packed = [targets or b"" for _, targets in rows]
    return Targets(
        viewers=np.array([viewer for viewer, _ in rows], np.int64),
        viewer=np.repeat(np.arange(len(rows)), [len(targets) // 8 for targets in packed]),
        target=np.frombuffer(b"".join(packed), ">i8").astype(np.int64),
    )
