-- SET_NAMES_ALIKE
SELECT set_config('pg_trgm.word_similarity_threshold', %s, true);

-- HAS_TRIGRAMS
SELECT to_regoperator('%%>(text,text)') IS NOT NULL AND %s > 0;

-- search: near, names
WITH asked AS MATERIALIZED (
SELECT "profileSearchQuery"(%(text)s, true) AS "every", "profileSearchQuery"(%(text)s, false) AS "any",
       %(text)s::text AS "typed",
       %(lat)s::float8 AS "lat", %(lng)s::float8 AS "lng", %(km)s::float8 AS "km",
       %(youngest)s::integer AS "youngest", %(oldest)s::integer AS "oldest", %(gender)s::text AS "gender",
       %(limit)s::integer AS "limit", %(after_every)s::boolean AS "afterEvery",
       %(after_rank)s::float8 AS "afterRank", %(after_km)s::float8 AS "afterKm", %(after_id)s::bigint AS "afterId"
)
, box AS MATERIALIZED (
SELECT a.*, "profileSearchPlain"(left(a."typed", 100)) AS "plain", "profileSearchLetters"(a."typed") AS "letters",
       a."lat" - angle."high" AS "south", a."lat" + angle."high" AS "north",
       a."lng" - angle."wide" AS "west", a."lng" + angle."wide" AS "east"
FROM asked a
CROSS JOIN LATERAL (SELECT degrees(a."km" / 6371) + 1e-6 AS "high") AS height
CROSS JOIN LATERAL (SELECT height."high", CASE
    WHEN abs(a."lat") + height."high" >= 89.9 THEN 180
    ELSE degrees(asin(LEAST(1, sin(radians(height."high")) / cos(radians(a."lat"))))) END AS "wide") AS angle
), words AS MATERIALIZED (
    SELECT i."userId", i."searchVector" @@ a."every" AS "all", ts_rank_cd(i."searchVector", a."any")::float8 AS "rank",
           away."km"
    FROM box a JOIN "ProfileSearchIndex" i ON i."searchVector" @@ a."any"
    CROSS JOIN LATERAL (SELECT sin(radians(i."lat" - a."lat") / 2) ^ 2
        + cos(radians(i."lat")) * cos(radians(a."lat")) * sin(radians(i."lng" - a."lng") / 2) ^ 2 AS "half") AS chord
    CROSS JOIN LATERAL (SELECT CASE
        WHEN chord."half" IS NOT NULL THEN 2 * 6371 * asin(sqrt(LEAST(1, chord."half"))) END AS "km") AS away
    WHERE (a."youngest" IS NULL OR i."age" >= a."youngest") AND (a."oldest" IS NULL OR i."age" <= a."oldest")
      AND (a."gender" IS NULL OR i."gender" = a."gender")
      AND i."lat" BETWEEN a."south" AND a."north"
      AND (i."lng" BETWEEN a."west" AND a."east" OR i."lng" >= a."west" + 360 OR i."lng" <= a."east" - 360)
      AND away."km" <= a."km"
), found AS (
    SELECT * FROM words
    UNION ALL
    SELECT i."userId", false AS "all",
           (word_similarity(a."letters", "profileSearchLetters"(i."displayName")) + shared."share") / 2 AS "rank",
           away."km"
    FROM box a JOIN "ProfileSearchIndex" i ON "profileSearchLetters"(i."displayName") %%> a."letters"
    CROSS JOIN LATERAL (
        SELECT max(2.0 * common."count" / (length(a."plain") + length(word))) AS "share"
        FROM regexp_split_to_table("profileSearchPlain"(left(i."displayName", 100)), '\s+') AS word
        CROSS JOIN LATERAL (SELECT count(*) FROM (
            SELECT unnest(string_to_array(a."plain", NULL))
            INTERSECT ALL SELECT unnest(string_to_array(word, NULL))) AS letter) AS common
    ) AS shared
    CROSS JOIN LATERAL (SELECT sin(radians(i."lat" - a."lat") / 2) ^ 2
        + cos(radians(i."lat")) * cos(radians(a."lat")) * sin(radians(i."lng" - a."lng") / 2) ^ 2 AS "half") AS chord
    CROSS JOIN LATERAL (SELECT CASE
        WHEN chord."half" IS NOT NULL THEN 2 * 6371 * asin(sqrt(LEAST(1, chord."half"))) END AS "km") AS away
    WHERE (a."youngest" IS NULL OR i."age" >= a."youngest") AND (a."oldest" IS NULL OR i."age" <= a."oldest")
      AND (a."gender" IS NULL OR i."gender" = a."gender")
      AND i."lat" BETWEEN a."south" AND a."north"
      AND (i."lng" BETWEEN a."west" AND a."east" OR i."lng" >= a."west" + 360 OR i."lng" <= a."east" - 360)
      AND away."km" <= a."km"
      -- Letters of other scripts may share a stand-in by chance
      AND (octet_length(a."letters") = octet_length(a."plain") OR shared."share" >= 0.3)
      AND NOT EXISTS (SELECT FROM words AS hit
    JOIN "SearchableUser" s ON s."userId" = hit."userId" AND s."isSearchable"
    -- Who hid or left since the last run
    JOIN "Profile" p ON p."userId" = hit."userId" AND p."isVisible" AND p."deletedAt" IS NULL
    JOIN "User" u ON u."id" = hit."userId" AND u."deletedAt" IS NULL)
), hits AS (
    SELECT hit.* FROM found AS hit
    JOIN "SearchableUser" s ON s."userId" = hit."userId" AND s."isSearchable"
    -- Who hid or left since the last run
    JOIN "Profile" p ON p."userId" = hit."userId" AND p."isVisible" AND p."deletedAt" IS NULL
    JOIN "User" u ON u."id" = hit."userId" AND u."deletedAt" IS NULL
)
, best AS (
    SELECT hits.*
    FROM hits CROSS JOIN asked a
    -- The next page: what stands behind the last hit of the one before
    WHERE a."afterId" IS NULL
       OR (hits."all", hits."rank", -COALESCE(hits."km", 'Infinity'), a."afterId")
          < (a."afterEvery", a."afterRank", -COALESCE(a."afterKm", 'Infinity'), hits."userId")
    ORDER BY hits."all" DESC, hits."rank" DESC, hits."km" NULLS LAST, hits."userId"
    LIMIT (SELECT "limit" FROM asked)
)
SELECT b."userId" AS "user_id", b."all" AS "every", b."rank", b."km", i."age", i."locationText" AS "location",
       marked."name", marked."keywords", marked."bio"
FROM best b
JOIN "ProfileSearchIndex" i ON i."userId" = b."userId"
CROSS JOIN asked a
-- Marked with the characters 2 and 3, so that a page can escape the rest before it makes them tags
CROSS JOIN LATERAL (SELECT
    replace(ts_headline('simple', "profileSearchShown"(left(i."displayName", 1000)), a."any",
        E'StartSel="\x02", StopSel="\x03", HighlightAll=true'), E'\x01', '') AS "name",
    replace(ts_headline('simple', "profileSearchShown"(array_to_string(i."top5Keywords", ' ')), a."any",
        E'StartSel="\x02", StopSel="\x03", MaxWords=12, MinWords=4'), E'\x01', '') AS "keywords",
    replace(ts_headline('simple', "profileSearchShown"(left(i."bio", 10000)), a."any",
        CASE WHEN length(i."bio") <= 200 THEN E'StartSel="\x02", StopSel="\x03", HighlightAll=true'
        ELSE E'StartSel="\x02", StopSel="\x03", MaxFragments=2, MaxWords=20, MinWords=8, FragmentDelimiter=" … "' END),
        E'\x01', '') AS "bio") AS marked
ORDER BY b."all" DESC, b."rank" DESC, b."km" NULLS LAST, b."userId";

-- search: near, words only
WITH asked AS MATERIALIZED (
SELECT "profileSearchQuery"(%(text)s, true) AS "every", "profileSearchQuery"(%(text)s, false) AS "any",
       %(text)s::text AS "typed",
       %(lat)s::float8 AS "lat", %(lng)s::float8 AS "lng", %(km)s::float8 AS "km",
       %(youngest)s::integer AS "youngest", %(oldest)s::integer AS "oldest", %(gender)s::text AS "gender",
       %(limit)s::integer AS "limit", %(after_every)s::boolean AS "afterEvery",
       %(after_rank)s::float8 AS "afterRank", %(after_km)s::float8 AS "afterKm", %(after_id)s::bigint AS "afterId"
)
, box AS MATERIALIZED (
SELECT a.*, "profileSearchPlain"(left(a."typed", 100)) AS "plain", "profileSearchLetters"(a."typed") AS "letters",
       a."lat" - angle."high" AS "south", a."lat" + angle."high" AS "north",
       a."lng" - angle."wide" AS "west", a."lng" + angle."wide" AS "east"
FROM asked a
CROSS JOIN LATERAL (SELECT degrees(a."km" / 6371) + 1e-6 AS "high") AS height
CROSS JOIN LATERAL (SELECT height."high", CASE
    WHEN abs(a."lat") + height."high" >= 89.9 THEN 180
    ELSE degrees(asin(LEAST(1, sin(radians(height."high")) / cos(radians(a."lat"))))) END AS "wide") AS angle
), words AS MATERIALIZED (
    SELECT i."userId", i."searchVector" @@ a."every" AS "all", ts_rank_cd(i."searchVector", a."any")::float8 AS "rank",
           away."km"
    FROM box a JOIN "ProfileSearchIndex" i ON i."searchVector" @@ a."any"
    CROSS JOIN LATERAL (SELECT sin(radians(i."lat" - a."lat") / 2) ^ 2
        + cos(radians(i."lat")) * cos(radians(a."lat")) * sin(radians(i."lng" - a."lng") / 2) ^ 2 AS "half") AS chord
    CROSS JOIN LATERAL (SELECT CASE
        WHEN chord."half" IS NOT NULL THEN 2 * 6371 * asin(sqrt(LEAST(1, chord."half"))) END AS "km") AS away
    WHERE (a."youngest" IS NULL OR i."age" >= a."youngest") AND (a."oldest" IS NULL OR i."age" <= a."oldest")
      AND (a."gender" IS NULL OR i."gender" = a."gender")
      AND i."lat" BETWEEN a."south" AND a."north"
      AND (i."lng" BETWEEN a."west" AND a."east" OR i."lng" >= a."west" + 360 OR i."lng" <= a."east" - 360)
      AND away."km" <= a."km"
), found AS (
    SELECT * FROM words
), hits AS (
    SELECT hit.* FROM found AS hit
    JOIN "SearchableUser" s ON s."userId" = hit."userId" AND s."isSearchable"
    -- Who hid or left since the last run
    JOIN "Profile" p ON p."userId" = hit."userId" AND p."isVisible" AND p."deletedAt" IS NULL
    JOIN "User" u ON u."id" = hit."userId" AND u."deletedAt" IS NULL
)
, best AS (
    SELECT hits.*
    FROM hits CROSS JOIN asked a
    -- The next page: what stands behind the last hit of the one before
    WHERE a."afterId" IS NULL
       OR (hits."all", hits."rank", -COALESCE(hits."km", 'Infinity'), a."afterId")
          < (a."afterEvery", a."afterRank", -COALESCE(a."afterKm", 'Infinity'), hits."userId")
    ORDER BY hits."all" DESC, hits."rank" DESC, hits."km" NULLS LAST, hits."userId"
    LIMIT (SELECT "limit" FROM asked)
)
SELECT b."userId" AS "user_id", b."all" AS "every", b."rank", b."km", i."age", i."locationText" AS "location",
       marked."name", marked."keywords", marked."bio"
FROM best b
JOIN "ProfileSearchIndex" i ON i."userId" = b."userId"
CROSS JOIN asked a
-- Marked with the characters 2 and 3, so that a page can escape the rest before it makes them tags
CROSS JOIN LATERAL (SELECT
    replace(ts_headline('simple', "profileSearchShown"(left(i."displayName", 1000)), a."any",
        E'StartSel="\x02", StopSel="\x03", HighlightAll=true'), E'\x01', '') AS "name",
    replace(ts_headline('simple', "profileSearchShown"(array_to_string(i."top5Keywords", ' ')), a."any",
        E'StartSel="\x02", StopSel="\x03", MaxWords=12, MinWords=4'), E'\x01', '') AS "keywords",
    replace(ts_headline('simple', "profileSearchShown"(left(i."bio", 10000)), a."any",
        CASE WHEN length(i."bio") <= 200 THEN E'StartSel="\x02", StopSel="\x03", HighlightAll=true'
        ELSE E'StartSel="\x02", StopSel="\x03", MaxFragments=2, MaxWords=20, MinWords=8, FragmentDelimiter=" … "' END),
        E'\x01', '') AS "bio") AS marked
ORDER BY b."all" DESC, b."rank" DESC, b."km" NULLS LAST, b."userId";

-- search: anywhere, names
WITH asked AS MATERIALIZED (
SELECT "profileSearchQuery"(%(text)s, true) AS "every", "profileSearchQuery"(%(text)s, false) AS "any",
       %(text)s::text AS "typed",
       %(lat)s::float8 AS "lat", %(lng)s::float8 AS "lng", %(km)s::float8 AS "km",
       %(youngest)s::integer AS "youngest", %(oldest)s::integer AS "oldest", %(gender)s::text AS "gender",
       %(limit)s::integer AS "limit", %(after_every)s::boolean AS "afterEvery",
       %(after_rank)s::float8 AS "afterRank", %(after_km)s::float8 AS "afterKm", %(after_id)s::bigint AS "afterId"
)
, box AS MATERIALIZED (
SELECT a.*, "profileSearchPlain"(left(a."typed", 100)) AS "plain", "profileSearchLetters"(a."typed") AS "letters",
       a."lat" - angle."high" AS "south", a."lat" + angle."high" AS "north",
       a."lng" - angle."wide" AS "west", a."lng" + angle."wide" AS "east"
FROM asked a
CROSS JOIN LATERAL (SELECT degrees(a."km" / 6371) + 1e-6 AS "high") AS height
CROSS JOIN LATERAL (SELECT height."high", CASE
    WHEN abs(a."lat") + height."high" >= 89.9 THEN 180
    ELSE degrees(asin(LEAST(1, sin(radians(height."high")) / cos(radians(a."lat"))))) END AS "wide") AS angle
), words AS MATERIALIZED (
    SELECT i."userId", i."searchVector" @@ a."every" AS "all", ts_rank_cd(i."searchVector", a."any")::float8 AS "rank",
           away."km"
    FROM box a JOIN "ProfileSearchIndex" i ON i."searchVector" @@ a."any"
    CROSS JOIN LATERAL (SELECT sin(radians(i."lat" - a."lat") / 2) ^ 2
        + cos(radians(i."lat")) * cos(radians(a."lat")) * sin(radians(i."lng" - a."lng") / 2) ^ 2 AS "half") AS chord
    CROSS JOIN LATERAL (SELECT CASE
        WHEN chord."half" IS NOT NULL THEN 2 * 6371 * asin(sqrt(LEAST(1, chord."half"))) END AS "km") AS away
    WHERE (a."youngest" IS NULL OR i."age" >= a."youngest") AND (a."oldest" IS NULL OR i."age" <= a."oldest")
      AND (a."gender" IS NULL OR i."gender" = a."gender")
), found AS (
    SELECT * FROM words
    UNION ALL
    SELECT i."userId", false AS "all",
           (word_similarity(a."letters", "profileSearchLetters"(i."displayName")) + shared."share") / 2 AS "rank",
           away."km"
    FROM box a JOIN "ProfileSearchIndex" i ON "profileSearchLetters"(i."displayName") %%> a."letters"
    CROSS JOIN LATERAL (
        SELECT max(2.0 * common."count" / (length(a."plain") + length(word))) AS "share"
        FROM regexp_split_to_table("profileSearchPlain"(left(i."displayName", 100)), '\s+') AS word
        CROSS JOIN LATERAL (SELECT count(*) FROM (
            SELECT unnest(string_to_array(a."plain", NULL))
            INTERSECT ALL SELECT unnest(string_to_array(word, NULL))) AS letter) AS common
    ) AS shared
    CROSS JOIN LATERAL (SELECT sin(radians(i."lat" - a."lat") / 2) ^ 2
        + cos(radians(i."lat")) * cos(radians(a."lat")) * sin(radians(i."lng" - a."lng") / 2) ^ 2 AS "half") AS chord
    CROSS JOIN LATERAL (SELECT CASE
        WHEN chord."half" IS NOT NULL THEN 2 * 6371 * asin(sqrt(LEAST(1, chord."half"))) END AS "km") AS away
    WHERE (a."youngest" IS NULL OR i."age" >= a."youngest") AND (a."oldest" IS NULL OR i."age" <= a."oldest")
      AND (a."gender" IS NULL OR i."gender" = a."gender")
      -- Letters of other scripts may share a stand-in by chance
      AND (octet_length(a."letters") = octet_length(a."plain") OR shared."share" >= 0.3)
      AND NOT EXISTS (SELECT FROM words AS hit
    JOIN "SearchableUser" s ON s."userId" = hit."userId" AND s."isSearchable"
    -- Who hid or left since the last run
    JOIN "Profile" p ON p."userId" = hit."userId" AND p."isVisible" AND p."deletedAt" IS NULL
    JOIN "User" u ON u."id" = hit."userId" AND u."deletedAt" IS NULL)
), hits AS (
    SELECT hit.* FROM found AS hit
    JOIN "SearchableUser" s ON s."userId" = hit."userId" AND s."isSearchable"
    -- Who hid or left since the last run
    JOIN "Profile" p ON p."userId" = hit."userId" AND p."isVisible" AND p."deletedAt" IS NULL
    JOIN "User" u ON u."id" = hit."userId" AND u."deletedAt" IS NULL
)
, best AS (
    SELECT hits.*
    FROM hits CROSS JOIN asked a
    -- The next page: what stands behind the last hit of the one before
    WHERE a."afterId" IS NULL
       OR (hits."all", hits."rank", -COALESCE(hits."km", 'Infinity'), a."afterId")
          < (a."afterEvery", a."afterRank", -COALESCE(a."afterKm", 'Infinity'), hits."userId")
    ORDER BY hits."all" DESC, hits."rank" DESC, hits."km" NULLS LAST, hits."userId"
    LIMIT (SELECT "limit" FROM asked)
)
SELECT b."userId" AS "user_id", b."all" AS "every", b."rank", b."km", i."age", i."locationText" AS "location",
       marked."name", marked."keywords", marked."bio"
FROM best b
JOIN "ProfileSearchIndex" i ON i."userId" = b."userId"
CROSS JOIN asked a
-- Marked with the characters 2 and 3, so that a page can escape the rest before it makes them tags
CROSS JOIN LATERAL (SELECT
    replace(ts_headline('simple', "profileSearchShown"(left(i."displayName", 1000)), a."any",
        E'StartSel="\x02", StopSel="\x03", HighlightAll=true'), E'\x01', '') AS "name",
    replace(ts_headline('simple', "profileSearchShown"(array_to_string(i."top5Keywords", ' ')), a."any",
        E'StartSel="\x02", StopSel="\x03", MaxWords=12, MinWords=4'), E'\x01', '') AS "keywords",
    replace(ts_headline('simple', "profileSearchShown"(left(i."bio", 10000)), a."any",
        CASE WHEN length(i."bio") <= 200 THEN E'StartSel="\x02", StopSel="\x03", HighlightAll=true'
        ELSE E'StartSel="\x02", StopSel="\x03", MaxFragments=2, MaxWords=20, MinWords=8, FragmentDelimiter=" … "' END),
        E'\x01', '') AS "bio") AS marked
ORDER BY b."all" DESC, b."rank" DESC, b."km" NULLS LAST, b."userId";

-- search: anywhere, words only
WITH asked AS MATERIALIZED (
SELECT "profileSearchQuery"(%(text)s, true) AS "every", "profileSearchQuery"(%(text)s, false) AS "any",
       %(text)s::text AS "typed",
       %(lat)s::float8 AS "lat", %(lng)s::float8 AS "lng", %(km)s::float8 AS "km",
       %(youngest)s::integer AS "youngest", %(oldest)s::integer AS "oldest", %(gender)s::text AS "gender",
       %(limit)s::integer AS "limit", %(after_every)s::boolean AS "afterEvery",
       %(after_rank)s::float8 AS "afterRank", %(after_km)s::float8 AS "afterKm", %(after_id)s::bigint AS "afterId"
)
, box AS MATERIALIZED (
SELECT a.*, "profileSearchPlain"(left(a."typed", 100)) AS "plain", "profileSearchLetters"(a."typed") AS "letters",
       a."lat" - angle."high" AS "south", a."lat" + angle."high" AS "north",
       a."lng" - angle."wide" AS "west", a."lng" + angle."wide" AS "east"
FROM asked a
CROSS JOIN LATERAL (SELECT degrees(a."km" / 6371) + 1e-6 AS "high") AS height
CROSS JOIN LATERAL (SELECT height."high", CASE
    WHEN abs(a."lat") + height."high" >= 89.9 THEN 180
    ELSE degrees(asin(LEAST(1, sin(radians(height."high")) / cos(radians(a."lat"))))) END AS "wide") AS angle
), words AS MATERIALIZED (
    SELECT i."userId", i."searchVector" @@ a."every" AS "all", ts_rank_cd(i."searchVector", a."any")::float8 AS "rank",
           away."km"
    FROM box a JOIN "ProfileSearchIndex" i ON i."searchVector" @@ a."any"
    CROSS JOIN LATERAL (SELECT sin(radians(i."lat" - a."lat") / 2) ^ 2
        + cos(radians(i."lat")) * cos(radians(a."lat")) * sin(radians(i."lng" - a."lng") / 2) ^ 2 AS "half") AS chord
    CROSS JOIN LATERAL (SELECT CASE
        WHEN chord."half" IS NOT NULL THEN 2 * 6371 * asin(sqrt(LEAST(1, chord."half"))) END AS "km") AS away
    WHERE (a."youngest" IS NULL OR i."age" >= a."youngest") AND (a."oldest" IS NULL OR i."age" <= a."oldest")
      AND (a."gender" IS NULL OR i."gender" = a."gender")
), found AS (
    SELECT * FROM words
), hits AS (
    SELECT hit.* FROM found AS hit
    JOIN "SearchableUser" s ON s."userId" = hit."userId" AND s."isSearchable"
    -- Who hid or left since the last run
    JOIN "Profile" p ON p."userId" = hit."userId" AND p."isVisible" AND p."deletedAt" IS NULL
    JOIN "User" u ON u."id" = hit."userId" AND u."deletedAt" IS NULL
)
, best AS (
    SELECT hits.*
    FROM hits CROSS JOIN asked a
    -- The next page: what stands behind the last hit of the one before
    WHERE a."afterId" IS NULL
       OR (hits."all", hits."rank", -COALESCE(hits."km", 'Infinity'), a."afterId")
          < (a."afterEvery", a."afterRank", -COALESCE(a."afterKm", 'Infinity'), hits."userId")
    ORDER BY hits."all" DESC, hits."rank" DESC, hits."km" NULLS LAST, hits."userId"
    LIMIT (SELECT "limit" FROM asked)
)
SELECT b."userId" AS "user_id", b."all" AS "every", b."rank", b."km", i."age", i."locationText" AS "location",
       marked."name", marked."keywords", marked."bio"
FROM best b
JOIN "ProfileSearchIndex" i ON i."userId" = b."userId"
CROSS JOIN asked a
-- Marked with the characters 2 and 3, so that a page can escape the rest before it makes them tags
CROSS JOIN LATERAL (SELECT
    replace(ts_headline('simple', "profileSearchShown"(left(i."displayName", 1000)), a."any",
        E'StartSel="\x02", StopSel="\x03", HighlightAll=true'), E'\x01', '') AS "name",
    replace(ts_headline('simple', "profileSearchShown"(array_to_string(i."top5Keywords", ' ')), a."any",
        E'StartSel="\x02", StopSel="\x03", MaxWords=12, MinWords=4'), E'\x01', '') AS "keywords",
    replace(ts_headline('simple', "profileSearchShown"(left(i."bio", 10000)), a."any",
        CASE WHEN length(i."bio") <= 200 THEN E'StartSel="\x02", StopSel="\x03", HighlightAll=true'
        ELSE E'StartSel="\x02", StopSel="\x03", MaxFragments=2, MaxWords=20, MinWords=8, FragmentDelimiter=" … "' END),
        E'\x01', '') AS "bio") AS marked
ORDER BY b."all" DESC, b."rank" DESC, b."km" NULLS LAST, b."userId";
