"""SQL that both search jobs use of a row `p` of "Profile"; %(today)s is the run's date."""

from typing import Final, LiteralString

BLANKS = (
    "\t\n\v\f\r \x1c\x1d\x1e\x1f\x85\xa0\xad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2800\u3000\u3164\ufeff"
)
"""Invisible characters: a name made of them alone counts as missing."""

_BLANKS_IN_SQL = "E'" + "".join(f"\\u{ord(character):04x}" for character in BLANKS) + "'"

BIRTHDATE: Final[LiteralString] = """CASE WHEN p."birthdate" >= '0001-01-01' AND p."birthdate" < %(today)s::date + 1
              THEN p."birthdate"::date END"""
"""The birthdate; NULL if it is infinite, BC or in the future."""

LIVE_PROFILE: Final[LiteralString] = """
SELECT FROM "User" u JOIN "Profile" p ON p."userId" = u."id"
WHERE u."id" = s."userId" AND u."deletedAt" IS NULL AND p."deletedAt" IS NULL
"""
"""The source of a row `s` of a search table: an undeleted user with an undeleted profile."""

LOCATED: Final[LiteralString] = """COALESCE(p."lat" BETWEEN -90 AND 90 AND p."lng" BETWEEN -180 AND 180, false)"""
"""Whether both coordinates are valid."""


def empty(column: LiteralString) -> LiteralString:
    """Returns the SQL condition that a text is missing or invisible.

    Most texts begin with a visible ASCII character, which decides without trimming: trimming a long text takes
    microseconds.
    """
    text = f"COALESCE({column}, '')"
    return f"""(left({text}, 1) COLLATE "C" NOT BETWEEN '!' AND '~' AND btrim({text}, {_BLANKS_IN_SQL}) = '')"""


def age(birthdate: LiteralString) -> LiteralString:
    """Returns the SQL of the whole years since a date, NULL without one."""
    return f"date_part('year', age(%(today)s::date, {birthdate}))::integer"
