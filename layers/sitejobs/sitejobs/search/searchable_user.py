"""searchable-user: who may be found, and why others may not."""

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString

from psycopg import Connection
from pydantic import Field, field_validator

from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import COUNT_USERS, KeyedJob, Keys, Parameters, users_and
from sitejobs.jobs.losses import lost
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.search.options import SEARCHABLE_USER, SearchableUserOptions
from sitejobs.search.profiles import BIRTHDATE, LIVE_PROFILE, LOCATED, age, empty
from sitejobs.variables import Variables, read_environment

FIELDS = ("displayName", "birthdate", "gender", "location", "bio", "avatar", "interest")
"""Completeness is the share of these that are filled in."""

ADULT_AGE = 18


class SearchableVariables(Variables):
    """Variables of the function: which profiles are complete enough."""

    min_completeness: float = Field(
        default=0.5,
        alias="SEARCHABLE_MIN_COMPLETENESS",
        description="share of a profile's fields that must be filled in for its user to be found",
        ge=0,
        le=1,
    )
    required_fields: str = Field(
        default="displayName,birthdate",
        alias="SEARCHABLE_REQUIRED_FIELDS",
        description="fields without which nobody is found; the birthdate always is one",
        json_schema_extra={"takes": f"names out of {', '.join(FIELDS)}, comma separated"},
    )

    @field_validator("required_fields")
    @classmethod
    def _known(cls, value: str) -> str:
        if not _names(value) <= set(FIELDS):
            raise ValueError(value)
        return value

    @property
    def required(self) -> list[str]:
        """Names in the order of `FIELDS`. The birthdate is always required: without it the age is unknown."""
        names = _names(self.required_fields) or {"displayName"}
        return [name for name in FIELDS if name in names or name == "birthdate"]


def _names(text: str) -> set[str]:
    return {part.strip() for part in text.split(",") if part.strip()}


# A user's profile, `p`: the newest undeleted one, else the newest. `{}`: the condition on the user's id.
_PROFILES: Final[LiteralString] = """
        SELECT DISTINCT ON (q."userId") q."userId", q."displayName", q."bio", q."avatarUrl", q."birthdate", q."gender",
               q."locationText", q."lat", q."lng", q."isVisible", q."deletedAt"
        FROM "Profile" q WHERE {}
        ORDER BY q."userId", q."deletedAt" IS NULL DESC, q."id" DESC
"""
_MISSING_FIELDS: Final[LiteralString] = f"""array_remove(ARRAY[
        CASE WHEN {empty('p."displayName"')} THEN 'displayName' END,
        CASE WHEN born."birthdate" IS NULL THEN 'birthdate' END,
        CASE WHEN COALESCE(p."gender"::text, 'UNSPECIFIED') IN ('', 'UNSPECIFIED') THEN 'gender' END,
        CASE WHEN {empty('p."locationText"')} AND NOT {LOCATED} THEN 'location' END,
        CASE WHEN {empty('p."bio"')} THEN 'bio' END,
        CASE WHEN {empty('p."avatarUrl"')} THEN 'avatar' END,
        CASE WHEN NOT EXISTS (
            SELECT FROM "UserInterest" i
            WHERE i."userId" = u."id" AND i."subjectId" IS NOT NULL AND i."interestId" IS NOT NULL) THEN 'interest' END
    ], NULL)"""
_REASONS: Final[LiteralString] = f"""array_remove(ARRAY[
        CASE WHEN u."deletedAt" IS NOT NULL OR p."deletedAt" IS NOT NULL THEN 'deleted' END,
        CASE WHEN p."userId" IS NULL THEN 'profile' END,
        CASE WHEN p."isVisible" IS NOT TRUE AND p."userId" IS NOT NULL THEN 'hidden' END,
        CASE WHEN {age('born."birthdate"')} < {ADULT_AGE} THEN 'under-age' END,
        CASE WHEN filled."share" < %(minimum)s THEN 'completeness' END
    ], NULL) || CASE WHEN lacks."missing" && %(required)s::text[]
        THEN ARRAY(SELECT field FROM unnest(lacks."missing") AS field WHERE field = ANY(%(required)s::text[]))
        ELSE '{{}}' END"""


def _computed(users: LiteralString) -> LiteralString:
    """Returns the SQL of the rows that users should have; `users`: the condition on the user's id, `{}`.

    The condition is on both tables, since the planner would read all profiles for a page. OFFSET 0 keeps the planner
    from computing a step again wherever its columns are used.
    """
    return f"""
    SELECT u."id" AS "userId", COALESCE(p."isVisible" AND p."deletedAt" IS NULL, false) AS "isVisible",
           u."deletedAt" IS NOT NULL OR p."deletedAt" IS NOT NULL AS "isDeleted",
           filled."share"::real AS "completeness",
           not_found."reasons" = '{{}}' AS "isSearchable", not_found."reasons", lacks."missing"
    FROM "User" u
    LEFT JOIN ({_PROFILES.format(users.format('q."userId"'))}    ) AS p ON p."userId" = u."id"
    CROSS JOIN LATERAL (SELECT {BIRTHDATE} AS "birthdate" OFFSET 0) AS born
    CROSS JOIN LATERAL (SELECT {_MISSING_FIELDS} AS "missing" OFFSET 0) AS lacks
    CROSS JOIN LATERAL (
        SELECT ({len(FIELDS)} - cardinality(lacks."missing")) / {len(FIELDS)}::float8 AS "share"
    ) AS filled
    CROSS JOIN LATERAL (SELECT {_REASONS}
    AS "reasons" OFFSET 0) AS not_found
    WHERE {users.format('u."id"')}
    """


# Whether a computed row `c` differs from the stored row `s`.
_DIFFERS: Final[LiteralString] = """
    (c."isVisible", c."isDeleted", c."completeness", c."isSearchable", c."reasons", c."missing") IS DISTINCT FROM
    (s."isVisible", s."isDeleted", s."completeness", s."isSearchable", s."reasons", s."missing")
"""
STALE: Final[LiteralString] = f"""
SELECT COALESCE(c."userId", s."userId")
FROM ({_computed("{0} BETWEEN %(first)s AND %(last)s")}) AS c
FULL JOIN (SELECT * FROM "SearchableUser" WHERE "userId" BETWEEN %(first)s AND %(last)s) AS s
       ON s."userId" = c."userId"
WHERE c."userId" IS NULL OR s."userId" IS NULL OR {_DIFFERS}
ORDER BY 1
"""
"""Users of a key range whose row is missing, outdated or to be removed."""

WRITE_ROWS: Final[LiteralString] = f"""
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
"""Writes the rows that differ from the stored ones, removes those of users who are gone, and counts both."""


def read_parameters(options: SearchableUserOptions, environment: Mapping[str, str]) -> Parameters:
    """Read the SEARCHABLE_* variables.

    Raises
    ------
    InvalidInput : names each wrong variable, its value and what it takes.
    """
    given = read_environment(SearchableVariables, environment)
    return {"minimum": given.min_completeness, "required": given.required}


def refresh(connection: Connection, keys: Sequence[int], parameters: Parameters) -> PageSummary:
    """Write the rows of these users that change, and remove those of users who are gone."""
    row = connection.execute(WRITE_ROWS, {**parameters, "keys": list(keys)}).fetchone()
    assert row is not None  # counts are always one row
    summary = PageSummary(processed=len(keys), written=int(row[0]))
    summary.skip(SkipReason.UNCHANGED, len(keys) - summary.written)
    return summary


KEYS = Keys(
    known=users_and('"SearchableUser"'),
    stale=STALE,
    count=COUNT_USERS,
    losses=(
        lost("SearchableUser", 'SELECT FROM "User" u WHERE u."id" = s."userId"'),
        lost("SearchableUser", LIVE_PROFILE, only='s."isSearchable"', name="SearchableUser that say searchable"),
    ),
)

JOB = KeyedJob(SEARCHABLE_USER, KEYS, refresh, parameters=read_parameters)
