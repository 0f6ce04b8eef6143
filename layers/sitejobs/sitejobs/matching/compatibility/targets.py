"""Whom a viewer has to do with, and the fingerprint of all that its rows are computed of, as SQL."""

from dataclasses import dataclass
from typing import Any, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.compatibility.inputs import IN_LIST, IN_RANGE
from sitejobs.matching.scoring.arrays import Indices


def _targets(viewers: LiteralString) -> LiteralString:
    """The common table expression `targets` (viewer, target) of the viewers that a condition on the id says.

    Deleted users are among them. A target that is related in several ways is there once; suggestions, by far
    the most, need no sorting out: MatchScore holds a pair once.
    """
    return f"""
    related AS (
        SELECT "userAId" AS "viewer", "userBId" AS "target" FROM "Match"
        WHERE "userAId" {viewers} AND "state"::text = 'ACTIVE'
        UNION
        SELECT "userBId", "userAId" FROM "Match" WHERE "userBId" {viewers} AND "state"::text = 'ACTIVE'
        UNION
        SELECT "ownerUserId", "viewerUserId" FROM "ProfileAccess"
        WHERE "ownerUserId" {viewers} AND "status"::text IN ('PENDING', 'GRANTED')
        UNION
        SELECT "viewerUserId", "ownerUserId" FROM "ProfileAccess"
        WHERE "viewerUserId" {viewers} AND "status"::text IN ('PENDING', 'GRANTED')
        UNION
        SELECT "userAId", "userBId" FROM "Conversation" WHERE "userAId" {viewers}
        UNION
        SELECT "userBId", "userAId" FROM "Conversation" WHERE "userBId" {viewers}
    ), blocked AS (
        SELECT "blockerId" AS "viewer", "blockedId" AS "target" FROM "UserBlock" WHERE "blockerId" {viewers}
        UNION ALL
        SELECT "blockedId", "blockerId" FROM "UserBlock" WHERE "blockedId" {viewers}
    ), targets AS (
        SELECT t."viewer", t."target" FROM (
            SELECT "userId" AS "viewer", "candidateUserId" AS "target" FROM "MatchScore"
            WHERE "userId" {viewers} AND "rank" <= %(suggestions)s
            UNION ALL
            SELECT r."viewer", r."target" FROM related r
            WHERE NOT EXISTS (
                SELECT FROM "MatchScore" m
                WHERE m."userId" = r."viewer" AND m."candidateUserId" = r."target" AND m."rank" <= %(suggestions)s)
        ) AS t
        WHERE t."viewer" <> t."target"
          AND NOT EXISTS (SELECT FROM blocked b WHERE b."viewer" = t."viewer" AND b."target" = t."target")
    )
    """


def fingerprint(
    version: LiteralString, viewer: LiteralString, count: LiteralString, total: LiteralString
) -> LiteralString:
    """SQL of a viewer's fingerprint, made of SQL.

    It is of the algorithm version, the viewer's hash, how many targets there are, and the sum of their hashes: each of
    these names its user, and their order does not matter.
    """
    return f"hashtextextended(concat_ws('/', {version}::text, {viewer}::text, {count}::text, {total}::text), 0)"


_STORED_FINGERPRINT = fingerprint(
    "%(version)s", 'viewer."viewerHash"', 'count(here."target")', 'COALESCE(sum(here."targetHash"), 0)'
)

STALE: LiteralString = f"""
WITH {_targets(IN_RANGE)}, wanted AS (
    SELECT viewer."userId", {_STORED_FINGERPRINT} AS "fingerprint"
    FROM "UserCompatibilityInput" viewer
    LEFT JOIN (
        SELECT targets."viewer", targets."target", known."targetHash"
        FROM targets JOIN "UserCompatibilityInput" known ON known."userId" = targets."target"
        WHERE known."targetHash" IS NOT NULL
    ) AS here ON here."viewer" = viewer."userId"
    WHERE viewer."userId" {IN_RANGE}
    GROUP BY viewer."userId"
)
SELECT COALESCE(wanted."userId", stored."userId") AS "id" FROM wanted
FULL JOIN (
    SELECT "userId", "fingerprint" FROM "UserCompatibilityViewer" WHERE "userId" {IN_RANGE}
) AS stored ON stored."userId" = wanted."userId"
WHERE wanted."fingerprint" IS DISTINCT FROM stored."fingerprint"
ORDER BY "id"
"""
"""Viewers whose stored rows were computed of other inputs than there are now; the inputs must have been renewed."""

KNOWN: LiteralString = """
SELECT "id" FROM (
    (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL
     ORDER BY "id" LIMIT %(limit)s)
    UNION
    (SELECT "userId" FROM "UserCompatibilityViewer" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
) AS known ORDER BY "id" LIMIT %(limit)s
"""
COUNT: LiteralString = """SELECT count(*) FROM "User" WHERE "deletedAt" IS NULL"""

_PAGE: LiteralString = f"""
WITH {_targets(IN_LIST)}
SELECT u."id"::bigint, here."targets"
FROM "User" u
LEFT JOIN (
    SELECT targets."viewer", string_agg(int8send(targets."target"::bigint), ''::bytea) AS "targets"
    FROM targets GROUP BY targets."viewer"
) AS here ON here."viewer" = u."id"
WHERE u."id" {IN_LIST} AND u."deletedAt" IS NULL
ORDER BY u."id"
"""


@dataclass(frozen=True)
class Targets:
    """Some undeleted viewers and whom each has to do with, deleted users among them.

    viewers : (n,) ids, ascending. viewer: (p,) row of the viewer, ascending. target: (p,) ids.
    """

    viewers: Indices
    viewer: Indices
    target: Indices


def targets_of(connection: Connection, ids: list[int], suggestions: int) -> Targets:
    """Read whom these users have to do with: not blocked by either side, never themselves."""
    given: dict[str, Any] = {"ids": ids, "suggestions": suggestions}
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_PAGE, given).fetchall()
    packed = [targets or b"" for _, targets in rows]
    return Targets(
        viewers=np.array([viewer for viewer, _ in rows], np.int64),
        viewer=np.repeat(np.arange(len(rows)), [len(targets) // 8 for targets in packed]),
        target=np.frombuffer(b"".join(packed), ">i8").astype(np.int64),
    )
