"""Counts the unusable records that a run leaves out (`usable_rows.py`)."""

from typing import LiteralString

from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PageSummary, Run
from sitejobs.matching.usable_rows import RATED

NOT_FINITE = "not-finite"
"""A score is not finite: its viewer fails and keeps its stored rows."""

_CONTEXT = "passedOver"

_COUNTS: dict[str, LiteralString] = {
    "unreadable-ratings": f"""
        SELECT count(*) FROM "ProfileRating" r WHERE {RATED} IS NOT TRUE
          AND (%(user_id)s::bigint IS NULL
               OR r."targetProfileId" IN (SELECT "id" FROM "Profile" WHERE "userId" = %(user_id)s)
               OR r."raterProfileId" IN (SELECT "id" FROM "Profile" WHERE "userId" = %(user_id)s))""",
    "unreadable-interests": """
        SELECT count(*) FROM "UserInterest"
        WHERE ("userId" IS NULL OR "subjectId" IS NULL OR "interestId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR "userId" = %(user_id)s)""",
    "unreadable-quiz-results": """
        SELECT count(*) FROM "QuizResult"
        WHERE ("userId" IS NULL OR "quizId" IS NULL) AND (%(user_id)s::bigint IS NULL OR "userId" = %(user_id)s)""",
    "unreadable-blocks": """
        SELECT count(*) FROM "UserBlock"
        WHERE ("blockerId" IS NULL OR "blockedId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("blockerId", "blockedId"))""",
}
_PAIRS: dict[str, LiteralString] = {
    "unreadable-matches": """
        SELECT count(*) FROM "Match"
        WHERE ("userAId" IS NULL OR "userBId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("userAId", "userBId"))""",
    "unreadable-conversations": """
        SELECT count(*) FROM "Conversation"
        WHERE ("userAId" IS NULL OR "userBId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("userAId", "userBId"))""",
}
SCORED: dict[str, LiteralString] = _PAIRS | {
    "unreadable-likes": """
        SELECT count(*) FROM "Like"
        WHERE ("fromUserId" IS NULL OR "toUserId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("fromUserId", "toUserId"))""",
    "unreadable-traits": """
        SELECT count(*) FROM "UserTrait"
        WHERE "value" = 'NaN' AND (%(user_id)s::bigint IS NULL OR "userId" = %(user_id)s)""",
}
"""Further tables that match-scores reads."""

RELATIONS: dict[str, LiteralString] = _PAIRS | {
    "unreadable-accesses": """
        SELECT count(*) FROM "ProfileAccess"
        WHERE ("ownerUserId" IS NULL OR "viewerUserId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("ownerUserId", "viewerUserId"))""",
}
"""Further tables that compatibility reads."""


def count_passed_over(
    connection: Connection, besides: dict[str, LiteralString], user_id: int | None = None
) -> JsonObject:
    """Count the unusable records, of everyone or of one user, for a run's context."""
    found: JsonObject = {}
    for reason, query in (_COUNTS | besides).items():
        row = connection.execute(query, {"user_id": user_id}).fetchone()
        assert row is not None
        if row[0]:
            found[reason] = int(row[0])
    return {_CONTEXT: found} if found else {}


def note_passed_over(summary: PageSummary, run: Run, page: JsonObject) -> PageSummary:
    """Add the counts to the summary of a run's first page."""
    if page["page"] == 1:
        for reason, count in run.context.get(_CONTEXT, {}).items():
            summary.note(reason, count)
    return summary
