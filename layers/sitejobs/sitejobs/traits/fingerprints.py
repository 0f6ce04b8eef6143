"""SQL shared by the jobs on traits and interests: which users' source rows differ from the stored fingerprint."""

from typing import Final, LiteralString


def current_fingerprints(table: LiteralString, fingerprint: LiteralString) -> LiteralString:
    """Returns the SQL of the fingerprints of a key range: one for each undeleted user with rows in `table`."""
    return f"""
    SELECT "userId", "fingerprint" FROM (
        SELECT "userId"::bigint AS "userId", {fingerprint} AS "fingerprint" FROM "{table}"
        WHERE "userId" BETWEEN %(first)s AND %(last)s GROUP BY 1
    ) AS print
    JOIN "User" u ON u."id" = print."userId" AND u."id" BETWEEN %(first)s AND %(last)s
    WHERE u."deletedAt" IS NULL
"""


EMPTY_WITHOUT_USER: Final[LiteralString] = """stored."fingerprint" IS NULL AND "userId" NOT IN (
       SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s)"""
"""Whether the row `stored` is empty and its user gone: an empty row stays as long as its user, then it is removed."""
