-- _READ_UNDELETED_USERS
SELECT array_agg("id"::int8) FROM (
SELECT u."id" FROM "User" u
WHERE u."id" = ANY(%(ids)s) AND u."deletedAt" IS NULL AND NOT EXISTS (
    SELECT FROM "Profile" p WHERE p."userId" = u."id" AND p."userId" = ANY(%(ids)s) AND p."deletedAt" IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM "Profile" kept
          WHERE kept."userId" = p."userId" AND kept."userId" = ANY(%(ids)s) AND kept."deletedAt" IS NULL))
) AS rows;

-- _fetch: _READ_STORED_INPUTS
SELECT array_agg("userId"::int8), array_agg("viewerHash"::int8), array_agg("targetHash"::int8), array_agg("isTarget"::int4), array_agg("interestCount"::int4), array_agg("resultCount"::int4), array_agg("latestQuizId"::int8), array_agg("isRated"::int4), array_agg("hasRated"::int4), string_agg("interests", ''::bytea), string_agg("results", ''::bytea), string_agg("vectors", ''::bytea), string_agg("answers", ''::bytea), string_agg("received", ''::bytea), string_agg("given", ''::bytea) FROM (
SELECT "userId", "viewerHash", COALESCE("targetHash", 0) AS "targetHash", ("targetHash" IS NOT NULL)::int AS "isTarget",
       octet_length("interests") / 16 AS "interestCount", octet_length("results") / 16 AS "resultCount",
       COALESCE("latestQuizId", 0) AS "latestQuizId", (octet_length("received") > 0)::int AS "isRated",
       (octet_length("given") > 0)::int AS "hasRated", "interests", "results", "vectors", "answers", "received", "given"
FROM
 "UserCompatibilityInput" stored WHERE "userId" = ANY(%(ids)s::bigint[])) AS rows;

-- _fetch: _READ_CURRENT_INPUTS
SELECT array_agg("userId"::int8), array_agg("viewerHash"::int8), array_agg("targetHash"::int8), array_agg("isTarget"::int4), array_agg("interestCount"::int4), array_agg("resultCount"::int4), array_agg("latestQuizId"::int8), array_agg("isRated"::int4), array_agg("hasRated"::int4), string_agg("interests", ''::bytea), string_agg("results", ''::bytea), string_agg("vectors", ''::bytea), string_agg("answers", ''::bytea), string_agg("received", ''::bytea), string_agg("given", ''::bytea) FROM (
SELECT "userId", "viewerHash", COALESCE("targetHash", 0) AS "targetHash", ("targetHash" IS NOT NULL)::int AS "isTarget",
       octet_length("interests") / 16 AS "interestCount", octet_length("results") / 16 AS "resultCount",
       COALESCE("latestQuizId", 0) AS "latestQuizId", (octet_length("received") > 0)::int AS "isRated",
       (octet_length("given") > 0)::int AS "hasRated", "interests", "results", "vectors", "answers", "received", "given"
FROM
 (
SELECT raw."userId", raw."interests", raw."latestQuizId", raw."results", raw."vectors", raw."answers",
       raw."received", raw."given",
       ('x' || encode(substr(sha256(
           raw."both" || COALESCE(int8send(raw."latestQuizId"), '') || raw."given"), 1, 8), 'hex')
       )::bit(64)::bigint AS "viewerHash",
       CASE WHEN NOT raw."gone" THEN ('x' || encode(substr(sha256(
           int8send(raw."userId") || raw."both" || raw."received"), 1, 8), 'hex')
       )::bit(64)::bigint END AS "targetHash"
FROM (
    SELECT u."id"::bigint AS "userId", i."interests", q."latestQuizId", q."results", q."vectors", q."answers",
           COALESCE(received."ratings" || int8send(received."count"), '') AS "received",
           COALESCE(given."ratings", '') AS "given",
           p."deletedAt" IS NOT NULL AS "gone",
           int4send(octet_length(i."interests")) || i."interests"
           || int4send(octet_length(q."results")) || q."results" || q."vectors" || q."answers" AS "both"
    FROM "User" u
    LEFT JOIN LATERAL (
        SELECT "id", "deletedAt" FROM "Profile" WHERE "userId" = u."id" ORDER BY ("deletedAt" IS NULL) DESC, "id" DESC LIMIT 1
    ) AS p ON true
    CROSS JOIN LATERAL (
SELECT COALESCE(string_agg(
    int8send(ui."subjectId"::bigint) || int8send(ui."interestId"::bigint), ''::bytea
    ORDER BY ui."subjectId", ui."interestId"), '') AS "interests"
FROM (
    SELECT DISTINCT "subjectId", "interestId" FROM "UserInterest"
    WHERE "userId" = u."id" AND "subjectId" IS NOT NULL AND "interestId" IS NOT NULL
) AS ui
) AS i
    CROSS JOIN LATERAL (
SELECT (array_agg(r."quizId"::bigint ORDER BY r."updated" DESC NULLS LAST, r."quizId" DESC))[1]
           AS "latestQuizId",
       COALESCE(string_agg(
           int8send(r."quizId"::bigint) || int4send(v."count"::int) || int4send(a."count"::int), ''::bytea
           ORDER BY r."quizId"), '') AS "results",
       COALESCE(string_agg(v."values", ''::bytea ORDER BY r."quizId"), '') AS "vectors",
       COALESCE(string_agg(a."values", ''::bytea ORDER BY r."quizId"), '') AS "answers"
FROM (
    SELECT DISTINCT ON (r."quizId") r."quizId", r."answers", r."scoreVec",
           CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END AS "updated"
    FROM "QuizResult" r WHERE r."userId" = u."id" AND r."quizId" IS NOT NULL ORDER BY r."quizId", CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END DESC NULLS LAST,
    r."answers" DESC NULLS LAST, r."scoreVec" DESC NULLS LAST
) AS r
CROSS JOIN LATERAL (
SELECT count(*) AS "count", string_agg(float8send(
           CASE WHEN abs((e."value" #>> '{}')::numeric) < 1e-300 THEN 0
                ELSE GREATEST(LEAST((e."value" #>> '{}')::numeric, 1e300), -1e300)::float8 END
       ), ''::bytea ORDER BY e."position") AS "values"
FROM jsonb_array_elements(
    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
) WITH ORDINALITY AS e ("value", "position")
WHERE NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{}', true)
) AS v
CROSS JOIN LATERAL (
SELECT count(*) AS "count",
       string_agg(int8send(asked."question") || int8send(asked."answer"), ''::bytea
                  ORDER BY asked."question") AS "values"
FROM (
    SELECT hashtextextended(e."key", 0) AS "question",
           jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
    FROM jsonb_each(
        CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{}' END) AS e
    WHERE jsonb_typeof(e."value") <> 'null'
) AS asked
) AS a
) AS q
    CROSS JOIN LATERAL (
SELECT count(*) AS "count",
       float8send(avg(r."attractive")::float8) || float8send(avg(r."smart")::float8)
       || float8send(avg(r."funny")::float8) || float8send(avg(r."interesting")::float8) AS "ratings"
FROM (
    SELECT DISTINCT ON (r."raterProfileId", r."targetProfileId") r."attractive", r."smart", r."funny", r."interesting" FROM "ProfileRating" r
    WHERE r."targetProfileId" = p."id" AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5) ORDER BY r."raterProfileId", r."targetProfileId",
    CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END DESC NULLS LAST,
    r."attractive" DESC, r."smart" DESC, r."funny" DESC, r."interesting" DESC
) AS r
) AS received
    CROSS JOIN LATERAL (
SELECT float8send(avg(r."attractive")::float8) || float8send(avg(r."smart")::float8)
       || float8send(avg(r."funny")::float8) || float8send(avg(r."interesting")::float8) AS "ratings"
FROM (
    SELECT DISTINCT ON (r."raterProfileId", r."targetProfileId") r."attractive", r."smart", r."funny", r."interesting" FROM "ProfileRating" r
    WHERE r."raterProfileId" = p."id" AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5) ORDER BY r."raterProfileId", r."targetProfileId",
    CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END DESC NULLS LAST,
    r."attractive" DESC, r."smart" DESC, r."funny" DESC, r."interesting" DESC
) AS r
) AS given
    WHERE u."id" = ANY(%(ids)s::bigint[]) AND u."deletedAt" IS NULL
) AS raw
) AS fresh) AS rows;
