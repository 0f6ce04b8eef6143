-- _READ_TARGETS
WITH
related AS (
    SELECT "userAId" AS "viewer", "userBId" AS "target" FROM "Match"
    WHERE "userAId" = ANY(%(ids)s) AND "state"::text = 'ACTIVE'
    UNION
    SELECT "userBId", "userAId" FROM "Match" WHERE "userBId" = ANY(%(ids)s) AND "state"::text = 'ACTIVE'
    UNION
    SELECT "ownerUserId", "viewerUserId" FROM "ProfileAccess"
    WHERE "ownerUserId" = ANY(%(ids)s) AND "status"::text IN ('PENDING', 'GRANTED')
    UNION
    SELECT "viewerUserId", "ownerUserId" FROM "ProfileAccess"
    WHERE "viewerUserId" = ANY(%(ids)s) AND "status"::text IN ('PENDING', 'GRANTED')
    UNION
    SELECT "userAId", "userBId" FROM "Conversation" WHERE "userAId" = ANY(%(ids)s)
    UNION
    SELECT "userBId", "userAId" FROM "Conversation" WHERE "userBId" = ANY(%(ids)s)
), blocked AS (
    SELECT "blockerId" AS "viewer", "blockedId" AS "target" FROM "UserBlock" WHERE "blockerId" = ANY(%(ids)s)
    UNION ALL
    SELECT "blockedId", "blockerId" FROM "UserBlock" WHERE "blockedId" = ANY(%(ids)s)
), suggested AS (
    SELECT m."userId" AS "viewer", s."target" FROM "MatchCandidates" m
    CROSS JOIN LATERAL unnest(m."candidateUserId"[:%(suggestions)s::int]) AS s ("target")
    WHERE m."userId" = ANY(%(ids)s)
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
SELECT u."id"::bigint, here."targets"
FROM "User" u
LEFT JOIN (
    SELECT targets."viewer", string_agg(int8send(targets."target"::bigint), ''::bytea) AS "targets"
    FROM targets GROUP BY targets."viewer"
) AS here ON here."viewer" = u."id"
WHERE u."id" = ANY(%(ids)s) AND u."deletedAt" IS NULL
ORDER BY u."id";
