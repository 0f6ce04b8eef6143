-- _READ_MOMENT
SELECT c."server"::text || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
       pg_snapshot_xmin(pg_current_snapshot())::xid::text
FROM pg_control_system() AS c ("control", "catalog", "server");

-- _READ_TABLES
SELECT given."name", c."oid"::bigint FROM unnest(%(names)s::text[]) AS given ("name")
JOIN pg_class c ON c."oid" = to_regclass(format('%%I', given."name")) AND c."relkind" = 'r' AND NOT c."relhassubclass";

-- count_rows: UserTrait
SELECT count(*) FILTER (WHERE r."counts") AS "rows", count(*) FILTER (WHERE r."past") AS "past",
       count(*) FILTER (WHERE r."over") AS "over",
array_agg(DISTINCT r."userId") FILTER (WHERE NOT r."past" AND r."userId" IS NOT NULL),
array_agg(DISTINCT r."userId") FILTER (WHERE NOT r."over" AND r."userId" IS NOT NULL)
FROM (
    SELECT "userId", ("value" <> 'NaN' AND "userId" IS NOT NULL) AS "counts",
           age("xmin") > (SELECT age(%(since)s::xid)) AS "past", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "UserTrait"
) AS r;

-- count_rows: UserInterest
SELECT count(*) FILTER (WHERE r."counts") AS "rows", count(*) FILTER (WHERE r."past") AS "past",
       count(*) FILTER (WHERE r."over") AS "over",
array_agg(DISTINCT r."userId") FILTER (WHERE NOT r."past" AND r."userId" IS NOT NULL),
array_agg(DISTINCT r."userId") FILTER (WHERE NOT r."over" AND r."userId" IS NOT NULL)
FROM (
    SELECT "userId", ("subjectId" IS NOT NULL AND "interestId" IS NOT NULL AND "userId" IS NOT NULL) AS "counts",
           age("xmin") > (SELECT age(%(since)s::xid)) AS "past", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "UserInterest"
) AS r;

-- count_rows: QuizResult
SELECT count(*) FILTER (WHERE r."counts") AS "rows", count(*) FILTER (WHERE r."past") AS "past",
       count(*) FILTER (WHERE r."over") AS "over",
array_agg(DISTINCT r."userId") FILTER (WHERE NOT r."past" AND r."userId" IS NOT NULL),
array_agg(DISTINCT r."userId") FILTER (WHERE NOT r."over" AND r."userId" IS NOT NULL)
FROM (
    SELECT "userId", ("quizId" IS NOT NULL AND "userId" IS NOT NULL) AS "counts",
           age("xmin") > (SELECT age(%(since)s::xid)) AS "past", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "QuizResult"
) AS r;

-- count_rows: Like
SELECT count(*) FILTER (WHERE r."counts") AS "rows", count(*) FILTER (WHERE r."past") AS "past",
       count(*) FILTER (WHERE r."over") AS "over",
array_agg(DISTINCT r."fromUserId") FILTER (WHERE NOT r."past" AND r."fromUserId" IS NOT NULL),
array_agg(DISTINCT r."toUserId") FILTER (WHERE NOT r."past" AND r."toUserId" IS NOT NULL),
array_agg(DISTINCT r."fromUserId") FILTER (WHERE NOT r."over" AND r."fromUserId" IS NOT NULL),
array_agg(DISTINCT r."toUserId") FILTER (WHERE NOT r."over" AND r."toUserId" IS NOT NULL)
FROM (
    SELECT "fromUserId", "toUserId", (true) AS "counts",
           age("xmin") > (SELECT age(%(since)s::xid)) AS "past", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "Like"
) AS r;

-- count_rows: ProfileRating
SELECT count(*) FILTER (WHERE r."counts") AS "rows", count(*) FILTER (WHERE r."past") AS "past",
       count(*) FILTER (WHERE r."over") AS "over",
array_agg(DISTINCT r."raterProfileId") FILTER (WHERE NOT r."past" AND r."raterProfileId" IS NOT NULL),
array_agg(DISTINCT r."targetProfileId") FILTER (WHERE NOT r."past" AND r."targetProfileId" IS NOT NULL),
array_agg(DISTINCT r."raterProfileId") FILTER (WHERE NOT r."over" AND r."raterProfileId" IS NOT NULL),
array_agg(DISTINCT r."targetProfileId") FILTER (WHERE NOT r."over" AND r."targetProfileId" IS NOT NULL)
FROM (
    SELECT "raterProfileId", "targetProfileId", (true) AS "counts",
           age("xmin") > (SELECT age(%(since)s::xid)) AS "past", age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM "ProfileRating"
) AS r;
