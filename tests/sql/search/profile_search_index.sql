-- Keys.known
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "ProfileSearchIndex" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s;

-- Keys.stale
SELECT COALESCE(c."userId", s."userId")
FROM (
    SELECT u."id" AS "userId", hashtextextended(ROW(
        p."displayName", p."bio", p."locationText", p."lat", p."lng", p."geoPrecision", p."locationAccuracy",
        p."gender", p."intent", p."birthdate", date_part('year', age(%(today)s::date, CASE WHEN p."birthdate" >= '0001-01-01' AND p."birthdate" < %(today)s::date + 1
              THEN p."birthdate"::date END))::integer, p."isVisible", u."createdAt",
        interests."n", traits."hash", lists."hash")::text, 4) AS "fingerprint"
    -- The range is put to both tables: the planner would read all profiles for a page's.
    FROM "User" u JOIN (
    SELECT DISTINCT ON (q."userId") q."id", q."userId", q."displayName", q."bio", q."birthdate", q."locationText",
           q."lat", q."lng", q."geoPrecision", q."locationAccuracy", q."gender", q."intent", q."isVisible"
    FROM "Profile" q WHERE q."userId" BETWEEN %(first)s AND %(last)s AND q."deletedAt" IS NULL
    ORDER BY q."userId", q."id" DESC
) AS p ON p."userId" = u."id"
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS "n" FROM (
            SELECT DISTINCT i."subjectId", i."interestId" FROM "UserInterest" i
            WHERE i."userId" = u."id" AND i."subjectId" IS NOT NULL AND i."interestId" IS NOT NULL) AS once
    ) AS interests
    CROSS JOIN LATERAL (
        SELECT sum(hashtextextended(t."traitKey", hash_numeric_extended(t."value", 0))) AS "hash"
        FROM "UserTrait" t WHERE t."userId" = u."id"
    ) AS traits
    CROSS JOIN LATERAL (
        SELECT sum(hashtextextended(COALESCE(left(l."title", 1000), ''), l."id")
                   + COALESCE(items."hash", 0)) AS "hash"
        FROM "Top5List" l CROSS JOIN LATERAL (
            SELECT sum(hashtextextended(
                COALESCE(left(t."text", 1000), ''),
                hashfloat8extended(COALESCE(CASE WHEN t."order" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN t."order" BETWEEN -1e300 AND 1e300 THEN t."order"::float8 END, 'NaN'), t."listId"))) AS "hash"
            FROM "Top5Item" t WHERE t."listId" = l."id") AS items
        WHERE l."profileId" = p."id"
    ) AS lists
    WHERE u."id" BETWEEN %(first)s AND %(last)s AND u."deletedAt" IS NULL
) AS c
FULL JOIN (
    SELECT "userId", "fingerprint" FROM "ProfileSearchIndex" WHERE "userId" BETWEEN %(first)s AND %(last)s
) AS s ON s."userId" = c."userId"
WHERE s."fingerprint" IS DISTINCT FROM c."fingerprint"
ORDER BY 1;

-- Keys.count
SELECT count(*) FROM "User";

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM "ProfileSearchIndex" WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s
    ) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end";

-- Loss of ProfileSearchIndex
        SELECT (SELECT count(*) FROM "ProfileSearchIndex" s WHERE true AND NOT EXISTS (
SELECT FROM "User" u JOIN "Profile" p ON p."userId" = u."id"
WHERE u."id" = s."userId" AND u."deletedAt" IS NULL AND p."deletedAt" IS NULL
)),
               (SELECT count(*) FROM "ProfileSearchIndex" s WHERE true);

-- READ_TEXTS
SELECT u."id", left(p."locationText", 1000),
       ARRAY(SELECT left(l."title", 1000) FROM "Top5List" l
             WHERE l."profileId" = p."id" AND l."title" IS NOT NULL ORDER BY l."id")
       || ARRAY(SELECT left(t."text", 1000) FROM "Top5List" l JOIN "Top5Item" t ON t."listId" = l."id"
                WHERE l."profileId" = p."id" AND t."text" IS NOT NULL ORDER BY l."id", t."order", t."text"),
       COALESCE(length(p."bio") > 10000, false)
FROM "User" u JOIN (
    SELECT DISTINCT ON (q."userId") q."id", q."userId", q."displayName", q."bio", q."birthdate", q."locationText",
           q."lat", q."lng", q."geoPrecision", q."locationAccuracy", q."gender", q."intent", q."isVisible"
    FROM "Profile" q WHERE q."userId" = ANY(%(keys)s::bigint[]) AND q."deletedAt" IS NULL
    ORDER BY q."userId", q."id" DESC
) AS p ON p."userId" = u."id"
WHERE u."id" = ANY(%(keys)s::bigint[]) AND u."deletedAt" IS NULL;

-- WRITE_ROWS
WITH computed AS MATERIALIZED (
    SELECT u."id" AS "userId", p."displayName", p."bio", p."locationText",
           CASE WHEN place."valid" THEN CASE WHEN p."lat" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN p."lat" BETWEEN -1e300 AND 1e300 THEN p."lat"::float8 END END AS "lat",
           CASE WHEN place."valid" THEN CASE WHEN p."lng" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN p."lng" BETWEEN -1e300 AND 1e300 THEN p."lng"::float8 END END AS "lng", place."valid" AS "hasLocation",
           p."geoPrecision"::text AS "geoPrecision", CASE WHEN measured."accuracy" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN measured."accuracy" BETWEEN -1e300 AND 1e300 THEN measured."accuracy"::float8 END AS "locationAccuracy",
           p."gender"::text AS "gender", p."intent"::text AS "intent", years."age",
           CASE WHEN years."age" >= 18 THEN (years."age" - 18) / 5 END AS "ageBucket", born."birthdate",
           d."city", d."state", d."country", interests."n" AS "interestCount", traits."n" AS "traitCount",
           COALESCE(traits."summary", '{}') AS "traitSummary", d."keywords" AS "top5Keywords",
           COALESCE(p."isVisible", false) AS "isVisible", false AS "isDeleted",
           (CASE WHEN u."createdAt" >= '0001-01-01' AND u."createdAt" < '10000-01-01' THEN u."createdAt" END)::timestamptz AS "accountCreatedAt",
           "profileSearchVector"(p."displayName", d."keywords", p."locationText", p."bio") AS "searchVector",
           hashtextextended(ROW(
        p."displayName", p."bio", p."locationText", p."lat", p."lng", p."geoPrecision", p."locationAccuracy",
        p."gender", p."intent", p."birthdate", years."age", p."isVisible", u."createdAt",
        interests."n", traits."hash", lists."hash")::text, 4) AS "fingerprint"
    FROM (
        SELECT a."userId", NULLIF(a."city", '') AS "city", NULLIF(a."state", '') AS "state",
               NULLIF(a."country", '') AS "country", string_to_array(a."keywords", ' ') AS "keywords"
        FROM unnest(%(ids)s::bigint[], %(cities)s::text[], %(states)s::text[], %(countries)s::text[],
                    %(keywords)s::text[]) AS a ("userId", "city", "state", "country", "keywords")
    ) AS d
    JOIN "User" u ON u."id" = d."userId"
    JOIN (
    SELECT DISTINCT ON (q."userId") q."id", q."userId", q."displayName", q."bio", q."birthdate", q."locationText",
           q."lat", q."lng", q."geoPrecision", q."locationAccuracy", q."gender", q."intent", q."isVisible"
    FROM "Profile" q WHERE q."userId" = ANY(%(ids)s::bigint[]) AND q."deletedAt" IS NULL
    ORDER BY q."userId", q."id" DESC
) AS p ON p."userId" = u."id"
    CROSS JOIN LATERAL (SELECT COALESCE(p."lat" BETWEEN -90 AND 90 AND p."lng" BETWEEN -180 AND 180, false) AS "valid" OFFSET 0) AS place
    CROSS JOIN LATERAL (SELECT CASE WHEN p."locationAccuracy"::text ~ '^[+-]?\d+(\.\d*)?([eE][+-]?\d{1,3})?$' AND length(p."locationAccuracy"::text) <= 1000
        THEN p."locationAccuracy"::text::numeric END AS "accuracy" OFFSET 0) AS measured
    CROSS JOIN LATERAL (SELECT CASE WHEN p."birthdate" >= '0001-01-01' AND p."birthdate" < %(today)s::date + 1
              THEN p."birthdate"::date END AS "birthdate" OFFSET 0) AS born
    CROSS JOIN LATERAL (SELECT date_part('year', age(%(today)s::date, born."birthdate"))::integer AS "age" OFFSET 0) AS years
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS "n" FROM (
            SELECT DISTINCT i."subjectId", i."interestId" FROM "UserInterest" i
            WHERE i."userId" = u."id" AND i."subjectId" IS NOT NULL AND i."interestId" IS NOT NULL) AS once
    ) AS interests
    CROSS JOIN LATERAL (
        SELECT sum(hashtextextended(t."traitKey", hash_numeric_extended(t."value", 0))) AS "hash",
               CAST(count(*) FILTER (WHERE t."value" <> 'NaN') AS integer) AS "n",
               CAST(json_object_agg(t."traitKey", t."value") FILTER (WHERE t."value" <> 'NaN') AS jsonb) AS "summary"
        FROM "UserTrait" t WHERE t."userId" = u."id"
    ) AS traits
    CROSS JOIN LATERAL (
        SELECT sum(hashtextextended(COALESCE(left(l."title", 1000), ''), l."id")
                   + COALESCE(items."hash", 0)) AS "hash"
        FROM "Top5List" l CROSS JOIN LATERAL (
            SELECT sum(hashtextextended(
                COALESCE(left(t."text", 1000), ''),
                hashfloat8extended(COALESCE(CASE WHEN t."order" BETWEEN -1e-300 AND 1e-300 THEN 0
        WHEN t."order" BETWEEN -1e300 AND 1e300 THEN t."order"::float8 END, 'NaN'), t."listId"))) AS "hash"
            FROM "Top5Item" t WHERE t."listId" = l."id") AS items
        WHERE l."profileId" = p."id"
    ) AS lists
    WHERE u."deletedAt" IS NULL
), changed AS (
    SELECT c."userId", c."displayName", c."bio", c."locationText", c."lat", c."lng", c."hasLocation", c."geoPrecision", c."locationAccuracy", c."gender", c."intent", c."age", c."ageBucket", c."birthdate", c."city", c."state", c."country", c."interestCount", c."traitCount", c."traitSummary", c."top5Keywords", c."isVisible", c."isDeleted", c."accountCreatedAt", c."searchVector", c."fingerprint" FROM computed AS c
    LEFT JOIN "ProfileSearchIndex" s ON s."userId" = c."userId"
    WHERE s."userId" IS NULL OR (c."userId", c."displayName", c."bio", c."locationText", c."lat", c."lng", c."hasLocation", c."geoPrecision", c."locationAccuracy", c."gender", c."intent", c."age", c."ageBucket", c."birthdate", c."city", c."state", c."country", c."interestCount", c."traitCount", c."traitSummary", c."top5Keywords", c."isVisible", c."isDeleted", c."accountCreatedAt", c."searchVector", c."fingerprint") IS DISTINCT FROM (s."userId", s."displayName", s."bio", s."locationText", s."lat", s."lng", s."hasLocation", s."geoPrecision", s."locationAccuracy", s."gender", s."intent", s."age", s."ageBucket", s."birthdate", s."city", s."state", s."country", s."interestCount", s."traitCount", s."traitSummary", s."top5Keywords", s."isVisible", s."isDeleted", s."accountCreatedAt", s."searchVector", s."fingerprint")
), written AS (
    INSERT INTO "ProfileSearchIndex" ("userId", "displayName", "bio", "locationText", "lat", "lng", "hasLocation", "geoPrecision", "locationAccuracy", "gender", "intent", "age", "ageBucket", "birthdate", "city", "state", "country", "interestCount", "traitCount", "traitSummary", "top5Keywords", "isVisible", "isDeleted", "accountCreatedAt", "searchVector", "fingerprint", "indexedAt")
    SELECT "userId", "displayName", "bio", "locationText", "lat", "lng", "hasLocation", "geoPrecision", "locationAccuracy", "gender", "intent", "age", "ageBucket", "birthdate", "city", "state", "country", "interestCount", "traitCount", "traitSummary", "top5Keywords", "isVisible", "isDeleted", "accountCreatedAt", "searchVector", "fingerprint", %(now)s FROM changed ORDER BY "userId"
    ON CONFLICT ("userId") DO UPDATE SET
    "displayName" = excluded."displayName", "bio" = excluded."bio", "locationText" = excluded."locationText", "lat" = excluded."lat", "lng" = excluded."lng", "hasLocation" = excluded."hasLocation", "geoPrecision" = excluded."geoPrecision", "locationAccuracy" = excluded."locationAccuracy", "gender" = excluded."gender", "intent" = excluded."intent", "age" = excluded."age", "ageBucket" = excluded."ageBucket", "birthdate" = excluded."birthdate", "city" = excluded."city", "state" = excluded."state", "country" = excluded."country", "interestCount" = excluded."interestCount", "traitCount" = excluded."traitCount", "traitSummary" = excluded."traitSummary", "top5Keywords" = excluded."top5Keywords", "isVisible" = excluded."isVisible", "isDeleted" = excluded."isDeleted", "accountCreatedAt" = excluded."accountCreatedAt", "searchVector" = excluded."searchVector", "fingerprint" = excluded."fingerprint", "indexedAt" = excluded."indexedAt"
    RETURNING 1
), gone AS (
    DELETE FROM "ProfileSearchIndex"
    WHERE "userId" = ANY(%(keys)s::bigint[]) AND "userId" <> ALL(%(ids)s::bigint[])
    RETURNING 1
)
SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM gone);
