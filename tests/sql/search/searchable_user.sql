-- Keys.known
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "SearchableUser" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s;

-- Keys.stale
SELECT COALESCE(c."userId", s."userId")
FROM (
    SELECT u."id" AS "userId", COALESCE(p."isVisible" AND p."deletedAt" IS NULL, false) AS "isVisible",
           u."deletedAt" IS NOT NULL OR p."deletedAt" IS NOT NULL AS "isDeleted",
           filled."share"::real AS "completeness",
           not_found."reasons" = '{}' AS "isSearchable", not_found."reasons", lacks."missing"
    FROM "User" u
    LEFT JOIN (
        SELECT DISTINCT ON (q."userId") q."userId", q."displayName", q."bio", q."avatarUrl", q."birthdate", q."gender",
               q."locationText", q."lat", q."lng", q."isVisible", q."deletedAt"
        FROM "Profile" q WHERE q."userId" BETWEEN %(first)s AND %(last)s
        ORDER BY q."userId", q."deletedAt" IS NULL DESC, q."id" DESC
    ) AS p ON p."userId" = u."id"
    CROSS JOIN LATERAL (SELECT CASE WHEN p."birthdate" >= '0001-01-01' AND p."birthdate" < %(today)s::date + 1
              THEN p."birthdate"::date END AS "birthdate" OFFSET 0) AS born
    CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
        CASE WHEN (left(COALESCE(p."displayName", ''), 1) COLLATE "C" NOT BETWEEN '!' AND '~' AND btrim(COALESCE(p."displayName", ''), E'\u0009\u000a\u000b\u000c\u000d\u0020\u001c\u001d\u001e\u001f\u0085\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2800\u3000\u3164\ufeff') = '') THEN 'displayName' END,
        CASE WHEN born."birthdate" IS NULL THEN 'birthdate' END,
        CASE WHEN COALESCE(p."gender"::text, 'UNSPECIFIED') IN ('', 'UNSPECIFIED') THEN 'gender' END,
        CASE WHEN (left(COALESCE(p."locationText", ''), 1) COLLATE "C" NOT BETWEEN '!' AND '~' AND btrim(COALESCE(p."locationText", ''), E'\u0009\u000a\u000b\u000c\u000d\u0020\u001c\u001d\u001e\u001f\u0085\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2800\u3000\u3164\ufeff') = '') AND NOT COALESCE(p."lat" BETWEEN -90 AND 90 AND p."lng" BETWEEN -180 AND 180, false) THEN 'location' END,
        CASE WHEN (left(COALESCE(p."bio", ''), 1) COLLATE "C" NOT BETWEEN '!' AND '~' AND btrim(COALESCE(p."bio", ''), E'\u0009\u000a\u000b\u000c\u000d\u0020\u001c\u001d\u001e\u001f\u0085\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2800\u3000\u3164\ufeff') = '') THEN 'bio' END,
        CASE WHEN (left(COALESCE(p."avatarUrl", ''), 1) COLLATE "C" NOT BETWEEN '!' AND '~' AND btrim(COALESCE(p."avatarUrl", ''), E'\u0009\u000a\u000b\u000c\u000d\u0020\u001c\u001d\u001e\u001f\u0085\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2800\u3000\u3164\ufeff') = '') THEN 'avatar' END,
        CASE WHEN NOT EXISTS (
            SELECT FROM "UserInterest" i
            WHERE i."userId" = u."id" AND i."subjectId" IS NOT NULL AND i."interestId" IS NOT NULL) THEN 'interest' END
    ], NULL) AS "missing" OFFSET 0) AS lacks
    CROSS JOIN LATERAL (
        SELECT (7 - cardinality(lacks."missing")) / 7::float8 AS "share"
    ) AS filled
    CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
        CASE WHEN u."deletedAt" IS NOT NULL OR p."deletedAt" IS NOT NULL THEN 'deleted' END,
        CASE WHEN p."userId" IS NULL THEN 'profile' END,
        CASE WHEN p."isVisible" IS NOT TRUE AND p."userId" IS NOT NULL THEN 'hidden' END,
        CASE WHEN date_part('year', age(%(today)s::date, born."birthdate"))::integer < 18 THEN 'under-age' END,
        CASE WHEN filled."share" < %(minimum)s THEN 'completeness' END
    ], NULL) || CASE WHEN lacks."missing" && %(required)s::text[]
        THEN ARRAY(SELECT field FROM unnest(lacks."missing") AS field WHERE field = ANY(%(required)s::text[]))
        ELSE '{}' END
    AS "reasons" OFFSET 0) AS not_found
    WHERE u."id" BETWEEN %(first)s AND %(last)s
    ) AS c
FULL JOIN (SELECT * FROM "SearchableUser" WHERE "userId" BETWEEN %(first)s AND %(last)s) AS s
       ON s."userId" = c."userId"
WHERE c."userId" IS NULL OR s."userId" IS NULL OR
    (c."isVisible", c."isDeleted", c."completeness", c."isSearchable", c."reasons", c."missing") IS DISTINCT FROM
    (s."isVisible", s."isDeleted", s."completeness", s."isSearchable", s."reasons", s."missing")
ORDER BY 1;

-- Keys.count
SELECT count(*) FROM "User";

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "SearchableUser" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s
    ) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end";

-- Loss of SearchableUser
        SELECT (SELECT count(*) FROM "SearchableUser" s WHERE true AND NOT EXISTS (SELECT FROM "User" u WHERE u."id" = s."userId")),
               (SELECT count(*) FROM "SearchableUser" s WHERE true);

-- Loss of SearchableUser that say searchable
        SELECT (SELECT count(*) FROM "SearchableUser" s WHERE s."isSearchable" AND NOT EXISTS (
SELECT FROM "User" u JOIN "Profile" p ON p."userId" = u."id"
WHERE u."id" = s."userId" AND u."deletedAt" IS NULL AND p."deletedAt" IS NULL
)),
               (SELECT count(*) FROM "SearchableUser" s WHERE s."isSearchable");

-- WRITE_ROWS
WITH changed AS (
    SELECT c.* FROM (
    SELECT u."id" AS "userId", COALESCE(p."isVisible" AND p."deletedAt" IS NULL, false) AS "isVisible",
           u."deletedAt" IS NOT NULL OR p."deletedAt" IS NOT NULL AS "isDeleted",
           filled."share"::real AS "completeness",
           not_found."reasons" = '{}' AS "isSearchable", not_found."reasons", lacks."missing"
    FROM "User" u
    LEFT JOIN (
        SELECT DISTINCT ON (q."userId") q."userId", q."displayName", q."bio", q."avatarUrl", q."birthdate", q."gender",
               q."locationText", q."lat", q."lng", q."isVisible", q."deletedAt"
        FROM "Profile" q WHERE q."userId" = ANY(%(keys)s::bigint[])
        ORDER BY q."userId", q."deletedAt" IS NULL DESC, q."id" DESC
    ) AS p ON p."userId" = u."id"
    CROSS JOIN LATERAL (SELECT CASE WHEN p."birthdate" >= '0001-01-01' AND p."birthdate" < %(today)s::date + 1
              THEN p."birthdate"::date END AS "birthdate" OFFSET 0) AS born
    CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
        CASE WHEN (left(COALESCE(p."displayName", ''), 1) COLLATE "C" NOT BETWEEN '!' AND '~' AND btrim(COALESCE(p."displayName", ''), E'\u0009\u000a\u000b\u000c\u000d\u0020\u001c\u001d\u001e\u001f\u0085\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2800\u3000\u3164\ufeff') = '') THEN 'displayName' END,
        CASE WHEN born."birthdate" IS NULL THEN 'birthdate' END,
        CASE WHEN COALESCE(p."gender"::text, 'UNSPECIFIED') IN ('', 'UNSPECIFIED') THEN 'gender' END,
        CASE WHEN (left(COALESCE(p."locationText", ''), 1) COLLATE "C" NOT BETWEEN '!' AND '~' AND btrim(COALESCE(p."locationText", ''), E'\u0009\u000a\u000b\u000c\u000d\u0020\u001c\u001d\u001e\u001f\u0085\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2800\u3000\u3164\ufeff') = '') AND NOT COALESCE(p."lat" BETWEEN -90 AND 90 AND p."lng" BETWEEN -180 AND 180, false) THEN 'location' END,
        CASE WHEN (left(COALESCE(p."bio", ''), 1) COLLATE "C" NOT BETWEEN '!' AND '~' AND btrim(COALESCE(p."bio", ''), E'\u0009\u000a\u000b\u000c\u000d\u0020\u001c\u001d\u001e\u001f\u0085\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2800\u3000\u3164\ufeff') = '') THEN 'bio' END,
        CASE WHEN (left(COALESCE(p."avatarUrl", ''), 1) COLLATE "C" NOT BETWEEN '!' AND '~' AND btrim(COALESCE(p."avatarUrl", ''), E'\u0009\u000a\u000b\u000c\u000d\u0020\u001c\u001d\u001e\u001f\u0085\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2800\u3000\u3164\ufeff') = '') THEN 'avatar' END,
        CASE WHEN NOT EXISTS (
            SELECT FROM "UserInterest" i
            WHERE i."userId" = u."id" AND i."subjectId" IS NOT NULL AND i."interestId" IS NOT NULL) THEN 'interest' END
    ], NULL) AS "missing" OFFSET 0) AS lacks
    CROSS JOIN LATERAL (
        SELECT (7 - cardinality(lacks."missing")) / 7::float8 AS "share"
    ) AS filled
    CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
        CASE WHEN u."deletedAt" IS NOT NULL OR p."deletedAt" IS NOT NULL THEN 'deleted' END,
        CASE WHEN p."userId" IS NULL THEN 'profile' END,
        CASE WHEN p."isVisible" IS NOT TRUE AND p."userId" IS NOT NULL THEN 'hidden' END,
        CASE WHEN date_part('year', age(%(today)s::date, born."birthdate"))::integer < 18 THEN 'under-age' END,
        CASE WHEN filled."share" < %(minimum)s THEN 'completeness' END
    ], NULL) || CASE WHEN lacks."missing" && %(required)s::text[]
        THEN ARRAY(SELECT field FROM unnest(lacks."missing") AS field WHERE field = ANY(%(required)s::text[]))
        ELSE '{}' END
    AS "reasons" OFFSET 0) AS not_found
    WHERE u."id" = ANY(%(keys)s::bigint[])
    ) AS c
    LEFT JOIN "SearchableUser" s ON s."userId" = c."userId" AND s."userId" = ANY(%(keys)s::bigint[])
    WHERE s."userId" IS NULL OR
    (c."isVisible", c."isDeleted", c."completeness", c."isSearchable", c."reasons", c."missing") IS DISTINCT FROM
    (s."isVisible", s."isDeleted", s."completeness", s."isSearchable", s."reasons", s."missing")
), written AS (
    INSERT INTO "SearchableUser" AS s
           ("userId", "isVisible", "isDeleted", "completeness", "isSearchable", "reasons", "missing", "updatedAt")
    SELECT "userId", "isVisible", "isDeleted", "completeness", "isSearchable", "reasons", "missing", %(now)s
    FROM changed ORDER BY "userId"
    ON CONFLICT ("userId") DO UPDATE SET
        "isVisible" = excluded."isVisible", "isDeleted" = excluded."isDeleted",
        "completeness" = excluded."completeness", "isSearchable" = excluded."isSearchable",
        "reasons" = excluded."reasons", "missing" = excluded."missing", "updatedAt" = excluded."updatedAt"
    RETURNING 1
), gone AS (
    DELETE FROM "SearchableUser" s
    WHERE s."userId" = ANY(%(keys)s::bigint[]) AND NOT EXISTS (
        SELECT FROM "User" u WHERE u."id" = s."userId" AND u."id" = ANY(%(keys)s::bigint[]))
    RETURNING 1
)
SELECT (SELECT count(*) FROM written) + (SELECT count(*) FROM gone);
