-- _ADD
INSERT INTO "FeedCard" ("kind", "id", "madeAt", "hash", "card")
SELECT k."kind", k."id", GREATEST(now(), stored."last" + interval '1 microsecond'), k."hash", k."card"::jsonb
FROM unnest(%(kinds)s::text[], %(ids)s::bigint[], %(hashes)s::bigint[], %(cards)s::text[])
    AS k ("kind", "id", "hash", "card")
CROSS JOIN LATERAL (
    SELECT max(c."madeAt") AS "last" FROM "FeedCard" c WHERE c."kind" = k."kind" AND c."id" = k."id"
) AS stored;

-- _FIND_NEW
SELECT k."place"
FROM unnest(%(kinds)s::text[], %(ids)s::bigint[], %(hashes)s::bigint[]) WITH ORDINALITY
    AS k ("kind", "id", "hash", "place")
LEFT JOIN LATERAL (
    SELECT c."hash" FROM "FeedCard" c WHERE c."kind" = k."kind" AND c."id" = k."id" ORDER BY c."madeAt" DESC LIMIT 1
) AS stored ON true
WHERE stored."hash" IS DISTINCT FROM k."hash"
ORDER BY k."place";
