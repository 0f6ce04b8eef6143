-- _BEGIN
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- _ALONE
SET LOCAL max_parallel_workers_per_gather = 0;

-- READ_USERS.replace(IN_RANGE, IN_LIST)
SELECT array_agg("id"::int8), array_agg("hasProfile"::int2), array_agg("profileId"::int8), array_agg("visible"::int2), array_agg("lat"::float8), array_agg("lng"::float8), array_agg("place"::int8), array_agg("gender"::int2), array_agg("age"::int2), array_agg("updatedAt"::float8), array_agg("ageMin"::int2), array_agg("ageMax"::int2), array_agg("distance"::float8), array_agg("wants"::int2) FROM (
SELECT u."id",
       (p."id" IS NOT NULL)::int AS "hasProfile", COALESCE(p."id", 0) AS "profileId",
       COALESCE(p."isVisible", false)::int AS "visible",
       COALESCE(CASE WHEN p."lat" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN p."lat" BETWEEN -90 AND 90 THEN p."lat"::float8 END, 'NaN') AS "lat",
       COALESCE(CASE WHEN p."lng" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN p."lng" BETWEEN -180 AND 180 THEN p."lng"::float8 END, 'NaN') AS "lng",
       CASE WHEN p."locationText" <> '' THEN hashtextextended(p."locationText", 0) ELSE 0 END AS "place",
       COALESCE(array_position(%(genders)s::text[], p."gender"::text) - 1, -1) AS "gender",
       CASE WHEN (CASE WHEN p."birthdate" >= '0001-01-01' AND p."birthdate" < '10000-01-01' THEN p."birthdate" END)::date <= %(today)s::date
            THEN LEAST(extract(year FROM age(%(today)s::date, p."birthdate"::date)), 1000) ELSE -1 END AS "age",
       COALESCE(extract(epoch FROM CASE WHEN p."updatedAt" >= '0001-01-01' AND p."updatedAt" < '10000-01-01' THEN p."updatedAt" END)::float8, '-Infinity') AS "updatedAt",
       COALESCE(CASE WHEN f."preferredAgeMin" BETWEEN -1e300 AND 1e300 THEN LEAST(GREATEST(f."preferredAgeMin", 0), 2000) END, -1) AS "ageMin",
       COALESCE(CASE WHEN f."preferredAgeMax" BETWEEN -1e300 AND 1e300 THEN LEAST(GREATEST(f."preferredAgeMax", 0), 2000) END, -1) AS "ageMax",
       CASE WHEN f."preferredDistanceKm" BETWEEN -1e300 AND 1e-300 THEN 0
            WHEN f."preferredDistanceKm" BETWEEN 0 AND 1e300 THEN f."preferredDistanceKm"::float8
            ELSE 'NaN' END AS "distance",
       (SELECT COALESCE(bit_or(COALESCE(1 << (array_position(%(genders)s::text[], wanted) - 1), 0)
                               | %(given)s::int), 0)
        FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(to_jsonb(f."preferredGenders")) = 'array'
                                            THEN to_jsonb(f."preferredGenders") ELSE '[]' END) wanted) AS "wants"
FROM "User" u
LEFT JOIN "Profile" p ON p."userId" = u."id" AND p."deletedAt" IS NULL
LEFT JOIN "UserPreference" f ON f."userId" = u."id"
WHERE u."deletedAt" IS NULL AND u."id" = ANY(%(ids)s)
ORDER BY u."id", p."id" DESC, CASE WHEN f."updatedAt" >= '0001-01-01' AND f."updatedAt" < '10000-01-01' THEN f."updatedAt" END DESC NULLS LAST,
         f."preferredAgeMin", f."preferredAgeMax", f."preferredDistanceKm", to_jsonb(f."preferredGenders")
LIMIT %(limit)s
) AS rows;

-- read_users: users
SELECT u."id",
       (p."id" IS NOT NULL)::int AS "hasProfile", COALESCE(p."id", 0) AS "profileId",
       COALESCE(p."isVisible", false)::int AS "visible",
       COALESCE(CASE WHEN p."lat" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN p."lat" BETWEEN -90 AND 90 THEN p."lat"::float8 END, 'NaN') AS "lat",
       COALESCE(CASE WHEN p."lng" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN p."lng" BETWEEN -180 AND 180 THEN p."lng"::float8 END, 'NaN') AS "lng",
       CASE WHEN p."locationText" <> '' THEN hashtextextended(p."locationText", 0) ELSE 0 END AS "place",
       COALESCE(array_position(%(genders)s::text[], p."gender"::text) - 1, -1) AS "gender",
       CASE WHEN (CASE WHEN p."birthdate" >= '0001-01-01' AND p."birthdate" < '10000-01-01' THEN p."birthdate" END)::date <= %(today)s::date
            THEN LEAST(extract(year FROM age(%(today)s::date, p."birthdate"::date)), 1000) ELSE -1 END AS "age",
       COALESCE(extract(epoch FROM CASE WHEN p."updatedAt" >= '0001-01-01' AND p."updatedAt" < '10000-01-01' THEN p."updatedAt" END)::float8, '-Infinity') AS "updatedAt",
       COALESCE(CASE WHEN f."preferredAgeMin" BETWEEN -1e300 AND 1e300 THEN LEAST(GREATEST(f."preferredAgeMin", 0), 2000) END, -1) AS "ageMin",
       COALESCE(CASE WHEN f."preferredAgeMax" BETWEEN -1e300 AND 1e300 THEN LEAST(GREATEST(f."preferredAgeMax", 0), 2000) END, -1) AS "ageMax",
       CASE WHEN f."preferredDistanceKm" BETWEEN -1e300 AND 1e-300 THEN 0
            WHEN f."preferredDistanceKm" BETWEEN 0 AND 1e300 THEN f."preferredDistanceKm"::float8
            ELSE 'NaN' END AS "distance",
       (SELECT COALESCE(bit_or(COALESCE(1 << (array_position(%(genders)s::text[], wanted) - 1), 0)
                               | %(given)s::int), 0)
        FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(to_jsonb(f."preferredGenders")) = 'array'
                                            THEN to_jsonb(f."preferredGenders") ELSE '[]' END) wanted) AS "wants"
FROM "User" u
LEFT JOIN "Profile" p ON p."userId" = u."id" AND p."deletedAt" IS NULL
LEFT JOIN "UserPreference" f ON f."userId" = u."id"
WHERE u."deletedAt" IS NULL AND u."id" = ANY(%(ids)s)
ORDER BY u."id", p."id" DESC, CASE WHEN f."updatedAt" >= '0001-01-01' AND f."updatedAt" < '10000-01-01' THEN f."updatedAt" END DESC NULLS LAST,
         f."preferredAgeMin", f."preferredAgeMax", f."preferredDistanceKm", to_jsonb(f."preferredGenders")
LIMIT %(limit)s;

-- read_users: traits, rows unique
SELECT array_agg("userId"::int8), array_agg("key"::int8), array_agg("value"::float8) FROM (
SELECT "userId", hashtextextended("traitKey", 0) AS "key",
       "value"::float8 * LEAST(GREATEST("n", 0) / 5.0::float8, 1) AS "value"
FROM "UserTrait"
WHERE "userId" = ANY(%(ids)s) AND "value" <> 'NaN'
) AS rows;

-- read_users: interests, rows unique
SELECT array_agg("userId"::int8), array_agg("subjectId"::int8), array_agg("interestId"::int8) FROM (
SELECT  "userId", "subjectId", "interestId" FROM "UserInterest"
WHERE "userId" = ANY(%(ids)s) AND "subjectId" IS NOT NULL AND "interestId" IS NOT NULL
) AS rows;

-- read_users: received, rows unique
SELECT array_agg("userId"::int8), array_agg("profileId"::int8), array_agg("count"::int4), array_agg("attractive"::float8), array_agg("smart"::float8), array_agg("funny"::float8), array_agg("interesting"::float8) FROM (
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT  p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."targetProfileId"
    WHERE p."userId" = ANY(%(ids)s) AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
) AS r
GROUP BY r."userId", r."profileId"
) AS rows;

-- read_users: given, rows unique
SELECT array_agg("userId"::int8), array_agg("profileId"::int8), array_agg("count"::int4), array_agg("attractive"::float8), array_agg("smart"::float8), array_agg("funny"::float8), array_agg("interesting"::float8) FROM (
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT  p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."raterProfileId"
    WHERE p."userId" = ANY(%(ids)s) AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
) AS r
GROUP BY r."userId", r."profileId"
) AS rows;

-- read_users: results, rows unique
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("updatedAt"::float8), array_agg("hash"::int8) FROM (
SELECT r."userId", r."quizId",
       COALESCE(extract(epoch FROM CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END)::float8, '-Infinity') AS "updatedAt",
       hashtextextended(COALESCE(r."scoreVec"::text, ''),
                        hashtextextended(COALESCE(r."answers"::text, ''), 0)) AS "hash"
FROM "QuizResult" r WHERE r."userId" = ANY(%(ids)s) AND r."quizId" IS NOT NULL
) AS rows;

-- read_users: vectors, rows unique
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("position"::int4), array_agg("value"::float8) FROM (
SELECT r."userId", r."quizId", e."position",
       CASE WHEN e."value"::numeric BETWEEN -1e-300 AND 1e-300 THEN 0
            ELSE GREATEST(LEAST(e."value"::numeric, 1e300), -1e300)::float8 END AS "value"
FROM "QuizResult" r
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
) WITH ORDINALITY AS e ("value", "position")
WHERE r."userId" = ANY(%(ids)s) AND r."quizId" IS NOT NULL
  AND NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{}', true)
) AS rows;

-- read_users: answers, rows unique
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("question"::int8), array_agg("answer"::int8) FROM (
SELECT r."userId", r."quizId", hashtextextended(e."key", 0) AS "question",
       jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
FROM "QuizResult" r
CROSS JOIN LATERAL jsonb_each(
    CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{}' END
) AS e
WHERE r."userId" = ANY(%(ids)s) AND r."quizId" IS NOT NULL AND jsonb_typeof(e."value") <> 'null'
) AS rows;

-- read_users: traits, rows repeated
SELECT array_agg("userId"::int8), array_agg("key"::int8), array_agg("value"::float8) FROM (
SELECT "userId", hashtextextended("traitKey", 0) AS "key",
       "value"::float8 * LEAST(GREATEST("n", 0) / 5.0::float8, 1) AS "value"
FROM "UserTrait"
WHERE "userId" = ANY(%(ids)s) AND "value" <> 'NaN'
) AS rows;

-- read_users: interests, rows repeated
SELECT array_agg("userId"::int8), array_agg("subjectId"::int8), array_agg("interestId"::int8) FROM (
SELECT DISTINCT "userId", "subjectId", "interestId" FROM "UserInterest"
WHERE "userId" = ANY(%(ids)s) AND "subjectId" IS NOT NULL AND "interestId" IS NOT NULL
) AS rows;

-- read_users: received, rows repeated
SELECT array_agg("userId"::int8), array_agg("profileId"::int8), array_agg("count"::int4), array_agg("attractive"::float8), array_agg("smart"::float8), array_agg("funny"::float8), array_agg("interesting"::float8) FROM (
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT DISTINCT ON (r."raterProfileId", r."targetProfileId") p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."targetProfileId"
    WHERE p."userId" = ANY(%(ids)s) AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5) ORDER BY r."raterProfileId", r."targetProfileId",
    CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END DESC NULLS LAST,
    r."attractive" DESC, r."smart" DESC, r."funny" DESC, r."interesting" DESC
) AS r
GROUP BY r."userId", r."profileId"
) AS rows;

-- read_users: given, rows repeated
SELECT array_agg("userId"::int8), array_agg("profileId"::int8), array_agg("count"::int4), array_agg("attractive"::float8), array_agg("smart"::float8), array_agg("funny"::float8), array_agg("interesting"::float8) FROM (
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT DISTINCT ON (r."raterProfileId", r."targetProfileId") p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."raterProfileId"
    WHERE p."userId" = ANY(%(ids)s) AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5) ORDER BY r."raterProfileId", r."targetProfileId",
    CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END DESC NULLS LAST,
    r."attractive" DESC, r."smart" DESC, r."funny" DESC, r."interesting" DESC
) AS r
GROUP BY r."userId", r."profileId"
) AS rows;

-- read_users: results, rows repeated
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("updatedAt"::float8), array_agg("hash"::int8) FROM (
SELECT r."userId", r."quizId",
       COALESCE(extract(epoch FROM CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END)::float8, '-Infinity') AS "updatedAt",
       hashtextextended(COALESCE(r."scoreVec"::text, ''),
                        hashtextextended(COALESCE(r."answers"::text, ''), 0)) AS "hash"
FROM (
    SELECT DISTINCT ON (r."userId", r."quizId") r."userId", r."quizId", r."answers", r."scoreVec", r."updatedAt"
    FROM "QuizResult" r WHERE r."userId" = ANY(%(ids)s) ORDER BY r."userId", r."quizId", CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END DESC NULLS LAST,
    r."answers" DESC NULLS LAST, r."scoreVec" DESC NULLS LAST
) AS r WHERE r."userId" = ANY(%(ids)s) AND r."quizId" IS NOT NULL
) AS rows;

-- read_users: vectors, rows repeated
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("position"::int4), array_agg("value"::float8) FROM (
SELECT r."userId", r."quizId", e."position",
       CASE WHEN e."value"::numeric BETWEEN -1e-300 AND 1e-300 THEN 0
            ELSE GREATEST(LEAST(e."value"::numeric, 1e300), -1e300)::float8 END AS "value"
FROM (
    SELECT DISTINCT ON (r."userId", r."quizId") r."userId", r."quizId", r."answers", r."scoreVec", r."updatedAt"
    FROM "QuizResult" r WHERE r."userId" = ANY(%(ids)s) ORDER BY r."userId", r."quizId", CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END DESC NULLS LAST,
    r."answers" DESC NULLS LAST, r."scoreVec" DESC NULLS LAST
) AS r
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
) WITH ORDINALITY AS e ("value", "position")
WHERE r."userId" = ANY(%(ids)s) AND r."quizId" IS NOT NULL
  AND NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{}', true)
) AS rows;

-- read_users: answers, rows repeated
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("question"::int8), array_agg("answer"::int8) FROM (
SELECT r."userId", r."quizId", hashtextextended(e."key", 0) AS "question",
       jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
FROM (
    SELECT DISTINCT ON (r."userId", r."quizId") r."userId", r."quizId", r."answers", r."scoreVec", r."updatedAt"
    FROM "QuizResult" r WHERE r."userId" = ANY(%(ids)s) ORDER BY r."userId", r."quizId", CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END DESC NULLS LAST,
    r."answers" DESC NULLS LAST, r."scoreVec" DESC NULLS LAST
) AS r
CROSS JOIN LATERAL jsonb_each(
    CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{}' END
) AS e
WHERE r."userId" = ANY(%(ids)s) AND r."quizId" IS NOT NULL AND jsonb_typeof(e."value") <> 'null'
) AS rows;

-- READ_USERS
SELECT array_agg("id"::int8), array_agg("hasProfile"::int2), array_agg("profileId"::int8), array_agg("visible"::int2), array_agg("lat"::float8), array_agg("lng"::float8), array_agg("place"::int8), array_agg("gender"::int2), array_agg("age"::int2), array_agg("updatedAt"::float8), array_agg("ageMin"::int2), array_agg("ageMax"::int2), array_agg("distance"::float8), array_agg("wants"::int2) FROM (
SELECT u."id",
       (p."id" IS NOT NULL)::int AS "hasProfile", COALESCE(p."id", 0) AS "profileId",
       COALESCE(p."isVisible", false)::int AS "visible",
       COALESCE(CASE WHEN p."lat" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN p."lat" BETWEEN -90 AND 90 THEN p."lat"::float8 END, 'NaN') AS "lat",
       COALESCE(CASE WHEN p."lng" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN p."lng" BETWEEN -180 AND 180 THEN p."lng"::float8 END, 'NaN') AS "lng",
       CASE WHEN p."locationText" <> '' THEN hashtextextended(p."locationText", 0) ELSE 0 END AS "place",
       COALESCE(array_position(%(genders)s::text[], p."gender"::text) - 1, -1) AS "gender",
       CASE WHEN (CASE WHEN p."birthdate" >= '0001-01-01' AND p."birthdate" < '10000-01-01' THEN p."birthdate" END)::date <= %(today)s::date
            THEN LEAST(extract(year FROM age(%(today)s::date, p."birthdate"::date)), 1000) ELSE -1 END AS "age",
       COALESCE(extract(epoch FROM CASE WHEN p."updatedAt" >= '0001-01-01' AND p."updatedAt" < '10000-01-01' THEN p."updatedAt" END)::float8, '-Infinity') AS "updatedAt",
       COALESCE(CASE WHEN f."preferredAgeMin" BETWEEN -1e300 AND 1e300 THEN LEAST(GREATEST(f."preferredAgeMin", 0), 2000) END, -1) AS "ageMin",
       COALESCE(CASE WHEN f."preferredAgeMax" BETWEEN -1e300 AND 1e300 THEN LEAST(GREATEST(f."preferredAgeMax", 0), 2000) END, -1) AS "ageMax",
       CASE WHEN f."preferredDistanceKm" BETWEEN -1e300 AND 1e-300 THEN 0
            WHEN f."preferredDistanceKm" BETWEEN 0 AND 1e300 THEN f."preferredDistanceKm"::float8
            ELSE 'NaN' END AS "distance",
       (SELECT COALESCE(bit_or(COALESCE(1 << (array_position(%(genders)s::text[], wanted) - 1), 0)
                               | %(given)s::int), 0)
        FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(to_jsonb(f."preferredGenders")) = 'array'
                                            THEN to_jsonb(f."preferredGenders") ELSE '[]' END) wanted) AS "wants"
FROM "User" u
LEFT JOIN "Profile" p ON p."userId" = u."id" AND p."deletedAt" IS NULL
LEFT JOIN "UserPreference" f ON f."userId" = u."id"
WHERE u."deletedAt" IS NULL AND u."id" BETWEEN %(first)s AND %(last)s
ORDER BY u."id", p."id" DESC, CASE WHEN f."updatedAt" >= '0001-01-01' AND f."updatedAt" < '10000-01-01' THEN f."updatedAt" END DESC NULLS LAST,
         f."preferredAgeMin", f."preferredAgeMax", f."preferredDistanceKm", to_jsonb(f."preferredGenders")
LIMIT %(limit)s
) AS rows;

-- _read_ranges: traits, rows unique
SELECT array_agg("userId"::int8), array_agg("key"::int8), array_agg("value"::float8) FROM (
SELECT "userId", hashtextextended("traitKey", 0) AS "key",
       "value"::float8 * LEAST(GREATEST("n", 0) / 5.0::float8, 1) AS "value"
FROM "UserTrait"
WHERE "userId" BETWEEN %(first)s AND %(last)s AND "value" <> 'NaN'
) AS rows;

-- _read_ranges: interests, rows unique
SELECT array_agg("userId"::int8), array_agg("subjectId"::int8), array_agg("interestId"::int8) FROM (
SELECT  "userId", "subjectId", "interestId" FROM "UserInterest"
WHERE "userId" BETWEEN %(first)s AND %(last)s AND "subjectId" IS NOT NULL AND "interestId" IS NOT NULL
) AS rows;

-- _read_ranges: received, rows unique
SELECT array_agg("userId"::int8), array_agg("profileId"::int8), array_agg("count"::int4), array_agg("attractive"::float8), array_agg("smart"::float8), array_agg("funny"::float8), array_agg("interesting"::float8) FROM (
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT  p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."targetProfileId"
    WHERE p."userId" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
) AS r
GROUP BY r."userId", r."profileId"
) AS rows;

-- _read_ranges: given, rows unique
SELECT array_agg("userId"::int8), array_agg("profileId"::int8), array_agg("count"::int4), array_agg("attractive"::float8), array_agg("smart"::float8), array_agg("funny"::float8), array_agg("interesting"::float8) FROM (
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT  p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."raterProfileId"
    WHERE p."userId" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5)
) AS r
GROUP BY r."userId", r."profileId"
) AS rows;

-- _read_ranges: results, rows unique
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("updatedAt"::float8), array_agg("hash"::int8) FROM (
SELECT r."userId", r."quizId",
       COALESCE(extract(epoch FROM CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END)::float8, '-Infinity') AS "updatedAt",
       hashtextextended(COALESCE(r."scoreVec"::text, ''),
                        hashtextextended(COALESCE(r."answers"::text, ''), 0)) AS "hash"
FROM "QuizResult" r WHERE r."userId" BETWEEN %(first)s AND %(last)s AND r."quizId" IS NOT NULL
) AS rows;

-- _read_ranges: vectors, rows unique
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("position"::int4), array_agg("value"::float8) FROM (
SELECT r."userId", r."quizId", e."position",
       CASE WHEN e."value"::numeric BETWEEN -1e-300 AND 1e-300 THEN 0
            ELSE GREATEST(LEAST(e."value"::numeric, 1e300), -1e300)::float8 END AS "value"
FROM "QuizResult" r
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
) WITH ORDINALITY AS e ("value", "position")
WHERE r."userId" BETWEEN %(first)s AND %(last)s AND r."quizId" IS NOT NULL
  AND NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{}', true)
) AS rows;

-- _read_ranges: answers, rows unique
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("question"::int8), array_agg("answer"::int8) FROM (
SELECT r."userId", r."quizId", hashtextextended(e."key", 0) AS "question",
       jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
FROM "QuizResult" r
CROSS JOIN LATERAL jsonb_each(
    CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{}' END
) AS e
WHERE r."userId" BETWEEN %(first)s AND %(last)s AND r."quizId" IS NOT NULL AND jsonb_typeof(e."value") <> 'null'
) AS rows;

-- _read_ranges: liked, rows unique
SELECT array_agg("userId"::int8), array_agg("hash"::int8) FROM (
SELECT e."userId", sum((hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775))::int8 AS "hash" FROM (
    SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId", 1 AS "kind" FROM "Like" l
    WHERE l."fromUserId" BETWEEN %(first)s AND %(last)s AND l."fromUserId" IS NOT NULL AND l."toUserId" IS NOT NULL AND l."action" IS NOT NULL
      AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
    UNION ALL
    SELECT "toUserId", "fromUserId", 2 FROM "Like"
    WHERE "toUserId" BETWEEN %(first)s AND %(last)s AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text = 'DISLIKE'
    UNION ALL
    SELECT "toUserId", "fromUserId", 5 FROM "Like"
    WHERE %(admirers)s::boolean AND "toUserId" BETWEEN %(first)s AND %(last)s
      AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text <> 'DISLIKE'
    ) AS e GROUP BY e."userId"
) AS rows;

-- _read_ranges: excluded, rows unique
SELECT array_agg("userId"::int8), array_agg("hash"::int8) FROM (
SELECT e."userId", sum((hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775))::int8 AS "hash" FROM (
SELECT "blockerId" AS "userId", "blockedId" AS "otherId", 0 AS "kind" FROM "UserBlock"
WHERE "blockerId" BETWEEN %(first)s AND %(last)s AND "blockedId" IS NOT NULL
UNION ALL
SELECT "blockedId", "blockerId", 0 FROM "UserBlock" WHERE "blockedId" BETWEEN %(first)s AND %(last)s AND "blockerId" IS NOT NULL
UNION ALL
SELECT "userAId", "userBId", 3 FROM "Match"
WHERE "userAId" BETWEEN %(first)s AND %(last)s AND "userBId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userBId", "userAId", 3 FROM "Match"
WHERE "userBId" BETWEEN %(first)s AND %(last)s AND "userAId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userAId", "userBId", 4 FROM "Conversation" WHERE "userAId" BETWEEN %(first)s AND %(last)s AND "userBId" IS NOT NULL
UNION ALL
SELECT "userBId", "userAId", 4 FROM "Conversation" WHERE "userBId" BETWEEN %(first)s AND %(last)s AND "userAId" IS NOT NULL
) AS e GROUP BY e."userId"
) AS rows;

-- _read_ranges: effects, rows unique
SELECT array_agg("userId"::int8), array_agg("selectivity"::float4), array_agg("appeal"::float4), array_agg("price"::float4) FROM (
SELECT "userId", LEAST(GREATEST("selectivity", -%(most)s), %(most)s) AS "selectivity",
       LEAST(GREATEST("appeal", -%(most)s), %(most)s) AS "appeal",
       LEAST(GREATEST("price", 0), %(most_price)s) AS "price"
FROM "UserMatchEffect" WHERE "modelId" = %(model)s AND "userId" BETWEEN %(first)s AND %(last)s
) AS rows;

-- _read_ranges: traits, rows repeated
SELECT array_agg("userId"::int8), array_agg("key"::int8), array_agg("value"::float8) FROM (
SELECT "userId", hashtextextended("traitKey", 0) AS "key",
       "value"::float8 * LEAST(GREATEST("n", 0) / 5.0::float8, 1) AS "value"
FROM "UserTrait"
WHERE "userId" BETWEEN %(first)s AND %(last)s AND "value" <> 'NaN'
) AS rows;

-- _read_ranges: interests, rows repeated
SELECT array_agg("userId"::int8), array_agg("subjectId"::int8), array_agg("interestId"::int8) FROM (
SELECT DISTINCT "userId", "subjectId", "interestId" FROM "UserInterest"
WHERE "userId" BETWEEN %(first)s AND %(last)s AND "subjectId" IS NOT NULL AND "interestId" IS NOT NULL
) AS rows;

-- _read_ranges: received, rows repeated
SELECT array_agg("userId"::int8), array_agg("profileId"::int8), array_agg("count"::int4), array_agg("attractive"::float8), array_agg("smart"::float8), array_agg("funny"::float8), array_agg("interesting"::float8) FROM (
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT DISTINCT ON (r."raterProfileId", r."targetProfileId") p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."targetProfileId"
    WHERE p."userId" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5) ORDER BY r."raterProfileId", r."targetProfileId",
    CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END DESC NULLS LAST,
    r."attractive" DESC, r."smart" DESC, r."funny" DESC, r."interesting" DESC
) AS r
GROUP BY r."userId", r."profileId"
) AS rows;

-- _read_ranges: given, rows repeated
SELECT array_agg("userId"::int8), array_agg("profileId"::int8), array_agg("count"::int4), array_agg("attractive"::float8), array_agg("smart"::float8), array_agg("funny"::float8), array_agg("interesting"::float8) FROM (
SELECT r."userId", r."profileId", count(*) AS "count",
       avg(r."attractive")::float8 AS "attractive", avg(r."smart")::float8 AS "smart",
       avg(r."funny")::float8 AS "funny", avg(r."interesting")::float8 AS "interesting"
FROM (
    SELECT DISTINCT ON (r."raterProfileId", r."targetProfileId") p."userId", p."id" AS "profileId", r."attractive", r."smart", r."funny", r."interesting"
    FROM "ProfileRating" r JOIN "Profile" p ON p."id" = r."raterProfileId"
    WHERE p."userId" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL AND (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5) ORDER BY r."raterProfileId", r."targetProfileId",
    CASE WHEN r."createdAt" >= '0001-01-01' AND r."createdAt" < '10000-01-01' THEN r."createdAt" END DESC NULLS LAST,
    r."attractive" DESC, r."smart" DESC, r."funny" DESC, r."interesting" DESC
) AS r
GROUP BY r."userId", r."profileId"
) AS rows;

-- _read_ranges: results, rows repeated
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("updatedAt"::float8), array_agg("hash"::int8) FROM (
SELECT r."userId", r."quizId",
       COALESCE(extract(epoch FROM CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END)::float8, '-Infinity') AS "updatedAt",
       hashtextextended(COALESCE(r."scoreVec"::text, ''),
                        hashtextextended(COALESCE(r."answers"::text, ''), 0)) AS "hash"
FROM (
    SELECT DISTINCT ON (r."userId", r."quizId") r."userId", r."quizId", r."answers", r."scoreVec", r."updatedAt"
    FROM "QuizResult" r WHERE r."userId" BETWEEN %(first)s AND %(last)s ORDER BY r."userId", r."quizId", CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END DESC NULLS LAST,
    r."answers" DESC NULLS LAST, r."scoreVec" DESC NULLS LAST
) AS r WHERE r."userId" BETWEEN %(first)s AND %(last)s AND r."quizId" IS NOT NULL
) AS rows;

-- _read_ranges: vectors, rows repeated
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("position"::int4), array_agg("value"::float8) FROM (
SELECT r."userId", r."quizId", e."position",
       CASE WHEN e."value"::numeric BETWEEN -1e-300 AND 1e-300 THEN 0
            ELSE GREATEST(LEAST(e."value"::numeric, 1e300), -1e300)::float8 END AS "value"
FROM (
    SELECT DISTINCT ON (r."userId", r."quizId") r."userId", r."quizId", r."answers", r."scoreVec", r."updatedAt"
    FROM "QuizResult" r WHERE r."userId" BETWEEN %(first)s AND %(last)s ORDER BY r."userId", r."quizId", CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END DESC NULLS LAST,
    r."answers" DESC NULLS LAST, r."scoreVec" DESC NULLS LAST
) AS r
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(r."scoreVec") = 'array' THEN r."scoreVec" ELSE '[]' END
) WITH ORDINALITY AS e ("value", "position")
WHERE r."userId" BETWEEN %(first)s AND %(last)s AND r."quizId" IS NOT NULL
  AND NOT jsonb_path_exists(r."scoreVec", 'strict $[*] ? (@.type() != "number")', '{}', true)
) AS rows;

-- _read_ranges: answers, rows repeated
SELECT array_agg("userId"::int8), array_agg("quizId"::int8), array_agg("question"::int8), array_agg("answer"::int8) FROM (
SELECT r."userId", r."quizId", hashtextextended(e."key", 0) AS "question",
       jsonb_hash_extended(e."value", hashtextextended(e."key", 0)) AS "answer"
FROM (
    SELECT DISTINCT ON (r."userId", r."quizId") r."userId", r."quizId", r."answers", r."scoreVec", r."updatedAt"
    FROM "QuizResult" r WHERE r."userId" BETWEEN %(first)s AND %(last)s ORDER BY r."userId", r."quizId", CASE WHEN r."updatedAt" >= '0001-01-01' AND r."updatedAt" < '10000-01-01' THEN r."updatedAt" END DESC NULLS LAST,
    r."answers" DESC NULLS LAST, r."scoreVec" DESC NULLS LAST
) AS r
CROSS JOIN LATERAL jsonb_each(
    CASE WHEN jsonb_typeof(r."answers") = 'object' THEN r."answers" ELSE '{}' END
) AS e
WHERE r."userId" BETWEEN %(first)s AND %(last)s AND r."quizId" IS NOT NULL AND jsonb_typeof(e."value") <> 'null'
) AS rows;

-- _read_ranges: liked, rows repeated
SELECT array_agg("userId"::int8), array_agg("hash"::int8) FROM (
SELECT e."userId", sum((hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775))::int8 AS "hash" FROM (
    SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId", 1 AS "kind" FROM "Like" l
    WHERE l."fromUserId" BETWEEN %(first)s AND %(last)s AND l."fromUserId" IS NOT NULL AND l."toUserId" IS NOT NULL AND l."action" IS NOT NULL
      AND (
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR CASE WHEN l."createdAt" >= '0001-01-01' AND l."createdAt" < '10000-01-01' THEN l."createdAt" END > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))
    UNION ALL
    SELECT "toUserId", "fromUserId", 2 FROM "Like"
    WHERE "toUserId" BETWEEN %(first)s AND %(last)s AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text = 'DISLIKE'
    UNION ALL
    SELECT "toUserId", "fromUserId", 5 FROM "Like"
    WHERE %(admirers)s::boolean AND "toUserId" BETWEEN %(first)s AND %(last)s
      AND "fromUserId" IS NOT NULL AND "toUserId" IS NOT NULL AND "action"::text <> 'DISLIKE'
    ) AS e GROUP BY e."userId"
) AS rows;

-- _read_ranges: excluded, rows repeated
SELECT array_agg("userId"::int8), array_agg("hash"::int8) FROM (
SELECT e."userId", sum((hashint8extended(e."otherId"::bigint, e."kind"::bigint) & 1099511627775))::int8 AS "hash" FROM (
SELECT "blockerId" AS "userId", "blockedId" AS "otherId", 0 AS "kind" FROM "UserBlock"
WHERE "blockerId" BETWEEN %(first)s AND %(last)s AND "blockedId" IS NOT NULL
UNION ALL
SELECT "blockedId", "blockerId", 0 FROM "UserBlock" WHERE "blockedId" BETWEEN %(first)s AND %(last)s AND "blockerId" IS NOT NULL
UNION ALL
SELECT "userAId", "userBId", 3 FROM "Match"
WHERE "userAId" BETWEEN %(first)s AND %(last)s AND "userBId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userBId", "userAId", 3 FROM "Match"
WHERE "userBId" BETWEEN %(first)s AND %(last)s AND "userAId" IS NOT NULL AND "state"::text = 'ACTIVE'
UNION ALL
SELECT "userAId", "userBId", 4 FROM "Conversation" WHERE "userAId" BETWEEN %(first)s AND %(last)s AND "userBId" IS NOT NULL
UNION ALL
SELECT "userBId", "userAId", 4 FROM "Conversation" WHERE "userBId" BETWEEN %(first)s AND %(last)s AND "userAId" IS NOT NULL
) AS e GROUP BY e."userId"
) AS rows;

-- _read_ranges: effects, rows repeated
SELECT array_agg("userId"::int8), array_agg("selectivity"::float4), array_agg("appeal"::float4), array_agg("price"::float4) FROM (
SELECT "userId", LEAST(GREATEST("selectivity", -%(most)s), %(most)s) AS "selectivity",
       LEAST(GREATEST("appeal", -%(most)s), %(most)s) AS "appeal",
       LEAST(GREATEST("price", 0), %(most_price)s) AS "price"
FROM "UserMatchEffect" WHERE "modelId" = %(model)s AND "userId" BETWEEN %(first)s AND %(last)s
) AS rows;
