-- _COUNT_CANDIDATES
SELECT array_agg("profiles"::int8), array_agg("owners"::int8), array_agg("visible"::int8), array_agg("users"::int8) FROM (
SELECT count(*) AS "profiles", count(DISTINCT p."userId") AS "owners",
       count(*) FILTER (WHERE p."isVisible") AS "visible",
       (SELECT count(*) FROM "User" u
        WHERE u."id" = ANY((SELECT %(ids)s)::bigint[]) AND u."deletedAt" IS NULL) AS "users"
FROM "Profile" p WHERE p."userId" = ANY((SELECT %(ids)s)::bigint[]) AND p."deletedAt" IS NULL
) AS rows;

-- _READ_PROFILES
SELECT array_agg("userId"::int8), array_agg("id"::int8), array_agg("visible"::int2) FROM (
SELECT p."userId", p."id", COALESCE(p."isVisible", false)::int AS "visible"
FROM "Profile" p JOIN "User" u ON u."id" = p."userId"
WHERE p."userId" = ANY(%(ids)s) AND p."deletedAt" IS NULL AND u."deletedAt" IS NULL
) AS rows;

-- _READ_VIEWERS
SELECT array_agg("userId"::int8) FROM (
SELECT p."userId" FROM "Profile" p JOIN "User" u ON u."id" = p."userId"
WHERE p."userId" = ANY((SELECT %(ids)s)::bigint[]) AND p."deletedAt" IS NULL AND u."deletedAt" IS NULL
) AS rows;

-- _READ_DELETED_USERS
SELECT array_agg("id"::int8) FROM (
SELECT asked."id" FROM unnest(%(ids)s::bigint[]) AS asked ("id")
WHERE NOT EXISTS (SELECT FROM "User" u WHERE u."id" = asked."id" AND u."deletedAt" IS NULL)
) AS rows;
