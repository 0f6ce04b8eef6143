"""build-user-traits: UserTrait, for each trait the mean of the values that a user's quiz answers have for it.

A page reads its users' results, joins the answers with the options they name, and writes the traits that differ.
"""

from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import COUNT_USERS, KeyedJob, Keys, Parameters, users_and
from sitejobs.jobs.losses import Loss
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.postgres.values import moment
from sitejobs.traits.fingerprints import EMPTY_WITHOUT_USER, current_fingerprints
from sitejobs.traits.options import BUILD_USER_TRAITS
from sitejobs.traits.quiz_options import OPTIONS, note_changed_options

LONGEST_KEY = 200
"""Characters of a trait's key, at most: a longer key might not fit into an index."""

# Hash of a group of rows of QuizResult, in any order. Hashes the answers' text, since jsonb_hash_extended gives 1 and
# 1.0 one hash, and two equal changes 16 keys apart cancel out.
_FINGERPRINT: Final[LiteralString] = """
hash_numeric_extended(
    sum(hashint8extended(COALESCE("quizId", -1), COALESCE(hashtextextended("answers"::text, 0), 1))), count(*))
"""
# `changed` is small, usually empty: the options that changed since a user of the range was last computed.
STALE: Final[LiteralString] = f"""
WITH stored AS MATERIALIZED (
    SELECT "userId", "fingerprint", "checkedAt" FROM "UserTraitState"
    WHERE "userId" BETWEEN %(first)s AND %(last)s
), changed AS MATERIALIZED (
    SELECT "quizId", "questionId"::text AS "question", "valueHash", "changedAt" FROM "QuizOptionSeen"
    WHERE "changedAt" >= (SELECT min("checkedAt") FROM stored)
)
SELECT "userId" FROM ({current_fingerprints("QuizResult", _FINGERPRINT)}) AS source
FULL JOIN stored USING ("userId")
WHERE source."fingerprint" IS DISTINCT FROM stored."fingerprint"
   OR stored."checkedAt" > clock_timestamp()  -- a wrong clock's: what changed since then is not known
   OR {EMPTY_WITHOUT_USER}
UNION
SELECT r."userId" FROM changed c
JOIN "QuizResult" r ON r."userId" BETWEEN %(first)s AND %(last)s AND r."quizId" = c."quizId"
                   AND hashtextextended(r."answers" ->> c."question", 0) = c."valueHash"
JOIN stored s ON s."userId" = r."userId" AND s."fingerprint" IS NOT NULL AND s."checkedAt" <= c."changedAt"
ORDER BY "userId"
"""
"""Users of a key range whose results changed, or of whose results an option changed, and those without a user row."""

# An array, whose elements the planner looks up in the index; for a join it might read all quizzes.
_TAKEN: Final[LiteralString] = """ANY(ARRAY(SELECT DISTINCT "quizId" FROM result))"""

# A user's state row is written before its traits, and only users whose state row this page wrote go on (`owner`). The
# state row of a user without results is kept, empty, as long as the user: two runs then still conflict on it.
WRITE_TRAITS: Final[LiteralString] = f"""
WITH given AS MATERIALIZED (
    SELECT r."userId"::bigint AS "userId", r."quizId"::bigint AS "quizId", r."answers", r."updatedAt"
    FROM "QuizResult" r JOIN "User" u ON u."id" = r."userId"
    WHERE r."userId" = ANY(%(keys)s) AND u."id" = ANY(%(keys)s) AND u."deletedAt" IS NULL
), result AS MATERIALIZED (
    SELECT DISTINCT ON ("userId", "quizId") "userId", "quizId", "answers" FROM given WHERE "quizId" IS NOT NULL
    ORDER BY "userId", "quizId", {moment('"updatedAt"')} DESC NULLS LAST, "answers"::text DESC
), option AS MATERIALIZED (
    SELECT "quizId", "questionId"::text AS "question", "value", "traitValues"
    FROM ({OPTIONS.format(f'q."quizId" = {_TAKEN}')}) AS options
), question AS MATERIALIZED (
    SELECT "quizId"::bigint AS "quizId", "id"::text AS "question" FROM "QuizQuestion" WHERE "quizId" = {_TAKEN}
), said AS MATERIALIZED (
    SELECT o."quizId", o."question", o."value", e."key" AS "traitKey",
           CASE WHEN jsonb_typeof(e."value") = 'number' AND length(e."key") <= {LONGEST_KEY}
                THEN LEAST(GREATEST((e."value" #>> '{{}}')::numeric, -10), 10) END AS "says"
    FROM option o
    CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(o."traitValues") WHEN 'object' THEN o."traitValues" END) AS e
), answer AS MATERIALIZED (
    SELECT r."userId", r."quizId", a."key" AS "question", jsonb_typeof(a."value") AS "type",
           a."value" #>> '{{}}' AS "value"
    FROM result r
    CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(r."answers") WHEN 'object' THEN r."answers" END) AS a
), odd AS MATERIALIZED (
    SELECT "userId", 'result-without-quiz' AS "reason", count(*) AS "count" FROM given
    WHERE "quizId" IS NULL GROUP BY 1
    UNION ALL
    SELECT "userId", 'answers-malformed', count(*) FROM result
    WHERE jsonb_typeof("answers") IS DISTINCT FROM 'object' GROUP BY 1
    UNION ALL
    SELECT a."userId",
           CASE WHEN q."question" IS NULL THEN 'answer-unknown-question'
                WHEN a."type" = 'null' THEN 'answer-null'
                WHEN a."type" IN ('array', 'object') THEN 'answer-malformed'
                WHEN o."question" IS NULL THEN 'answer-unknown-option'
                ELSE 'trait-values-malformed' END, count(*)
    FROM answer a
    LEFT JOIN question q USING ("quizId", "question")
    LEFT JOIN option o ON o."quizId" = a."quizId" AND o."question" = a."question" AND o."value" = a."value"
                      AND a."type" NOT IN ('null', 'array', 'object')
    WHERE o."question" IS NULL OR jsonb_typeof(o."traitValues") NOT IN ('object', 'null')
    GROUP BY 1, 2
    UNION ALL
    SELECT a."userId", 'trait-value-malformed', count(*)
    FROM answer a JOIN said s USING ("quizId", "question", "value")
    WHERE a."type" NOT IN ('null', 'array', 'object') AND s."says" IS NULL GROUP BY 1
), wanted AS (
    SELECT a."userId", s."traitKey", round(avg(s."says"), 2)::numeric(10, 2) AS "value", count(*)::int AS "n"
    FROM answer a JOIN said s USING ("quizId", "question", "value")
    WHERE a."type" NOT IN ('null', 'array', 'object') AND s."says" IS NOT NULL
    GROUP BY 1, 2
), difference AS MATERIALIZED (
    SELECT "userId", "traitKey", w."value", w."n", w."n" IS NULL AS "gone", s."n" IS NULL AS "new"
    FROM wanted w
    FULL JOIN (SELECT "userId", "traitKey", "value", "n" FROM "UserTrait" WHERE "userId" = ANY(%(keys)s)) s
        USING ("userId", "traitKey")
    WHERE (w."value", w."n") IS DISTINCT FROM (s."value", s."n")
), changed AS MATERIALIZED (
    SELECT DISTINCT "userId" FROM difference
), print AS MATERIALIZED (
    SELECT "userId", {_FINGERPRINT} AS "fingerprint" FROM given GROUP BY 1
), due AS MATERIALIZED (
    SELECT "userId", p."fingerprint", COALESCE(o."skipped", 0) AS "skipped"
    FROM print p
    FULL JOIN (SELECT * FROM "UserTraitState" WHERE "userId" = ANY(%(keys)s)) s USING ("userId")
    FULL JOIN (SELECT "userId", true AS "changed" FROM changed) c USING ("userId")
    LEFT JOIN (SELECT "userId", sum("count") AS "skipped" FROM odd GROUP BY 1) o USING ("userId")
    WHERE "changed" OR p."fingerprint" IS DISTINCT FROM s."fingerprint"
       OR COALESCE(o."skipped", 0) <> COALESCE(s."skipped", 0)
       OR s."checkedAt" <= (SELECT max("changedAt") FROM "QuizOptionSeen")
       OR s."checkedAt" > clock_timestamp()
), owner AS (
    INSERT INTO "UserTraitState" ("userId", "fingerprint", "skipped", "checkedAt")
    SELECT "userId", "fingerprint", "skipped", now() FROM due ORDER BY "userId"
    ON CONFLICT ("userId") DO UPDATE SET "fingerprint" = excluded."fingerprint", "skipped" = excluded."skipped",
        "checkedAt" = excluded."checkedAt"
    RETURNING "userId"
), forgotten AS (
    DELETE FROM "UserTraitState" s
    WHERE s."userId" = ANY(%(keys)s) AND s."fingerprint" IS NULL
      AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = s."userId" AND u."id" = ANY(%(keys)s))
      AND NOT EXISTS (SELECT FROM due d WHERE d."userId" = s."userId")
), trait_gone AS (
    DELETE FROM "UserTrait" t USING difference d JOIN owner o USING ("userId")
    WHERE d."gone" AND t."userId" = d."userId" AND t."traitKey" = d."traitKey" AND t."userId" = ANY(%(keys)s)
    RETURNING 1
), trait_changed AS (
    UPDATE "UserTrait" t SET "value" = d."value", "n" = d."n", "updatedAt" = %(now)s
    FROM difference d JOIN owner o USING ("userId")
    WHERE NOT d."gone" AND NOT d."new" AND t."userId" = d."userId" AND t."traitKey" = d."traitKey"
      AND t."userId" = ANY(%(keys)s)
    RETURNING 1
), trait_new AS (
    INSERT INTO "UserTrait" ("userId", "traitKey", "value", "n", "updatedAt")
    SELECT d."userId", d."traitKey", d."value", d."n", %(now)s FROM difference d JOIN owner o USING ("userId")
    WHERE d."new" ORDER BY 1, 2 RETURNING 1
)
SELECT (SELECT count(*) FROM trait_gone) + (SELECT count(*) FROM trait_changed) + (SELECT count(*) FROM trait_new),
       count(*) FILTER (WHERE c."userId" IS NULL AND u."id" IS NULL),
       count(*) FILTER (WHERE c."userId" IS NULL AND u."id" IS NOT NULL AND p."userId" IS NULL),
       count(*) FILTER (WHERE c."userId" IS NULL AND p."userId" IS NOT NULL),
       (SELECT jsonb_object_agg("reason", "count")
        FROM (SELECT "reason", sum("count") AS "count" FROM odd GROUP BY 1) AS odds)
FROM unnest(%(keys)s::bigint[]) AS k ("id")
LEFT JOIN "User" u ON u."id" = k."id" AND u."id" = ANY(%(keys)s) AND u."deletedAt" IS NULL
LEFT JOIN print p ON p."userId" = k."id"
LEFT JOIN changed c ON c."userId" = k."id"
"""
"""Computes traits and stores those that differ.

Returns how many rows were written, how many users are skipped for each reason, and how many answers and results say
nothing, by reason.
"""


def refresh(connection: Connection, keys: list[int], parameters: Parameters) -> PageSummary:
    """Bring the users' traits up to date. Rows that were added, changed or removed count as written.

    Answers that say nothing are counted by reason; a user is never skipped for them.
    """
    row = connection.execute(WRITE_TRAITS, {**parameters, "keys": keys}).fetchone()
    assert row is not None
    written, deleted, without, unchanged, odd = row
    summary = PageSummary(processed=len(keys), written=written)
    summary.skip(SkipReason.DELETED, deleted)
    summary.skip(SkipReason.NO_QUIZ_RESULTS, without)
    summary.skip(SkipReason.UNCHANGED, unchanged)
    for reason, count in (odd or {}).items():
        summary.note(reason, count)
    return summary


# Lost are traits of users without results of a quiz that has options, and traits that no option names any more. The
# pages alone look into the answers.
_LOST: Final[LiteralString] = """
WITH option AS MATERIALIZED (
    SELECT q."quizId", o."traitValues" FROM "QuizOption" o JOIN "QuizQuestion" q ON q."id" = o."questionId"
    WHERE jsonb_typeof(o."traitValues") = 'object'
), spoken AS MATERIALIZED (
    SELECT DISTINCT e."key" FROM option o CROSS JOIN LATERAL jsonb_object_keys(o."traitValues") AS e ("key")
), answering AS MATERIALIZED (
    SELECT DISTINCT r."userId" FROM "QuizResult" r JOIN "User" u ON u."id" = r."userId" AND u."deletedAt" IS NULL
    WHERE r."quizId" IN (SELECT "quizId" FROM option)
)
SELECT count(*) FILTER (WHERE a."userId" IS NULL OR k."key" IS NULL), count(*)
FROM "UserTrait" t
LEFT JOIN answering a ON a."userId" = t."userId"
LEFT JOIN spoken k ON k."key" = t."traitKey"
"""

KEYS = Keys(
    known=users_and('"UserTraitState"'),
    stale=STALE,
    count=COUNT_USERS,
    losses=(Loss("UserTrait", _LOST),),
)

JOB = KeyedJob(BUILD_USER_TRAITS, KEYS, refresh, prepare=note_changed_options)
