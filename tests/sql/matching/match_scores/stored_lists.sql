-- _READ_ENDS
SELECT array_agg("userId"::int8), array_agg("scoredAt"::int8), array_agg("lastUserId"::int8), array_agg("lastScore"::float4), array_agg("lastTierA"::int2) FROM (
SELECT l."userId", (extract(epoch FROM l."scoredAt") * 1000000)::int8 AS "scoredAt",
       CASE WHEN l."spareUserId" IS NULL THEN COALESCE(l."candidateUserId"[%(top_k)s], -1)
            ELSE l."spareUserId"[cardinality(l."spareUserId")] END AS "lastUserId",
       CASE WHEN l."spareUserId" IS NULL THEN COALESCE(l."score"[%(top_k)s], 0)
            ELSE l."spareScore"[cardinality(l."spareUserId")] END AS "lastScore",
       CASE WHEN l."spareUserId" IS NULL THEN %(top_k)s <= l."tierA"
            ELSE cardinality(l."spareUserId") <= l."spareTierA" END::int AS "lastTierA"
FROM "MatchList" l WHERE l."userId" = ANY((SELECT %(ids)s)::bigint[])
) AS rows;

-- _READ_LISTS
SELECT l."userId", (extract(epoch FROM l."scoredAt") * 1000000)::int8 AS "scoredAt", l."tierA",
       COALESCE(cardinality(l."spareUserId"), 0) AS "spares", COALESCE(l."spareTierA", 0::int2) AS "spareTierA",
       l."candidateUserId" || l."spareUserId" AS "candidateUserId", l."score" || l."spareScore" AS "score",
       COALESCE(c."tierA", 0::int2) AS "changedTierA", COALESCE(c."rank", '{}') AS "rank",
       COALESCE(c."candidateUserId", '{}') AS "changedUserId", COALESCE(c."score", '{}') AS "changedScore"
FROM "MatchList" l
LEFT JOIN "MatchListChange" c ON c."userId" = l."userId" AND c."listScoredAt" = l."scoredAt"
WHERE l."userId" = ANY(%(ids)s);
