"""Whom a viewer has to do with, and the fingerprint of all that its rows are computed of, as SQL."""

from dataclasses import dataclass
from typing import Any, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from sitejobs.matching.compatibility.inputs import IN_LIST, IN_RANGE

Indices = NDArray[np.int64]


def _targets(viewers: LiteralString) -> LiteralString:
    """The common table expression `targets` (viewer, target) of the viewers that a condition on the id says.

    Deleted users are still among them. A target that is related in several ways is there once; suggestions, by far
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
    """  # noqa: S608 - the condition is a literal of our own


# The hashes of the targets are added up, so their order does not matter; inputs that are not there yet count as 0.
_FINGERPRINT: LiteralString = """hashtextextended(concat_ws('/', %(version)s::text, viewer."viewerHash",
    count(here."target"), sum(hashint8extended(here."target", COALESCE(here."targetHash", 0)))), 0)"""

STALE: LiteralString = f"""
WITH {_targets(IN_RANGE)}, wanted AS (
    SELECT viewer."userId", {_FINGERPRINT} AS "fingerprint"
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
"""  # noqa: S608
"""Viewers whose stored rows were computed of other inputs than there are now; the inputs must have been renewed."""

KNOWN: LiteralString = """
SELECT "id" FROM (
    (SELECT "id" FROM "User" WHERE "id" > %(after)s AND "id" <= %(upto)s AND "deletedAt" IS NULL
     ORDER BY "id" LIMIT %(limit)s)
    UNION
    (SELECT "userId" FROM "UserCompatibilityViewer" WHERE "userId" > %(after)s AND "userId" <= %(upto)s
     ORDER BY "userId" LIMIT %(limit)s)
) AS known ORDER BY "id" LIMIT %(limit)s
"""
COUNT: LiteralString = """SELECT count(*) FROM "User" WHERE "deletedAt" IS NULL"""

# Deletions are looked up anew: inputs may be as old as the run.
_PAGE: LiteralString = f"""
WITH {_targets(IN_LIST)}, here AS (
    SELECT targets."viewer", targets."target", known."targetHash"
    FROM targets
    JOIN "User" u ON u."id" = targets."target" AND u."deletedAt" IS NULL
    LEFT JOIN "Profile" p ON p."userId" = targets."target"
    LEFT JOIN "UserCompatibilityInput" known ON known."userId" = targets."target"
    WHERE p."deletedAt" IS NULL
)
SELECT u."id"::bigint, {_FINGERPRINT},
       string_agg(int8send(here."target"::bigint), ''::bytea ORDER BY here."target")
FROM "User" u
LEFT JOIN "UserCompatibilityInput" viewer ON viewer."userId" = u."id"
LEFT JOIN here ON here."viewer" = u."id"
WHERE u."id" {IN_LIST} AND u."deletedAt" IS NULL
GROUP BY u."id", viewer."viewerHash" ORDER BY u."id"
"""  # noqa: S608


@dataclass(frozen=True)
class Targets:
    """Some undeleted viewers and whom each has to do with.

    viewers : (n,) ids, ascending. fingerprints : (n,). counts : (n,) targets of each.
    targets : (p,) ids, those of the first viewer ascending, then those of the second, and so on.
    """

    viewers: Indices
    fingerprints: Indices
    counts: Indices
    targets: Indices


def targets_of(connection: Connection, ids: list[int], suggestions: int, version: str) -> Targets:
    """Read whom these users have to do with: undeleted, not blocked by either side, never themselves."""
    given: dict[str, Any] = {"ids": ids, "suggestions": suggestions, "version": version}
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_PAGE, given).fetchall()
    packed = [targets or b"" for _, _, targets in rows]
    return Targets(
        viewers=np.array([viewer for viewer, _, _ in rows], np.int64),
        fingerprints=np.array([fingerprint for _, fingerprint, _ in rows], np.int64),
        counts=np.array([len(targets) // 8 for targets in packed], np.int64),
        targets=np.frombuffer(b"".join(packed), ">i8").astype(np.int64),
    )
