-- Keys.known
SELECT "id" FROM (
    (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL
     ORDER BY "id" LIMIT %(limit)s)
    UNION
    (SELECT "userId" FROM "UserCompatibilityViewer" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
) AS known ORDER BY "id" LIMIT %(limit)s;

-- Keys.stale
WITH
related AS (
    SELECT "userAId" AS "viewer", "userBId" AS "target" FROM "Match"
    WHERE "userAId" BETWEEN %(first)s AND %(last)s AND "state"::text = 'ACTIVE'
    UNION
    SELECT "userBId", "userAId" FROM "Match" WHERE "userBId" BETWEEN %(first)s AND %(last)s AND "state"::text = 'ACTIVE'
    UNION
    SELECT "ownerUserId", "viewerUserId" FROM "ProfileAccess"
    WHERE "ownerUserId" BETWEEN %(first)s AND %(last)s AND "status"::text IN ('PENDING', 'GRANTED')
    UNION
    SELECT "viewerUserId", "ownerUserId" FROM "ProfileAccess"
    WHERE "viewerUserId" BETWEEN %(first)s AND %(last)s AND "status"::text IN ('PENDING', 'GRANTED')
    UNION
    SELECT "userAId", "userBId" FROM "Conversation" WHERE "userAId" BETWEEN %(first)s AND %(last)s
    UNION
    SELECT "userBId", "userAId" FROM "Conversation" WHERE "userBId" BETWEEN %(first)s AND %(last)s
), blocked AS (
    SELECT "blockerId" AS "viewer", "blockedId" AS "target" FROM "UserBlock" WHERE "blockerId" BETWEEN %(first)s AND %(last)s
    UNION ALL
    SELECT "blockedId", "blockerId" FROM "UserBlock" WHERE "blockedId" BETWEEN %(first)s AND %(last)s
), suggested AS (
    SELECT m."userId" AS "viewer", s."target" FROM "MatchCandidates" m
    CROSS JOIN LATERAL unnest(m."candidateUserId"[:%(suggestions)s::int]) AS s ("target")
    WHERE m."userId" BETWEEN %(first)s AND %(last)s
), targets AS (
    SELECT t."viewer", t."target" FROM (
        SELECT "viewer", "target" FROM suggested
        UNION ALL
        SELECT r."viewer", r."target" FROM related r
        WHERE NOT EXISTS (SELECT FROM suggested s WHERE s."viewer" = r."viewer" AND s."target" = r."target")
    ) AS t
    WHERE t."viewer" <> t."target"
      AND NOT EXISTS (SELECT FROM blocked b WHERE b."viewer" = t."viewer" AND b."target" = t."target")
)
, chances AS MATERIALIZED (
SELECT l."userId",
       sum(hashint8extended(s."id"::bigint, round(s."score" * 100)::bigint) & 1099511627775)::int8 AS "chances"
FROM "MatchList" l JOIN "MatchCandidates" m ON m."userId" = l."userId"
CROSS JOIN LATERAL unnest(m."candidateUserId"[:%(suggestions)s::int], m."score"[:%(suggestions)s::int])
    AS s ("id", "score")
WHERE l."userId" BETWEEN %(first)s AND %(last)s AND l."scoreLike" IS NOT NULL AND s."score" BETWEEN 0 AND 1 GROUP BY l."userId"
), wanted AS (
    SELECT viewer."userId", hashtextextended(
        concat_ws('/', %(version)s::text, viewer."viewerHash"::text, count(here."target")::text, COALESCE(sum(here."targetHash"), 0)::text, chances."chances"::text), 0) AS "fingerprint"
    FROM "UserCompatibilityInput" viewer
    LEFT JOIN (
        SELECT targets."viewer", targets."target", known."targetHash"
        FROM targets JOIN "UserCompatibilityInput" known ON known."userId" = targets."target"
        WHERE known."targetHash" IS NOT NULL
    ) AS here ON here."viewer" = viewer."userId"
    LEFT JOIN chances ON chances."userId" = viewer."userId"
    WHERE viewer."userId" BETWEEN %(first)s AND %(last)s
    GROUP BY viewer."userId", chances."chances"
)
SELECT COALESCE(wanted."userId", stored."userId") AS "id" FROM wanted
FULL JOIN (
    SELECT "userId", "fingerprint" FROM "UserCompatibilityViewer" WHERE "userId" BETWEEN %(first)s AND %(last)s
) AS stored ON stored."userId" = wanted."userId"
WHERE wanted."fingerprint" IS DISTINCT FROM stored."fingerprint"
ORDER BY "id";

-- Keys.count
SELECT count(*) FROM "User" WHERE "deletedAt" IS NULL;

-- Keys.known, cut into pages
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM (
SELECT "id" FROM (
    (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL
     ORDER BY "id" LIMIT %(limit)s)
    UNION
    (SELECT "userId" FROM "UserCompatibilityViewer" WHERE "userId" BETWEEN %(first)s AND %(last)s
     ORDER BY "userId" LIMIT %(limit)s)
) AS known ORDER BY "id" LIMIT %(limit)s
) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end";

-- Loss of UserCompatibility
SELECT COALESCE((
    SELECT sum(v."rows") FROM "UserCompatibilityViewer" v WHERE NOT EXISTS (
        SELECT FROM "User" u WHERE u."id" = v."userId" AND u."deletedAt" IS NULL)), 0),
    (SELECT COALESCE(sum("rows"), 0) FROM "UserCompatibilityViewer");
