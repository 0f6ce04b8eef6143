-- Loss of MatchScore
SELECT COALESCE((
    SELECT sum(v."rows") FROM "MatchScoreViewer" v WHERE NOT EXISTS (
        SELECT FROM "User" u JOIN "Profile" p ON p."userId" = u."id"
        WHERE u."id" = v."userId" AND u."deletedAt" IS NULL AND p."deletedAt" IS NULL)), 0),
    (SELECT COALESCE(sum("rows"), 0) FROM "MatchScoreViewer");

-- COUNT_USERS
SELECT count(*) FROM "User";

-- _READ_USER_STATE
SELECT u."id" IS NOT NULL AND u."deletedAt" IS NULL,
       EXISTS (SELECT FROM "MatchScoreViewer" v WHERE v."userId" = %(user_id)s AND v."rows" > 0)
FROM (SELECT %(user_id)s::bigint AS "id") asked LEFT JOIN "User" u ON u."id" = asked."id";
