-- _READ_STORED
SELECT s."userId", s."presentation", s."id" FROM (
    SELECT f."userId", f."segmentIndex", f."presentation", f."id" FROM "FeedSegment" f
    WHERE f."userId" = ANY(%(users)s)
    UNION ALL
    SELECT o."userId", o."segmentIndex",
           ARRAY(SELECT i."item" ->> 'presentation' FROM jsonb_array_elements(o."items") WITH ORDINALITY
                 AS i ("item", "place") ORDER BY i."place"),
           ARRAY(SELECT (i."item" ->> 'id')::bigint FROM jsonb_array_elements(o."items") WITH ORDINALITY
                 AS i ("item", "place") ORDER BY i."place")
    FROM "FeedPresortedRow" o WHERE o."userId" = ANY(%(users)s)
) AS s ORDER BY s."userId", s."segmentIndex";
