-- _READ_LAST_ROWS
SELECT array_agg("userId"::int8), array_agg("score"::float8), array_agg("tierA"::int4) FROM (
SELECT "userId", "score", ("tier" = 'A')::int AS "tierA" FROM "MatchScore"
WHERE "userId" = ANY(%(ids)s) AND "rank" = %(rank)s
) AS rows;

-- _READ_VIEWERS_WITH_INVALID_ROWS
SELECT array_agg("userId"::int8) FROM (
SELECT DISTINCT "userId" FROM "MatchScore" WHERE "userId" = ANY(%(ids)s) AND "candidateUserId" = ANY(%(left)s)
) AS rows;

-- _READ_PAIRS
SELECT array_agg("userId"::int8), array_agg("candidateUserId"::int8) FROM (
SELECT "userId", "candidateUserId" FROM "MatchScore" WHERE "userId" = ANY(%(ids)s)
) AS rows;
