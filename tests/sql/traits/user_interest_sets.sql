-- Keys.known
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "InterestSetState" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s;

-- Keys.stale
SELECT "userId" FROM (
    SELECT "userId", "fingerprint" FROM (
        SELECT "userId"::bigint AS "userId",
hash_numeric_extended(
    sum(hashint8extended(COALESCE("interestId", -1), hashint8extended(COALESCE("subjectId", -1),
        COALESCE(timestamp_hash_extended("createdAt"::timestamp, 0), 1)))),
    count(*))
 AS "fingerprint" FROM "UserInterest"
        WHERE "userId" BETWEEN %(first)s AND %(last)s GROUP BY 1
    ) AS print
    JOIN "User" u ON u."id" = print."userId" AND u."id" BETWEEN %(first)s AND %(last)s
    WHERE u."deletedAt" IS NULL
) AS source
FULL JOIN (
    SELECT "userId", "fingerprint" FROM "InterestSetState" WHERE "userId" BETWEEN %(first)s AND %(last)s
) AS stored USING ("userId")
WHERE source."fingerprint" IS DISTINCT FROM stored."fingerprint"
   OR stored."fingerprint" IS NULL AND "userId" NOT IN (
       SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s)
ORDER BY "userId";

-- Keys.count
SELECT count(*) FROM "User";

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "InterestSetState" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s
    ) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end";

-- Loss of InterestUserSet
        SELECT (SELECT count(*) FROM "InterestUserSet" s WHERE true AND NOT EXISTS (
SELECT FROM "UserInterest" i JOIN "User" u ON u."id" = i."userId" AND u."deletedAt" IS NULL
WHERE i."userId" = s."userId" AND i."interestId" = s."interestId"
)),
               (SELECT count(*) FROM "InterestUserSet" s WHERE true);

-- Loss of InterestSubjectUserSet
        SELECT (SELECT count(*) FROM "InterestSubjectUserSet" s WHERE true AND NOT EXISTS (
SELECT FROM "UserInterest" i JOIN "User" u ON u."id" = i."userId" AND u."deletedAt" IS NULL
WHERE i."userId" = s."userId" AND i."subjectId" = s."subjectId"
)),
               (SELECT count(*) FROM "InterestSubjectUserSet" s WHERE true);

-- WRITE_SETS
WITH source AS MATERIALIZED (
    SELECT i."userId"::bigint AS "userId", i."subjectId"::bigint AS "subjectId", i."interestId"::bigint AS "interestId",
           i."createdAt"
    FROM "UserInterest" i JOIN "User" u ON u."id" = i."userId"
    WHERE i."userId" = ANY(%(keys)s) AND u."id" = ANY(%(keys)s) AND u."deletedAt" IS NULL
), wanted AS (
    SELECT "userId", true AS "ofInterest", "interestId" AS "id", min(CASE WHEN "createdAt" >= '0001-01-01' AND "createdAt" < '10000-01-01' THEN "createdAt" END)::timestamptz AS "createdAt"
    FROM source WHERE "interestId" IS NOT NULL GROUP BY 1, 3
    UNION ALL
    SELECT "userId", false, "subjectId", min(CASE WHEN "createdAt" >= '0001-01-01' AND "createdAt" < '10000-01-01' THEN "createdAt" END)::timestamptz
    FROM source WHERE "subjectId" IS NOT NULL GROUP BY 1, 3
), stored AS (
    SELECT "userId", true AS "ofInterest", "interestId" AS "id", "createdAt" FROM "InterestUserSet"
    WHERE "userId" = ANY(%(keys)s)
    UNION ALL
    SELECT "userId", false, "subjectId", "createdAt" FROM "InterestSubjectUserSet" WHERE "userId" = ANY(%(keys)s)
), difference AS MATERIALIZED (
    SELECT "userId", "ofInterest", "id", w."createdAt", w."there" IS NULL AS "gone", s."there" IS NULL AS "new"
    FROM (SELECT *, true AS "there" FROM wanted) w
    FULL JOIN (SELECT *, true AS "there" FROM stored) s USING ("userId", "ofInterest", "id")
    WHERE w."there" IS NULL OR s."there" IS NULL OR w."createdAt" IS DISTINCT FROM s."createdAt"
), print AS MATERIALIZED (
    SELECT "userId",
hash_numeric_extended(
    sum(hashint8extended(COALESCE("interestId", -1), hashint8extended(COALESCE("subjectId", -1),
        COALESCE(timestamp_hash_extended("createdAt"::timestamp, 0), 1)))),
    count(*))
 AS "fingerprint" FROM source GROUP BY 1
), changed AS MATERIALIZED (
    SELECT DISTINCT "userId" FROM difference
), due AS MATERIALIZED (
    SELECT "userId", p."fingerprint" FROM print p
    FULL JOIN (SELECT "userId", "fingerprint" FROM "InterestSetState" WHERE "userId" = ANY(%(keys)s)) s USING ("userId")
    FULL JOIN (SELECT "userId", true AS "changed" FROM changed) c USING ("userId")
    WHERE "changed" OR p."fingerprint" IS DISTINCT FROM s."fingerprint"
), owner AS (
    INSERT INTO "InterestSetState" ("userId", "fingerprint", "updatedAt")
    SELECT "userId", "fingerprint", %(now)s FROM due ORDER BY "userId"
    ON CONFLICT ("userId") DO UPDATE SET "fingerprint" = excluded."fingerprint", "updatedAt" = excluded."updatedAt"
    RETURNING "userId"
), forgotten AS (
    DELETE FROM "InterestSetState" s
    WHERE s."userId" = ANY(%(keys)s) AND s."fingerprint" IS NULL
      AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = s."userId" AND u."id" = ANY(%(keys)s))
      AND NOT EXISTS (SELECT FROM due d WHERE d."userId" = s."userId")
), interest_gone AS (
    DELETE FROM "InterestUserSet" t USING difference d JOIN owner o USING ("userId")
    WHERE d."gone" AND d."ofInterest" AND t."userId" = d."userId" AND t."interestId" = d."id"
      AND t."userId" = ANY(%(keys)s) RETURNING 1
), interest_changed AS (
    UPDATE "InterestUserSet" t SET "createdAt" = d."createdAt" FROM difference d JOIN owner o USING ("userId")
    WHERE NOT d."gone" AND NOT d."new" AND d."ofInterest" AND t."userId" = d."userId" AND t."interestId" = d."id"
      AND t."userId" = ANY(%(keys)s) RETURNING 1
), interest_new AS (
    INSERT INTO "InterestUserSet" ("interestId", "userId", "createdAt")
    SELECT d."id", d."userId", d."createdAt" FROM difference d JOIN owner o USING ("userId")
    WHERE d."new" AND d."ofInterest" ORDER BY 1, 2 RETURNING 1
), subject_gone AS (
    DELETE FROM "InterestSubjectUserSet" t USING difference d JOIN owner o USING ("userId")
    WHERE d."gone" AND NOT d."ofInterest" AND t."userId" = d."userId" AND t."subjectId" = d."id"
      AND t."userId" = ANY(%(keys)s) RETURNING 1
), subject_changed AS (
    UPDATE "InterestSubjectUserSet" t SET "createdAt" = d."createdAt" FROM difference d JOIN owner o USING ("userId")
    WHERE NOT d."gone" AND NOT d."new" AND NOT d."ofInterest" AND t."userId" = d."userId" AND t."subjectId" = d."id"
      AND t."userId" = ANY(%(keys)s) RETURNING 1
), subject_new AS (
    INSERT INTO "InterestSubjectUserSet" ("subjectId", "userId", "createdAt")
    SELECT d."id", d."userId", d."createdAt" FROM difference d JOIN owner o USING ("userId")
    WHERE d."new" AND NOT d."ofInterest" ORDER BY 1, 2 RETURNING 1
)
SELECT (SELECT count(*) FROM interest_gone) + (SELECT count(*) FROM interest_changed)
       + (SELECT count(*) FROM interest_new) + (SELECT count(*) FROM subject_gone)
       + (SELECT count(*) FROM subject_changed) + (SELECT count(*) FROM subject_new),
       count(*) FILTER (WHERE c."userId" IS NULL AND u."id" IS NULL),
       count(*) FILTER (WHERE c."userId" IS NULL AND u."id" IS NOT NULL AND p."userId" IS NULL),
       count(*) FILTER (WHERE c."userId" IS NULL AND p."userId" IS NOT NULL),
       (SELECT count(*) FROM source WHERE "interestId" IS NULL OR "subjectId" IS NULL)
FROM unnest(%(keys)s::bigint[]) AS k ("id")
LEFT JOIN "User" u ON u."id" = k."id" AND u."id" = ANY(%(keys)s) AND u."deletedAt" IS NULL
LEFT JOIN print p ON p."userId" = k."id"
LEFT JOIN changed c ON c."userId" = k."id";
