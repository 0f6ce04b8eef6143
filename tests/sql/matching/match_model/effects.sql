-- _READ
SELECT array_agg("userId"::int8), array_agg("selectivity"::float4), array_agg("appeal"::float4), array_agg("trainedSelectivity"::float4), array_agg("trainedAppeal"::float4) FROM (
SELECT "userId", "selectivity", "appeal", COALESCE("trainedSelectivity", 0) AS "trainedSelectivity",
       COALESCE("trainedAppeal", 0) AS "trainedAppeal"
FROM "UserMatchEffect" WHERE "modelId" = %(model)s AND "userId" = ANY(%(ids)s)
) AS rows;

-- _WRITE
INSERT INTO "UserMatchEffect" AS stored
    ("modelId", "userId", "selectivity", "appeal", "trainedSelectivity", "trainedAppeal", "fingerprint")
SELECT %(model)s, given."id", given."selectivity", given."appeal", 0, 0, given."fingerprint"
FROM unnest(%(ids)s::bigint[], %(selectivity)s::real[], %(appeal)s::real[], %(fingerprint)s::bigint[])
    AS given ("id", "selectivity", "appeal", "fingerprint")
ORDER BY given."id"
ON CONFLICT ("modelId", "userId") DO UPDATE SET "selectivity" = excluded."selectivity", "appeal" = excluded."appeal",
    "fingerprint" = excluded."fingerprint"
WHERE (stored."selectivity", stored."appeal", stored."fingerprint")
      IS DISTINCT FROM (excluded."selectivity", excluded."appeal", excluded."fingerprint");
