"""What the snapshot reads of the site's tables, as SQL for users of a key range or of a list of ids."""

from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.matching.snapshot.exclusions import IN_RANGE, LIKES_IN_RANGE, OTHERS_IN_RANGE
from sitejobs.matching.usable_rows import (
    INTEREST_KEY,
    RATED,
    RATING_KEY,
    RATING_ONCE,
    RATING_ORDER,
    RESULT_KEY,
    RESULT_ORDER,
    is_unique,
)
from sitejobs.postgres.values import finite, moment, number

GENDERS = ("UNSPECIFIED", "MALE", "FEMALE", "NONBINARY", "OTHER")
GENDERS_GIVEN = 1 << 14
"""Bit of `wants`: a gender preference was given, even if it names unknown genders only."""

USABLE_TRAIT: Final[LiteralString] = """"value" <> 'NaN'"""
USABLE_INTEREST: Final[LiteralString] = """"subjectId" IS NOT NULL AND "interestId" IS NOT NULL"""
USABLE_RESULT: Final[LiteralString] = """"quizId" IS NOT NULL"""
"""Conditions for rows that count."""

IN_LIST: Final[LiteralString] = """= ANY(%(ids)s)"""

READ_USERS: Final[LiteralString] = f"""
SELECT u."id",
       (p."id" IS NOT NULL)::int AS "hasProfile", COALESCE(p."id", 0) AS "profileId",
       COALESCE(p."isVisible", false)::int AS "visible",
       COALESCE({number('p."lat"', "-90", "90")}, 'NaN') AS "lat",
       COALESCE({number('p."lng"', "-180", "180")}, 'NaN') AS "lng",
       CASE WHEN p."locationText" <> '' THEN hashtextextended(p."locationText", 0) ELSE 0 END AS "place",
       COALESCE(array_position(%(genders)s::text[], p."gender"::text) - 1, -1) AS "gender",
       CASE WHEN ({moment('p."birthdate"')})::date <= %(today)s::date
            THEN LEAST(extract(year FROM age(%(today)s::date, p."birthdate"::date)), 1000) ELSE -1 END AS "age",
       COALESCE(extract(epoch FROM {moment('p."updatedAt"')})::float8, '-Infinity') AS "updatedAt",
       COALESCE({finite('f."preferredAgeMin"', 'LEAST(GREATEST(f."preferredAgeMin", 0), 2000)')}, -1) AS "ageMin",
       COALESCE({finite('f."preferredAgeMax"', 'LEAST(GREATEST(f."preferredAgeMax", 0), 2000)')}, -1) AS "ageMax",
       CASE WHEN f."preferredDistanceKm" BETWEEN -1e300 AND 1e-300 THEN 0
            WHEN f."preferredDistanceKm" BETWEEN 0 AND 1e300 THEN f."preferredDistanceKm"::float8
            ELSE 'NaN' END AS "distance",
       (SELECT COALESCE(bit_or(COALESCE(1 << (array_position(%(genders)s::text[], wanted) - 1), 0)
                               | %(given)s::int), 0)
        FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(to_jsonb(f."preferredGenders")) = 'array'
                                            THEN to_jsonb(f."preferredGenders") ELSE '[]' END) wanted) AS "wants"
FROM "User" u
LEFT JOIN "Profile" p ON p."userId" = u."id" AND p."deletedAt" IS NULL
LEFT JOIN "UserPreference" f ON f."userId" = u."id"
WHERE u."deletedAt" IS NULL AND u."id" {IN_RANGE}
ORDER BY u."id", p."id" DESC, {moment('f."updatedAt"')} DESC NULLS LAST,
         f."preferredAgeMin", f."preferredAgeMax", f."preferredDistanceKm", to_jsonb(f."preferredGenders")
LIMIT %(limit)s
"""
"""Reads the undeleted users with profile and preferences; of several, the one that counts comes first."""

READ_TRAITS: Final[LiteralString] = f"""
SELECT "userId", hashtextextended("traitKey", 0) AS "key",
       "value"::float8 * LEAST(GREATEST("n", 0) / 5.0::float8, 1) AS "value"
FROM "UserTrait"
WHERE "userId" {IN_RANGE} AND {USABLE_TRAIT}
"""
"""Reads the traits, weighted by how many answers they come from."""

READ_INTERESTS: Final[LiteralString] = f"""
SELECT <once> "userId", "subjectId", "interestId" FROM "UserInterest"
WHERE "userId" {IN_RANGE} AND {USABLE_INTEREST}
"""
"""Reads the interests. `<once>`: DISTINCT where the table may hold an interest twice."""

READ_RATINGS: Final[LiteralString] = f"""
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT <once> p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r.<profile>
    WHERE p."userId" {IN_RANGE} AND p."deletedAt" IS NULL AND {RATED} <order>
) AS r
GROUP BY r."userId", r."profileId"
"""
"""Reads the average ratings of profiles, received or given: by the profile in column `<profile>`."""

READ_RESULTS: Final[LiteralString] = f"""
SELECT r."userId", r."quizId",
       COALESCE(extract(epoch FROM {moment('r."updatedAt"')})::float8, '-Infinity') AS "updatedAt",
       hashtextextended(COALESCE(r."scoreVec"::text, ''),
                        hashtextextended(COALESCE(r."answers"::text, ''), 0)) AS "hash"
FROM <results> WHERE r."userId" {IN_RANGE} AND r.{USABLE_RESULT}
"""
"""Reads the quiz results. `<results>`: the table, or `_RESULT_ONCE` where it may hold two of one quiz.

`hash` is of the texts: that of jsonb is the same for some objects whose values have changed places.
"""

READ_VECTORS: Final[LiteralString] = f"""
SELECT r."userId", r."quizId", e."position",
       CASE WHEN e."value"::numeric BETWEEN -1e-300 AND 1e-300 THEN 0
            ELSE GREATEST(LEAST(e."value"::numeric, 1e300), -1e300)::float8 END AS "value"
FROM <results>
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
) WITH ORDINALITY AS e ("value", "position")
WHERE r."userId" {IN_RANGE} AND r.{USABLE_RESULT}
  AND NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{{}}', true)
"""
"""Reads the elements of the results' vectors, of vectors of numbers only.

The bounds keep a number that float8 cannot hold from failing the statement.
"""

READ_ANSWERS: Final[LiteralString] = f"""
SELECT r."userId", r."quizId", hashtextextended(e."key", 0) AS "question",
       jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
FROM <results>
CROSS JOIN LATERAL jsonb_each(
    CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{{}}' END
) AS e
WHERE r."userId" {IN_RANGE} AND r.{USABLE_RESULT} AND jsonb_typeof(e."value") <> 'null'
"""
"""Reads the answers that are not null, as hashes of question and answer."""

READ_EFFECTS: Final[LiteralString] = f"""
SELECT "userId", LEAST(GREATEST("selectivity", -%(most)s), %(most)s) AS "selectivity",
       LEAST(GREATEST("appeal", -%(most)s), %(most)s) AS "appeal",
       LEAST(GREATEST("price", 0), %(most_price)s) AS "price"
FROM "UserMatchEffect" WHERE "modelId" = %(model)s AND "userId" {IN_RANGE}
"""
"""Reads what the chosen model says of each user."""

_RESULT_ONCE: Final[LiteralString] = f"""(
    SELECT DISTINCT ON (r."userId", r."quizId") r."userId", r."quizId", r."answers", r."scoreVec", r."updatedAt"
    FROM "QuizResult" r WHERE r."userId" {IN_RANGE} ORDER BY r."userId", {RESULT_ORDER}
) AS r"""

_RATING_TYPES = {
    "userId": "int8",
    "profileId": "int8",
    "count": "int4",
    "attractive": "float8",
    "smart": "float8",
    "funny": "float8",
    "interesting": "float8",
}
TYPES: dict[str, dict[str, str]] = {
    "traits": {"userId": "int8", "key": "int8", "value": "float8"},
    "interests": {"userId": "int8", "subjectId": "int8", "interestId": "int8"},
    "received": _RATING_TYPES,
    "given": _RATING_TYPES,
    "results": {"userId": "int8", "quizId": "int8", "updatedAt": "float8", "hash": "int8"},
    "vectors": {"userId": "int8", "quizId": "int8", "position": "int4", "value": "float8"},
    "answers": {"userId": "int8", "quizId": "int8", "question": "int8", "answer": "int8"},
    "liked": {"userId": "int8", "hash": "int8"},
    "excluded": {"userId": "int8", "hash": "int8"},
    "effects": {"userId": "int8", "selectivity": "float4", "appeal": "float4", "price": "float4"},
}
USER_TYPES = {
    "id": "int8",
    "hasProfile": "int2",
    "profileId": "int8",
    "visible": "int2",
    "lat": "float8",
    "lng": "float8",
    "place": "int8",
    "gender": "int2",
    "age": "int2",
    "updatedAt": "float8",
    "ageMin": "int2",
    "ageMax": "int2",
    "distance": "float8",
    "wants": "int2",
}


def queries(connection: Connection) -> dict[str, LiteralString]:
    """The queries of a key range, by field of `Population`; DISTINCT where no unique index forbids duplicates."""
    once, order = ("", "") if is_unique(connection, "ProfileRating", RATING_KEY) else (RATING_ONCE, RATING_ORDER)
    ratings = READ_RATINGS.replace("<once>", once).replace("<order>", order)
    interests = "" if is_unique(connection, "UserInterest", INTEREST_KEY) else "DISTINCT"
    results = """"QuizResult" r""" if is_unique(connection, "QuizResult", RESULT_KEY) else _RESULT_ONCE
    return {
        "traits": READ_TRAITS,
        "interests": READ_INTERESTS.replace("<once>", interests),
        "received": ratings.replace("<profile>", '"targetProfileId"'),
        "given": ratings.replace("<profile>", '"raterProfileId"'),
        "results": READ_RESULTS.replace("<results>", results),
        "vectors": READ_VECTORS.replace("<results>", results),
        "answers": READ_ANSWERS.replace("<results>", results),
        "liked": LIKES_IN_RANGE,
        "excluded": OTHERS_IN_RANGE,
        "effects": READ_EFFECTS,
    }
