-- NOTE_CHANGED_OPTIONS
INSERT INTO "QuizOptionSeen" AS seen ("quizId", "questionId", "valueHash", "fingerprint", "changedAt")
SELECT "quizId", "questionId", "valueHash", o."fingerprint", clock_timestamp()
FROM (
    SELECT "quizId", "questionId", hashtextextended("value", 0) AS "valueHash",
           COALESCE(hashtextextended("traitValues"::text, 0), 1) AS "fingerprint"
    FROM (
SELECT DISTINCT ON (o."questionId", o."value") q."quizId"::bigint AS "quizId", q."id"::bigint AS "questionId",
       o."value"::text AS "value", o."traitValues"
FROM "QuizOption" o JOIN "QuizQuestion" q ON q."id" = o."questionId"
WHERE o."value" IS NOT NULL AND q."quizId" IS NOT NULL AND true
ORDER BY o."questionId", o."value", o."id"
) AS options
) AS o
FULL JOIN "QuizOptionSeen" s USING ("quizId", "questionId", "valueHash")
WHERE o."fingerprint" IS DISTINCT FROM s."fingerprint" OR s."changedAt" > clock_timestamp()
ORDER BY 1, 2, 3
ON CONFLICT ("quizId", "questionId", "valueHash") DO UPDATE
SET "fingerprint" = excluded."fingerprint", "changedAt" = excluded."changedAt";
