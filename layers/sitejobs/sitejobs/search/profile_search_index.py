"""profile-search-index: what can be searched of each profile, one row a user."""

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import COUNT_USERS, KeyedJob, Keys, Parameters, users_and
from sitejobs.jobs.losses import lost
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.postgres.values import measure, moment, number
from sitejobs.search.options import PROFILE_SEARCH_INDEX
from sitejobs.search.profiles import BIRTHDATE, LIVE_PROFILE, LOCATED, age
from sitejobs.search.texts import keywords_of, place_of

VERSION = 4
"""Part of every fingerprint. Raise it when the same data would give another row or hash: all are then made anew."""

INDEXED_CHARACTERS = 10_000
"""Characters of a bio that are searched; "profileSearchVector" cuts it there."""

_READ_CHARACTERS = 1000
"""Characters read of a place, of a list's title and of a list's item."""

# A user's profile, `p`: the newest undeleted one. `{}`: the condition on the user's id.
_PROFILES: Final[LiteralString] = """
    SELECT DISTINCT ON (q."userId") q."id", q."userId", q."displayName", q."bio", q."birthdate", q."locationText",
           q."lat", q."lng", q."geoPrecision", q."locationAccuracy", q."gender", q."intent", q."isVisible"
    FROM "Profile" q WHERE q."userId" {} AND q."deletedAt" IS NULL
    ORDER BY q."userId", q."id" DESC
"""

# Rows of other tables are hashed one by one, a column's hash being the seed of the next one's, and summed, so that
# their order does not matter. Correlated per user, so that the plan is good even before the first ANALYZE.
_INTERESTS: Final[LiteralString] = """
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS "n" FROM (
            SELECT DISTINCT i."subjectId", i."interestId" FROM "UserInterest" i
            WHERE i."userId" = u."id" AND i."subjectId" IS NOT NULL AND i."interestId" IS NOT NULL) AS once
    ) AS interests
"""
_TRAITS: Final[LiteralString] = """
    CROSS JOIN LATERAL (
        SELECT sum(hashtextextended(t."traitKey", hash_numeric_extended(t."value", 0))) AS "hash"{}
        FROM "UserTrait" t WHERE t."userId" = u."id"
    ) AS traits
"""
_LISTS: Final[LiteralString] = f"""
    CROSS JOIN LATERAL (
        SELECT sum(hashtextextended(COALESCE(left(l."title", {_READ_CHARACTERS}), ''), l."id")
                   + COALESCE(items."hash", 0)) AS "hash"
        FROM "Top5List" l CROSS JOIN LATERAL (
            SELECT sum(hashtextextended(
                COALESCE(left(t."text", {_READ_CHARACTERS}), ''),
                hashfloat8extended(COALESCE({number('t."order"')}, 'NaN'), t."listId"))) AS "hash"
            FROM "Top5Item" t WHERE t."listId" = l."id") AS items
        WHERE l."profileId" = p."id"
    ) AS lists
"""


def _fingerprint(years: LiteralString) -> LiteralString:
    """Returns the SQL of the hash of everything that a user's row is made of; `years` is the SQL of the age."""
    return f"""hashtextextended(ROW(
        p."displayName", p."bio", p."locationText", p."lat", p."lng", p."geoPrecision", p."locationAccuracy",
        p."gender", p."intent", p."birthdate", {years}, p."isVisible", u."createdAt",
        interests."n", traits."hash", lists."hash")::text, {VERSION})"""


STALE: Final[LiteralString] = f"""
SELECT COALESCE(c."userId", s."userId")
FROM (
    SELECT u."id" AS "userId", {_fingerprint(age(BIRTHDATE))} AS "fingerprint"
    -- The range is put to both tables: the planner would read all profiles for a page's.
    FROM "User" u JOIN ({_PROFILES.format("BETWEEN %(first)s AND %(last)s")}) AS p ON p."userId" = u."id"
    {_INTERESTS}{_TRAITS.format("")}{_LISTS}
    WHERE u."id" BETWEEN %(first)s AND %(last)s AND u."deletedAt" IS NULL
) AS c
FULL JOIN (
    SELECT "userId", "fingerprint" FROM "ProfileSearchIndex" WHERE "userId" BETWEEN %(first)s AND %(last)s
) AS s ON s."userId" = c."userId"
WHERE s."fingerprint" IS DISTINCT FROM c."fingerprint"
ORDER BY 1
"""
"""Users of a key range whose row is missing, outdated or to be removed."""

READ_TEXTS: Final[LiteralString] = f"""
SELECT u."id", left(p."locationText", {_READ_CHARACTERS}),
       ARRAY(SELECT left(l."title", {_READ_CHARACTERS}) FROM "Top5List" l
             WHERE l."profileId" = p."id" AND l."title" IS NOT NULL ORDER BY l."id")
       || ARRAY(SELECT left(t."text", {_READ_CHARACTERS}) FROM "Top5List" l JOIN "Top5Item" t ON t."listId" = l."id"
                WHERE l."profileId" = p."id" AND t."text" IS NOT NULL ORDER BY l."id", t."order", t."text"),
       COALESCE(length(p."bio") > {INDEXED_CHARACTERS}, false)
FROM "User" u JOIN ({_PROFILES.format("= ANY(%(keys)s::bigint[])")}) AS p ON p."userId" = u."id"
WHERE u."id" = ANY(%(keys)s::bigint[]) AND u."deletedAt" IS NULL
"""
"""Reads of each user with a profile the place, the lists' titles and items, and whether the bio is cut."""

_COLUMNS: Final = (
    *("userId", "displayName", "bio", "locationText", "lat", "lng", "hasLocation", "geoPrecision", "locationAccuracy"),
    *("gender", "intent", "age", "ageBucket", "birthdate", "city", "state", "country", "interestCount", "traitCount"),
    *("traitSummary", "top5Keywords", "isVisible", "isDeleted", "accountCreatedAt", "searchVector", "fingerprint"),
)


def _listed(prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{name}"' for name in _COLUMNS)


# Aggregated as json and cast: jsonb_object_agg took 1.5 times as long.
_SUMMARY: Final[LiteralString] = """,
               CAST(count(*) FILTER (WHERE t."value" <> 'NaN') AS integer) AS "n",
               CAST(json_object_agg(t."traitKey", t."value") FILTER (WHERE t."value" <> 'NaN') AS jsonb) AS "summary"
"""
# The rows that users should have, with what Python made of their texts.
_COMPUTED: Final[LiteralString] = f"""
    SELECT u."id" AS "userId", p."displayName", p."bio", p."locationText",
           CASE WHEN place."valid" THEN {number('p."lat"')} END AS "lat",
           CASE WHEN place."valid" THEN {number('p."lng"')} END AS "lng", place."valid" AS "hasLocation",
           p."geoPrecision"::text AS "geoPrecision", {number('measured."accuracy"')} AS "locationAccuracy",
           p."gender"::text AS "gender", p."intent"::text AS "intent", years."age",
           CASE WHEN years."age" >= 18 THEN (years."age" - 18) / 5 END AS "ageBucket", born."birthdate",
           d."city", d."state", d."country", interests."n" AS "interestCount", traits."n" AS "traitCount",
           COALESCE(traits."summary", '{{}}') AS "traitSummary", d."keywords" AS "top5Keywords",
           COALESCE(p."isVisible", false) AS "isVisible", false AS "isDeleted",
           ({moment('u."createdAt"')})::timestamptz AS "accountCreatedAt",
           "profileSearchVector"(p."displayName", d."keywords", p."locationText", p."bio") AS "searchVector",
           {_fingerprint('years."age"')} AS "fingerprint"
    FROM (
        SELECT a."userId", NULLIF(a."city", '') AS "city", NULLIF(a."state", '') AS "state",
               NULLIF(a."country", '') AS "country", string_to_array(a."keywords", ' ') AS "keywords"
        FROM unnest(%(ids)s::bigint[], %(cities)s::text[], %(states)s::text[], %(countries)s::text[],
                    %(keywords)s::text[]) AS a ("userId", "city", "state", "country", "keywords")
    ) AS d
    JOIN "User" u ON u."id" = d."userId"
    JOIN ({_PROFILES.format("= ANY(%(ids)s::bigint[])")}) AS p ON p."userId" = u."id"
    CROSS JOIN LATERAL (SELECT {LOCATED} AS "valid" OFFSET 0) AS place
    CROSS JOIN LATERAL (SELECT {measure('p."locationAccuracy"')} AS "accuracy" OFFSET 0) AS measured
    CROSS JOIN LATERAL (SELECT {BIRTHDATE} AS "birthdate" OFFSET 0) AS born
    CROSS JOIN LATERAL (SELECT {age('born."birthdate"')} AS "age" OFFSET 0) AS years
    {_INTERESTS}{_TRAITS.format(_SUMMARY)}{_LISTS}
    WHERE u."deletedAt" IS NULL
"""
WRITE_ROWS: Final[LiteralString] = f"""
WITH computed AS MATERIALIZED (
    {_COMPUTED}
), changed AS (
    SELECT {_listed("c.")} FROM computed AS c
    LEFT JOIN "ProfileSearchIndex" s ON s."userId" = c."userId"
    WHERE s."userId" IS NULL OR ({_listed("c.")}) IS DISTINCT FROM ({_listed("s.")})
), written AS (
    INSERT INTO "ProfileSearchIndex" ({_listed()}, "indexedAt")
    SELECT {_listed()}, %(now)s FROM changed ORDER BY "userId"
    ON CONFLICT ("userId") DO UPDATE SET
    {", ".join(f'"{name}" = excluded."{name}"' for name in (*_COLUMNS[1:], "indexedAt"))}
    RETURNING 1
), gone AS (
    DELETE FROM "ProfileSearchIndex"
    WHERE "userId" = ANY(%(keys)s::bigint[]) AND "userId" <> ALL(%(ids)s::bigint[])
    RETURNING 1
)
SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM gone)
"""
"""Writes the rows that differ from the stored ones, removes those of users without a profile, and counts both."""


def refresh(connection: Connection, keys: Sequence[int], parameters: Parameters) -> PageSummary:
    """Write the rows of these users that differ from what is stored, and remove those of users without a profile."""
    profiles = connection.execute(READ_TEXTS, {"keys": list(keys)}).fetchall()
    places = [place_of(location) for _, location, _, _ in profiles]
    derived = {
        "ids": [user_id for user_id, *_ in profiles],
        "cities": [place.city for place in places],
        "states": [place.state for place in places],
        "countries": [place.country for place in places],
        "keywords": [" ".join(keywords_of(texts)) for _, _, texts, _ in profiles],
    }
    row = connection.execute(WRITE_ROWS, {**parameters, "keys": list(keys), **derived}).fetchone()
    assert row is not None  # counts are always one row
    written, removed = row
    summary = PageSummary(processed=len(keys), written=written + removed)
    summary.skip(SkipReason.UNCHANGED, len(profiles) - written)
    summary.skip(SkipReason.NO_PROFILE, len(keys) - len(profiles) - removed)
    summary.reasons.update({"removed": removed} if removed else {})
    cut = sum(long for *_, long in profiles)
    summary.reasons.update({"bio-cut": cut} if cut else {})
    return summary


KEYS = Keys(
    known=users_and('"ProfileSearchIndex"'),
    stale=STALE,
    count=COUNT_USERS,
    losses=(lost("ProfileSearchIndex", LIVE_PROFILE),),
)

JOB = KeyedJob(PROFILE_SEARCH_INDEX, KEYS, refresh, size="user_batch_size")
