-- _READ_FEEDS
SELECT s."userId", s."publicPosts" AS "set", COALESCE(s."lastScore", -1) AS "last",
       EXTRACT(epoch FROM s."computedAt") * 1000000 AS "computedAt"
FROM "FeedPresortedUser" s
WHERE s."userId" BETWEEN %(first)s AND %(last)s AND s."publicPosts" <> %(set)s AND s."posts" IS NOT NULL
  AND s."fingerprint" IS NOT NULL;

-- _READ_UNKNOWN
SELECT s."userId" FROM "FeedPresortedUser" s
WHERE s."userId" BETWEEN %(first)s AND %(last)s AND (s."publicPosts" IS NULL OR s."posts" IS NULL);

-- _READ_TOUCHED
SELECT DISTINCT s."userId" FROM "FeedPresortedUser" s
CROSS JOIN LATERAL unnest(s."posts") AS p ("id")
JOIN unnest(%(ids)s::bigint[]) AS changed ("id") ON changed."id" = p."id"
WHERE s."userId" = ANY(%(users)s);

-- _READ_EMBEDDING
SELECT s."userId" FROM "FeedSegment" s
WHERE s."userId" = ANY(%(users)s) AND s."segmentIndex" = 0 AND (
    s."id"[1] = ANY(%(ids)s) AND s."presentation"[1] IN ('highlight', 'post')
    OR s."id"[2] = ANY(%(ids)s) AND s."presentation"[2] IN ('highlight', 'post'));
