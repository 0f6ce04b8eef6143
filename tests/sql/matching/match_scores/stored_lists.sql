-- _READ_LISTS
SELECT l."userId", (extract(epoch FROM l."scoredAt") * 1000000)::int8 AS "scoredAt", l."tierA",
       COALESCE(cardinality(l."spareUserId"), 0) AS "spares", COALESCE(l."spareTierA", 0::int2) AS "spareTierA",
       l."candidateUserId" || l."spareUserId" AS "candidateUserId", l."score" || l."spareScore" AS "score",
       COALESCE(c."tierA", 0::int2) AS "changedTierA", COALESCE(c."rank", '{}') AS "rank",
       COALESCE(c."candidateUserId", '{}') AS "changedUserId", COALESCE(c."score", '{}') AS "changedScore"
FROM "MatchList" l
LEFT JOIN "MatchListChange" c ON c."userId" = l."userId" AND c."listScoredAt" = l."scoredAt"
WHERE l."userId" = ANY(%(ids)s);
