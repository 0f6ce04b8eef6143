"""The search that a site runs over the index: its SQL, and a function that runs it."""

from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

MATCH_BEGINS, MATCH_ENDS = "\x02", "\x03"
"""Marks around each word found. The texts themselves hold none: a site escapes HTML, then makes tags of the marks."""

NAMES_ALIKE = 0.4
"""Share of the typed text's trigrams that a name must contain in order (pg_trgm.word_similarity_threshold)."""

_ASKED: Final[LiteralString] = """
SELECT "profileSearchQuery"(%(text)s, true) AS "every", "profileSearchQuery"(%(text)s, false) AS "any",
       %(text)s::text AS "typed",
       %(lat)s::float8 AS "lat", %(lng)s::float8 AS "lng", %(km)s::float8 AS "km",
       %(youngest)s::integer AS "youngest", %(oldest)s::integer AS "oldest", %(gender)s::text AS "gender",
       %(limit)s::integer AS "limit", %(after_every)s::boolean AS "afterEvery",
       %(after_rank)s::float8 AS "afterRank", %(after_km)s::float8 AS "afterKm", %(after_id)s::bigint AS "afterId"
"""
# The degrees that contain the circle; near a pole, all longitudes.
_BOX: Final[LiteralString] = """
SELECT a.*, "profileSearchPlain"(left(a."typed", 100)) AS "plain", "profileSearchLetters"(a."typed") AS "letters",
       a."lat" - angle."high" AS "south", a."lat" + angle."high" AS "north",
       a."lng" - angle."wide" AS "west", a."lng" + angle."wide" AS "east"
FROM asked a
CROSS JOIN LATERAL (SELECT degrees(a."km" / 6371) + 1e-6 AS "high") AS height
CROSS JOIN LATERAL (SELECT height."high", CASE
    WHEN abs(a."lat") + height."high" >= 89.9 THEN 180
    ELSE degrees(asin(LEAST(1, sin(radians(height."high")) / cos(radians(a."lat"))))) END AS "wide") AS angle
"""
_DISTANCE: Final[LiteralString] = """
    CROSS JOIN LATERAL (SELECT sin(radians(i."lat" - a."lat") / 2) ^ 2
        + cos(radians(i."lat")) * cos(radians(a."lat")) * sin(radians(i."lng" - a."lng") / 2) ^ 2 AS "half") AS chord
    CROSS JOIN LATERAL (SELECT CASE
        WHEN chord."half" IS NOT NULL THEN 2 * 6371 * asin(sqrt(LEAST(1, chord."half"))) END AS "km") AS away
"""
_WANTED: Final[LiteralString] = """
    WHERE (a."youngest" IS NULL OR i."age" >= a."youngest") AND (a."oldest" IS NULL OR i."age" <= a."oldest")
      AND (a."gender" IS NULL OR i."gender" = a."gender")
"""
_NEARBY: Final[LiteralString] = """
      AND i."lat" BETWEEN a."south" AND a."north"
      AND (i."lng" BETWEEN a."west" AND a."east" OR i."lng" >= a."west" + 360 OR i."lng" <= a."east" - 360)
      AND away."km" <= a."km"
"""
_WORDS: Final[LiteralString] = """
    SELECT i."userId", i."searchVector" @@ a."every" AS "all", ts_rank_cd(i."searchVector", a."any")::float8 AS "rank",
           away."km"
    FROM box a JOIN "ProfileSearchIndex" i ON i."searchVector" @@ a."any"
"""
# Names like the typed text, only where no word was found: many words share trigrams with a name. Trigrams rank Joan and
# John alike for "Jonh"; the letters shared with a word of the name decide.
_NAMES: Final[LiteralString] = """
    SELECT i."userId", false AS "all",
           (word_similarity(a."letters", "profileSearchLetters"(i."displayName")) + shared."share") / 2 AS "rank",
           away."km"
    FROM box a JOIN "ProfileSearchIndex" i ON "profileSearchLetters"(i."displayName") %%> a."letters"
    CROSS JOIN LATERAL (
        SELECT max(2.0 * common."count" / (length(a."plain") + length(word))) AS "share"
        FROM regexp_split_to_table("profileSearchPlain"(left(i."displayName", 100)), '\\s+') AS word
        CROSS JOIN LATERAL (SELECT count(*) FROM (
            SELECT unnest(string_to_array(a."plain", NULL))
            INTERSECT ALL SELECT unnest(string_to_array(word, NULL))) AS letter) AS common
    ) AS shared
"""
_MAY_BE_FOUND: Final[LiteralString] = """AS hit
    JOIN "SearchableUser" s ON s."userId" = hit."userId" AND s."isSearchable"
    -- Who hid or left since the last run
    JOIN "Profile" p ON p."userId" = hit."userId" AND p."isVisible" AND p."deletedAt" IS NULL
    JOIN "User" u ON u."id" = hit."userId" AND u."deletedAt" IS NULL"""
_SHOWN: Final[LiteralString] = r"""
, best AS (
    SELECT hits.*
    FROM hits CROSS JOIN asked a
    -- The next page: what stands behind the last hit of the one before
    WHERE a."afterId" IS NULL
       OR (hits."all", hits."rank", -COALESCE(hits."km", 'Infinity'), a."afterId")
          < (a."afterEvery", a."afterRank", -COALESCE(a."afterKm", 'Infinity'), hits."userId")
    ORDER BY hits."all" DESC, hits."rank" DESC, hits."km" NULLS LAST, hits."userId"
    LIMIT (SELECT "limit" FROM asked)
)
SELECT b."userId" AS "user_id", b."all" AS "every", b."rank", b."km", i."age", i."locationText" AS "location",
       marked."name", marked."keywords", marked."bio"
FROM best b
JOIN "ProfileSearchIndex" i ON i."userId" = b."userId"
CROSS JOIN asked a
-- Marked with the characters 2 and 3, so that a page can escape the rest before it makes them tags
CROSS JOIN LATERAL (SELECT
    replace(ts_headline('simple', "profileSearchShown"(left(i."displayName", 1000)), a."any",
        E'StartSel="\x02", StopSel="\x03", HighlightAll=true'), E'\x01', '') AS "name",
    replace(ts_headline('simple', "profileSearchShown"(array_to_string(i."top5Keywords", ' ')), a."any",
        E'StartSel="\x02", StopSel="\x03", MaxWords=12, MinWords=4'), E'\x01', '') AS "keywords",
    replace(ts_headline('simple', "profileSearchShown"(left(i."bio", 10000)), a."any",
        CASE WHEN length(i."bio") <= 200 THEN E'StartSel="\x02", StopSel="\x03", HighlightAll=true'
        ELSE E'StartSel="\x02", StopSel="\x03", MaxFragments=2, MaxWords=20, MinWords=8, FragmentDelimiter=" … "' END),
        E'\x01', '') AS "bio") AS marked
ORDER BY b."all" DESC, b."rank" DESC, b."km" NULLS LAST, b."userId"
"""
HAS_TRIGRAMS: Final[LiteralString] = """SELECT to_regoperator('%%>(text,text)') IS NOT NULL AND %s > 0"""
"""Asks whether pg_trgm is installed where the search path finds it. A threshold of 0 turns the names off."""

SET_NAMES_ALIKE: Final[LiteralString] = """SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)"""
"""Sets the threshold of `%>` for the transaction."""


def search_statement(*, near: bool, names: bool) -> LiteralString:
    """Returns the search without its beginning, `WITH asked AS (the values searched for)`.

    Parameters
    ----------
    near : only within a distance.
    names : where no word is found, names like the typed text (needs pg_trgm).
    """
    within: LiteralString = _NEARBY if near else ""
    by_name: LiteralString = (
        f"""
    UNION ALL
    {_NAMES}{_DISTANCE}{_WANTED}{within}
      -- Letters of other scripts may share a stand-in by chance
      AND (octet_length(a."letters") = octet_length(a."plain") OR shared."share" >= 0.3)
      AND NOT EXISTS (SELECT FROM words {_MAY_BE_FOUND})"""
        if names
        else ""
    )
    return f"""
, box AS MATERIALIZED ({_BOX}
), words AS MATERIALIZED ({_WORDS}{_DISTANCE}{_WANTED}{within}
), found AS (
    SELECT * FROM words{by_name}
), hits AS (
    SELECT hit.* FROM found {_MAY_BE_FOUND}
)
{_SHOWN}"""


@dataclass(frozen=True)
class Place:
    """A hit's place in the order of all hits. The next page begins after the place of the last hit."""

    every: bool
    rank: float
    km: float | None
    user_id: int


@dataclass(frozen=True)
class Wanted:
    """What is searched for: words, and optionally a place with a radius in km, ages in whole years, and a gender.

    `after`: the place of the last hit of the previous page.
    """

    text: str
    near: tuple[float, float] | None = None
    km: float = 50.0
    youngest: int | None = None
    oldest: int | None = None
    gender: str | None = None
    limit: int = 10
    after: Place | None = None


@dataclass(frozen=True)
class Hit:
    """A user who was found. `every`: has all the words. `km` is None if the search or the user has no place.

    In `name`, `keywords` and `bio` the words found stand between `MATCH_BEGINS` and `MATCH_ENDS`.
    """

    user_id: int
    every: bool
    rank: float
    km: float | None
    age: int | None
    location: str | None
    name: str | None
    keywords: str | None
    bio: str | None

    def place(self) -> Place:
        """The value of `Wanted.after` for the page that begins after this hit."""
        return Place(self.every, self.rank, self.km, self.user_id)


def search(connection: Connection, wanted: Wanted) -> list[Hit]:
    """The best hits among searchable users: those with every word first, then by rank, distance and id."""
    lat, lng = wanted.near or (None, None)
    parameters = {
        "text": wanted.text,
        "lat": lat,
        "lng": lng,
        "km": wanted.km if wanted.near else None,
        "youngest": wanted.youngest,
        "oldest": wanted.oldest,
        "gender": wanted.gender,
        "limit": wanted.limit,
        "after_every": wanted.after and wanted.after.every,
        "after_rank": wanted.after and wanted.after.rank,
        "after_km": wanted.after and wanted.after.km,
        "after_id": wanted.after and wanted.after.user_id,
    }
    with connection.transaction(), connection.cursor(row_factory=class_row(Hit)) as cursor:
        row = connection.execute(HAS_TRIGRAMS, [NAMES_ALIKE]).fetchone()
        names = row is not None and bool(row[0])
        if names:
            connection.execute(SET_NAMES_ALIKE, [str(NAMES_ALIKE)])
        statement = f"WITH asked AS MATERIALIZED ({_ASKED})" + search_statement(
            near=wanted.near is not None, names=names
        )
        return cursor.execute(statement, parameters).fetchall()
