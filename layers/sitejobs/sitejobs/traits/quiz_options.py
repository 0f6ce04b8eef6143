"""The options of all quizzes, and which of them have changed since they were last looked at."""

from psycopg import Connection

OPTIONS = """
SELECT DISTINCT ON (o."questionId", o."value") q."quizId"::bigint AS "quizId", q."id"::bigint AS "questionId",
       o."value"::text AS "value", o."traitValues"
FROM "QuizOption" o JOIN "QuizQuestion" q ON q."id" = o."questionId"
WHERE o."value" IS NOT NULL AND q."quizId" IS NOT NULL AND {}
ORDER BY o."questionId", o."value", o."id"
"""
"""Every option that can be chosen, of questions `q` that meet a condition: where two have one value, the older one."""

# The time is taken after the statement's moment: a page that did not see a change began before it. One that is still to
# come was a wrong clock's.
_NOTE = f"""
INSERT INTO "QuizOptionSeen" AS seen ("quizId", "questionId", "valueHash", "fingerprint", "changedAt")
SELECT "quizId", "questionId", "valueHash", o."fingerprint", clock_timestamp()
FROM (
    SELECT "quizId", "questionId", hashtextextended("value", 0) AS "valueHash",
           COALESCE(hashtextextended("traitValues"::text, 0), 1) AS "fingerprint"
    FROM ({OPTIONS.format("true")}) AS options
) AS o
FULL JOIN "QuizOptionSeen" s USING ("quizId", "questionId", "valueHash")
WHERE o."fingerprint" IS DISTINCT FROM s."fingerprint" OR s."changedAt" > clock_timestamp()
ORDER BY 1, 2, 3
ON CONFLICT ("quizId", "questionId", "valueHash") DO UPDATE
SET "fingerprint" = excluded."fingerprint", "changedAt" = excluded."changedAt"
"""


def note_changed_options(connection: Connection) -> None:
    """Note which options are new, changed or gone since the last call."""
    connection.execute(_NOTE)
