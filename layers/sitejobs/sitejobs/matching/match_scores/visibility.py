"""Reads what may have changed since the snapshot when a page is written: hidden profiles and deletions.

Blocks and decisions are read by `exclusions.py`.
"""

from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.postgres.columns import fetch_columns

_COUNT_CANDIDATES: Final[LiteralString] = """
SELECT count(*) AS "profiles", count(DISTINCT p."userId") AS "owners",
       count(*) FILTER (WHERE p."isVisible") AS "visible",
       (SELECT count(*) FROM "User" u
        WHERE u."id" = ANY((SELECT %(ids)s)::bigint[]) AND u."deletedAt" IS NULL) AS "users"
FROM "Profile" p WHERE p."userId" = ANY((SELECT %(ids)s)::bigint[]) AND p."deletedAt" IS NULL
"""
"""Counts the undeleted users and their undeleted profiles: all are candidates if all four equal the number of ids.

Nearly always they are, and this takes half as long as reading who is. The SELECT about the ids hides them from the
planner, which weighs each: of thousands that takes as long as reading them.
"""

_COUNTS = dict.fromkeys(("profiles", "owners", "visible", "users"), "int8")

_READ_PROFILES: Final[LiteralString] = """
SELECT p."userId", p."id", COALESCE(p."isVisible", false)::int AS "visible"
FROM "Profile" p JOIN "User" u ON u."id" = p."userId"
WHERE p."userId" = ANY(%(ids)s) AND p."deletedAt" IS NULL AND u."deletedAt" IS NULL
"""
"""Reads the undeleted profiles of undeleted users, and whether each is visible."""

_READ_VIEWERS: Final[LiteralString] = """
SELECT p."userId" FROM "Profile" p JOIN "User" u ON u."id" = p."userId"
WHERE p."userId" = ANY((SELECT %(ids)s)::bigint[]) AND p."deletedAt" IS NULL AND u."deletedAt" IS NULL
"""
"""Those of the users who are undeleted and have an undeleted profile."""

_READ_DELETED_USERS: Final[LiteralString] = """
SELECT asked."id" FROM unnest(%(ids)s::bigint[]) AS asked ("id")
WHERE NOT EXISTS (SELECT FROM "User" u WHERE u."id" = asked."id" AND u."deletedAt" IS NULL)
"""
"""Those of the ids that name no undeleted user."""


def still_candidates(connection: Connection, ids: Indices) -> Indices:
    """Those of the ids, all different, that are visible and undeleted now, ascending."""
    counts = fetch_columns(connection, _COUNT_CANDIDATES, {"ids": ids}, _COUNTS)
    if all(count[0] == len(ids) for count in counts.values()):
        return np.sort(ids)
    found = fetch_columns(connection, _READ_PROFILES, {"ids": ids}, {"userId": "int8", "id": "int8", "visible": "int2"})
    order = np.lexsort((found["id"], found["userId"]))
    users = found["userId"][order]
    # Of several profiles of a user the last one counts, as in the population.
    last = np.append(users[1:] != users[:-1], np.ones(min(len(users), 1), bool))
    return np.asarray(users[last & (found["visible"][order] == 1)])


def still_viewers(connection: Connection, ids: Indices) -> Indices:
    """Those of the ids that are undeleted and have a profile now, ascending."""
    return np.sort(fetch_columns(connection, _READ_VIEWERS, {"ids": ids}, {"userId": "int8"})["userId"])


def deleted_users(connection: Connection, ids: Indices) -> Indices:
    """Those of the ids that name no undeleted user now, ascending."""
    return np.sort(fetch_columns(connection, _READ_DELETED_USERS, {"ids": ids}, {"id": "int8"})["id"])
