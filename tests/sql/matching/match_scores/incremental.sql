-- _READ_LISTS
SELECT "userId", "candidateUserId", COALESCE("score"[%(rank)s::int], '-Infinity') AS "score",
       ("tierA" >= %(rank)s)::int AS "isTierA"
FROM "MatchList" WHERE "userId" = ANY(%(ids)s);
