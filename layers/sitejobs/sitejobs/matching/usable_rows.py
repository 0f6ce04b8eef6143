"""Which rows and values of the site's tables count, as SQL: an unusable value counts as none.

Types allow more than makes sense: a double may be NaN, a date infinite, a key NULL because what it named has gone.
"""

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.postgres.values import moment

RATED: Final[LiteralString] = """(r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)"""
"""Whether a rating `r` is one: four numbers from 1 to 5. NULL where one is missing."""


RATING_KEY = ("raterProfileId", "targetProfileId")
RESULT_KEY = ("userId", "quizId")
INTEREST_KEY = ("userId", "subjectId", "interestId")

RATING_ONCE: Final[LiteralString] = """DISTINCT ON (r."raterProfileId", r."targetProfileId")"""
RATING_ORDER: Final[LiteralString] = f"""ORDER BY r."raterProfileId", r."targetProfileId",
    {moment('r."createdAt"')} DESC NULLS LAST,
    r."attractive" DESC, r."smart" DESC, r."funny" DESC, r."interesting" DESC"""
"""Of several ratings by one of one the latest comes first; the rest makes the order the same every time."""

RESULT_ORDER: Final[LiteralString] = f"""r."quizId", {moment('r."updatedAt"')} DESC NULLS LAST,
    r."answers" DESC NULLS LAST, r."scoreVec" DESC NULLS LAST"""
"""The same of several results of one quiz."""

PROFILE_ORDER: Final[LiteralString] = """("deletedAt" IS NULL) DESC, "id" DESC"""
"""Of several profiles of one user the one that counts comes first."""

_HAS_UNIQUE_INDEX: Final[LiteralString] = """
SELECT EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = to_regclass(%(table)s) AND i.indisunique AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (
          SELECT FROM generate_series(0, i.indnkeyatts - 1) AS at
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[at]
          WHERE a.attname <> ALL(%(columns)s::text[])))
"""
"""Whether a unique index of the table has no columns beyond these."""


def is_unique(connection: Connection, table: str, columns: Sequence[str]) -> bool:
    """Whether an index keeps the table from holding these columns' values twice. Then reading needs no DISTINCT."""
    row = connection.execute(_HAS_UNIQUE_INDEX, {"table": f'"{table}"', "columns": list(columns)}).fetchone()
    assert row is not None
    return bool(row[0])
