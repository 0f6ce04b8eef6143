"""searchable-user: who may be found, and why others may not."""

import math
from collections.abc import Mapping, Sequence
from typing import LiteralString

from psycopg import Connection

from sitejobs.errors import InvalidInput
from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import KeyedJob, Keys, Parameters, users_and
from sitejobs.jobs.losses import lost
from sitejobs.search.options import SEARCHABLE_USER, SearchableUserOptions
from sitejobs.search.profiles import BIRTHDATE, LIVE_PROFILE, LOCATED, age, empty

FIELDS = ("displayName", "birthdate", "gender", "location", "bio", "avatar", "interest")
"""What completeness is the share of."""

ADULT_AGE = 18
DEFAULT_MIN_COMPLETENESS = 0.5
DEFAULT_REQUIRED_FIELDS = ("displayName", "birthdate")


def _computed(users: LiteralString) -> LiteralString:
    """SQL of the rows that users should have; `users` is a condition on the user's id, `{}`.

    It is put to both tables: the planner would read all profiles for a page's. Of several profiles of a user the one
    that is not deleted counts, the newest of them. OFFSET 0 keeps it from computing a step
    anew wherever its columns are used.
    """
    return f"""
    SELECT u."id" AS "userId", COALESCE(p."isVisible" AND p."deletedAt" IS NULL, false) AS "isVisible",
           u."deletedAt" IS NOT NULL OR p."deletedAt" IS NOT NULL AS "isDeleted",
           filled."share"::real AS "completeness",
           not_found."reasons" = '{{}}' AS "isSearchable", not_found."reasons", lacks."missing"
    FROM "User" u
    LEFT JOIN (
        SELECT DISTINCT ON (q."userId") q."userId", q."displayName", q."bio", q."avatarUrl", q."birthdate", q."gender",
               q."locationText", q."lat", q."lng", q."isVisible", q."deletedAt"
        FROM "Profile" q WHERE {users.format('q."userId"')}
        ORDER BY q."userId", q."deletedAt" IS NULL DESC, q."id" DESC
    ) AS p ON p."userId" = u."id"
    CROSS JOIN LATERAL (SELECT {BIRTHDATE} AS "birthdate" OFFSET 0) AS born
    CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
        CASE WHEN {empty('p."displayName"')} THEN 'displayName' END,
        CASE WHEN born."birthdate" IS NULL THEN 'birthdate' END,
        CASE WHEN COALESCE(p."gender"::text, 'UNSPECIFIED') IN ('', 'UNSPECIFIED') THEN 'gender' END,
        CASE WHEN {empty('p."locationText"')} AND NOT {LOCATED} THEN 'location' END,
        CASE WHEN {empty('p."bio"')} THEN 'bio' END,
        CASE WHEN {empty('p."avatarUrl"')} THEN 'avatar' END,
        CASE WHEN NOT EXISTS (
            SELECT FROM "UserInterest" i
            WHERE i."userId" = u."id" AND i."subjectId" IS NOT NULL AND i."interestId" IS NOT NULL) THEN 'interest' END
    ], NULL) AS "missing" OFFSET 0) AS lacks
    CROSS JOIN LATERAL (
        SELECT ({len(FIELDS)} - cardinality(lacks."missing")) / {len(FIELDS)}::float8 AS "share"
    ) AS filled
    CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
        CASE WHEN u."deletedAt" IS NOT NULL OR p."deletedAt" IS NOT NULL THEN 'deleted' END,
        CASE WHEN p."userId" IS NULL THEN 'profile' END,
        CASE WHEN p."isVisible" IS NOT TRUE AND p."userId" IS NOT NULL THEN 'hidden' END,
        CASE WHEN {age('born."birthdate"')} < {ADULT_AGE} THEN 'under-age' END,
        CASE WHEN filled."share" < %(minimum)s THEN 'completeness' END
    ], NULL) || CASE WHEN lacks."missing" && %(required)s::text[]
        THEN ARRAY(SELECT field FROM unnest(lacks."missing") AS field WHERE field = ANY(%(required)s::text[]))
        ELSE '{{}}' END
    AS "reasons" OFFSET 0) AS not_found
    WHERE {users.format('u."id"')}
    """


# A row of c, what should be stored, against one of s, what is.
_DIFFERS: LiteralString = """
    (c."isVisible", c."isDeleted", c."completeness", c."isSearchable", c."reasons", c."missing") IS DISTINCT FROM
    (s."isVisible", s."isDeleted", s."completeness", s."isSearchable", s."reasons", s."missing")
"""
_STALE: LiteralString = f"""
SELECT COALESCE(c."userId", s."userId")
FROM ({_computed("{0} BETWEEN %(first)s AND %(last)s")}) AS c
FULL JOIN (SELECT * FROM "SearchableUser" WHERE "userId" BETWEEN %(first)s AND %(last)s) AS s
       ON s."userId" = c."userId"
WHERE c."userId" IS NULL OR s."userId" IS NULL OR {_DIFFERS}
ORDER BY 1
"""
_REFRESH: LiteralString = f"""
WITH changed AS (
    SELECT c.* FROM ({_computed("{} = ANY(%(keys)s::bigint[])")}) AS c
    LEFT JOIN "SearchableUser" s ON s."userId" = c."userId" AND s."userId" = ANY(%(keys)s::bigint[])
    WHERE s."userId" IS NULL OR {_DIFFERS}
), written AS (
    INSERT INTO "SearchableUser" AS s
           ("userId", "isVisible", "isDeleted", "completeness", "isSearchable", "reasons", "missing", "updatedAt")
    SELECT "userId", "isVisible", "isDeleted", "completeness", "isSearchable", "reasons", "missing", %(now)s
    FROM changed ORDER BY "userId"
    ON CONFLICT ("userId") DO UPDATE SET
        "isVisible" = excluded."isVisible", "isDeleted" = excluded."isDeleted",
        "completeness" = excluded."completeness", "isSearchable" = excluded."isSearchable",
        "reasons" = excluded."reasons", "missing" = excluded."missing", "updatedAt" = excluded."updatedAt"
    RETURNING 1
), gone AS (
    DELETE FROM "SearchableUser" s
    WHERE s."userId" = ANY(%(keys)s::bigint[]) AND NOT EXISTS (
        SELECT FROM "User" u WHERE u."id" = s."userId" AND u."id" = ANY(%(keys)s::bigint[]))
    RETURNING 1
)
SELECT (SELECT count(*) FROM written) + (SELECT count(*) FROM gone)
"""


def read_parameters(options: SearchableUserOptions, environment: Mapping[str, str]) -> Parameters:
    """What makes a user searchable, of the SEARCHABLE_* variables.

    Raises
    ------
    InvalidInput : names the variable, what it holds and what it takes.
    """
    return {
        "minimum": _min_completeness(environment.get("SEARCHABLE_MIN_COMPLETENESS", "").strip()),
        "required": _required_fields(environment.get("SEARCHABLE_REQUIRED_FIELDS", "")),
    }


def refresh(connection: Connection, keys: Sequence[int], parameters: Parameters) -> PageSummary:
    """Mark and un-mark these users, in one statement; only rows that change are written."""
    row = connection.execute(_REFRESH, {**parameters, "keys": list(keys)}).fetchone()
    assert row is not None  # counts are always one row
    summary = PageSummary(processed=len(keys), written=int(row[0]))
    summary.skip("unchanged", len(keys) - summary.written)
    return summary


def _min_completeness(text: str) -> float:
    try:
        value = float(text) if text else DEFAULT_MIN_COMPLETENESS
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InvalidInput(f"SEARCHABLE_MIN_COMPLETENESS must be a number from 0 to 1, not {text[:60]!r}")
    return value


def _required_fields(text: str) -> list[str]:
    """Names in the order of `FIELDS`. The birthdate is always among them: without it nobody is known to be of age."""
    given = [part.strip() for part in text.split(",") if part.strip()] or DEFAULT_REQUIRED_FIELDS
    for name in given:
        if name not in FIELDS:
            raise InvalidInput(
                f"SEARCHABLE_REQUIRED_FIELDS takes names out of {', '.join(FIELDS)}, comma separated; not {name[:60]!r}"
            )
    return [name for name in FIELDS if name in given or name == "birthdate"]


KEYS = Keys(
    known=users_and('"SearchableUser"'),
    stale=_STALE,
    count='SELECT count(*) FROM "User"',
    losses=(
        lost("SearchableUser", 'SELECT FROM "User" u WHERE u."id" = s."userId"'),
        lost("SearchableUser", LIVE_PROFILE, only='s."isSearchable"', name="SearchableUser that say searchable"),
    ),
)

JOB = KeyedJob(SEARCHABLE_USER, KEYS, refresh, parameters=read_parameters)
