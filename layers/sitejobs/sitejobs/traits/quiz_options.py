"""The options of all quizzes, and when each was last seen to change."""

from typing import Final, LiteralString

from psycopg import Connection

OPTIONS: Final[LiteralString] = """
SELECT DISTINCT ON (o."questionId", o."value") q."quizId"::bigint AS "quizId", q."id"::bigint AS "questionId",
       o."value"::text AS "value", o."traitValues"
FROM "QuizOption" o JOIN "QuizQuestion" q ON q."id" = o."questionId"
WHERE o."value" IS NOT NULL AND q."quizId" IS NOT NULL AND {}
ORDER BY o."questionId", o."value", o."id"
"""
"""The options of the questions `q` that meet the condition `{}`. Of two options with one value, the older one."""

# clock_timestamp() is later than the statement's snapshot, so a page that did not see a change began before
# `changedAt`. A `changedAt` in the future came from a wrong clock and is replaced.
NOTE_CHANGED_OPTIONS: Final[LiteralString] = f"""
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
"""Notes the time of every option that is new, changed or gone."""


def note_changed_options(connection: Connection) -> None:
    """Note which options are new, changed or gone since the last call."""
    connection.execute(NOTE_CHANGED_OPTIONS)
