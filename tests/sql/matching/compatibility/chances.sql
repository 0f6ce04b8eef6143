-- _READ_CHANCES
SELECT array_agg("userId"::int8), array_agg("otherId"::int8), array_agg("chance"::float8) FROM (
SELECT m."userId", s."id" AS "otherId", s."score"::float8 * s."score" AS "chance"
FROM "MatchList" l JOIN "MatchCandidates" m ON m."userId" = l."userId"
CROSS JOIN LATERAL unnest(m."candidateUserId"[:%(suggestions)s::int], m."score"[:%(suggestions)s::int])
    AS s ("id", "score")
WHERE l."userId" = ANY(%(ids)s) AND l."scoreLike" IS NOT NULL
) AS rows;
