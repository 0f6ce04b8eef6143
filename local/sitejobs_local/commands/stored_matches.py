"""What match-scores stored, as commands read it."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from psycopg import Connection

BUCKET: Final = 0.05
"""Width of a step of the distribution of scores."""

_BEST = """
SELECT m."rank", m."tier", m."candidateUserId" AS "id", m."score", m."scoreQuiz", m."scoreInterests",
       m."scoreRatingsQuality", m."scoreRatingsFit", m."scoreNew", m."scoreNearby", m."distanceKm", m."reasons",
       m."scoreLike", m."scoreBack", p."displayName" AS "name", p."locationText" AS "place",
       CASE WHEN isfinite(m."scoredAt") AND p."birthdate" BETWEEN '0001-01-01' AND '9999-12-31'
                 AND p."birthdate"::date <= (m."scoredAt" AT TIME ZONE 'UTC')::date
            THEN date_part('year', age(m."scoredAt" AT TIME ZONE 'UTC', p."birthdate"::date))::integer END AS "age"
FROM "MatchScoreExplained" m
LEFT JOIN LATERAL (
    SELECT "displayName", "locationText", "birthdate" FROM "Profile"
    WHERE "userId" = m."candidateUserId" ORDER BY ("deletedAt" IS NULL) DESC, "id" DESC LIMIT 1
) AS p ON true
WHERE m."userId" = %(user_id)s ORDER BY m."rank" LIMIT %(limit)s
"""
_VIEWER = """
SELECT to_char("scoredAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), "skipped" FROM "MatchScoreViewer"
WHERE "userId" = %s
"""
_DISTRIBUTION = """
SELECT CASE WHEN s."rank" <= m."tierA" THEN 'A' ELSE 'B' END,
       LEAST(floor(s."score" / %(bucket)s)::integer, %(last)s), count(*)
FROM "MatchCandidates" m CROSS JOIN LATERAL unnest(m."score") WITH ORDINALITY AS s ("score", "rank")
WHERE s."score" BETWEEN -1000 AND 1000 GROUP BY 1, 2 ORDER BY 1, 2 DESC
"""
_VIEWERS = """SELECT count(*) FILTER (WHERE "rows" > 0), COALESCE(sum("rows"), 0)::bigint FROM "MatchScoreViewer" """


def best(connection: "Connection", user_id: int, limit: int) -> list[dict[str, Any]]:
    """A user's best matches with names and reasons."""
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_BEST, {"user_id": user_id, "limit": limit}).fetchall()


def distribution(connection: "Connection") -> list[tuple[str, int, int]]:
    """Tier, twentieth and count of stored scores, highest first."""
    return connection.execute(_DISTRIBUTION, {"bucket": BUCKET, "last": round(1 / BUCKET) - 1}).fetchall()


def counted(connection: "Connection") -> tuple[int, int]:
    """How many users have matches, and how many matches are stored."""
    viewers = connection.execute(_VIEWERS).fetchone()
    assert viewers is not None  # an aggregate is always one row
    return int(viewers[0]), int(viewers[1])


def computed(connection: "Connection", user_id: int) -> tuple[str, str | None] | None:
    """When match-scores came to a user (in UTC), and why the user has no matches; None if it has not yet."""
    return connection.execute(_VIEWER, [user_id]).fetchone()
