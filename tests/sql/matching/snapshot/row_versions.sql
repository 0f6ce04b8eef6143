-- _READ_MOMENT
SELECT c."server"::text || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
       pg_snapshot_xmin(pg_current_snapshot())::xid::text
FROM pg_control_system() AS c ("control", "catalog", "server");

-- _READ_TABLES
SELECT given."name", c."oid"::bigint FROM unnest(%(names)s::text[]) AS given ("name")
JOIN pg_class c ON c."oid" = to_regclass(format('%%I', given."name")) AND c."relkind" = 'r' AND NOT c."relhassubclass"
JOIN pg_attribute a ON a."attrelid" = c."oid" AND a."attname" = 'xmin'
WHERE has_column_privilege(c."oid", a."attnum", 'SELECT');

-- count_rows: UserTrait
WITH recent AS MATERIALIZED (
    SELECT "userId", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "UserTrait" WHERE age("xmin") <= (SELECT age(%(since)s::xid))
)
SELECT (SELECT count(*) FROM "UserTrait" WHERE "value" <> 'NaN' AND "userId" IS NOT NULL) AS "rows",
       count(*) AS "newer", count(*) FILTER (WHERE NOT r."over") AS "unsettled", array_agg(DISTINCT r."userId") FILTER (WHERE r."userId" IS NOT NULL),
array_agg(DISTINCT r."userId") FILTER (WHERE NOT r."over" AND r."userId" IS NOT NULL)
FROM recent r;

-- count_rows: UserInterest
WITH recent AS MATERIALIZED (
    SELECT "userId", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "UserInterest" WHERE age("xmin") <= (SELECT age(%(since)s::xid))
)
SELECT (SELECT count(*) FROM "UserInterest" WHERE "subjectId" IS NOT NULL AND "interestId" IS NOT NULL AND "userId" IS NOT NULL) AS "rows",
       count(*) AS "newer", count(*) FILTER (WHERE NOT r."over") AS "unsettled", array_agg(DISTINCT r."userId") FILTER (WHERE r."userId" IS NOT NULL),
array_agg(DISTINCT r."userId") FILTER (WHERE NOT r."over" AND r."userId" IS NOT NULL)
FROM recent r;

-- count_rows: QuizResult
WITH recent AS MATERIALIZED (
    SELECT "userId", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "QuizResult" WHERE age("xmin") <= (SELECT age(%(since)s::xid))
)
SELECT (SELECT count(*) FROM "QuizResult" WHERE "quizId" IS NOT NULL AND "userId" IS NOT NULL) AS "rows",
       count(*) AS "newer", count(*) FILTER (WHERE NOT r."over") AS "unsettled", array_agg(DISTINCT r."userId") FILTER (WHERE r."userId" IS NOT NULL),
array_agg(DISTINCT r."userId") FILTER (WHERE NOT r."over" AND r."userId" IS NOT NULL)
FROM recent r;

-- count_rows: Like
WITH recent AS MATERIALIZED (
    SELECT "fromUserId", "toUserId", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "Like" WHERE age("xmin") <= (SELECT age(%(since)s::xid))
)
SELECT (SELECT count(*) FROM "Like" WHERE true) AS "rows",
       count(*) AS "newer", count(*) FILTER (WHERE NOT r."over") AS "unsettled", array_agg(DISTINCT r."fromUserId") FILTER (WHERE r."fromUserId" IS NOT NULL), array_agg(DISTINCT r."toUserId") FILTER (WHERE r."toUserId" IS NOT NULL),
array_agg(DISTINCT r."fromUserId") FILTER (WHERE NOT r."over" AND r."fromUserId" IS NOT NULL),
array_agg(DISTINCT r."toUserId") FILTER (WHERE NOT r."over" AND r."toUserId" IS NOT NULL)
FROM recent r;

-- count_rows: ProfileRating
WITH recent AS MATERIALIZED (
    SELECT "raterProfileId", "targetProfileId", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "ProfileRating" WHERE age("xmin") <= (SELECT age(%(since)s::xid))
)
SELECT (SELECT count(*) FROM "ProfileRating" WHERE true) AS "rows",
       count(*) AS "newer", count(*) FILTER (WHERE NOT r."over") AS "unsettled", array_agg(DISTINCT r."raterProfileId") FILTER (WHERE r."raterProfileId" IS NOT NULL), array_agg(DISTINCT r."targetProfileId") FILTER (WHERE r."targetProfileId" IS NOT NULL),
array_agg(DISTINCT r."raterProfileId") FILTER (WHERE NOT r."over" AND r."raterProfileId" IS NOT NULL),
array_agg(DISTINCT r."targetProfileId") FILTER (WHERE NOT r."over" AND r."targetProfileId" IS NOT NULL)
FROM recent r;
