-- _READ
SELECT post.*, hashtextextended(post::text, 0),
hashtextextended(
    (post."author", post."createdAt", post."media", post."topics", post."quality", post."popularity")::text, 0)
 FROM (
SELECT p.*,
(SELECT array_agg(m."type"::text ORDER BY pm."order", m."id")
 FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId" WHERE pm."postId" = p."id" AND
m."deletedAt" IS NULL AND m."status"::text IN ('UPLOADED', 'PROCESSING', 'READY')
)
 AS "media", f."topics", f."quality", t."popularity"  FROM (
    SELECT
p."id", p."userId" AS "author", p."text", p."createdAt", c."displayName" AS "name", c."avatarUrl" AS "avatar"
 FROM "Post" p
    JOIN "User" a ON a."id" = p."userId"
    JOIN "Profile" c ON c."userId" = p."userId"
    -- The oldest post of an author's share. Joined by author alone, so that the server can reuse it for each post
    LEFT JOIN LATERAL (
        SELECT o."createdAt", o."id" FROM "Post" o
        WHERE o."userId" = p."userId" AND CASE o."visibility"::text WHEN 'PUBLIC' THEN true ELSE false END AND
    o."deletedAt" IS NULL AND o."createdAt" <= %(now)s
    AND o."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int)
        ORDER BY o."createdAt" DESC, o."id" DESC OFFSET %(authorPosts)s - 1 LIMIT 1
    ) AS oldest ON true
    WHERE CASE p."visibility"::text WHEN 'PUBLIC' THEN true ELSE false END AND
    p."deletedAt" IS NULL AND p."createdAt" <= %(now)s
    AND p."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int)
     AND a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible"
      AND (oldest."id" IS NULL OR (p."createdAt", p."id") >= (oldest."createdAt", oldest."id"))
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(publicPosts)s
) AS p
LEFT JOIN "PostFeatures" f ON f."postId" = p."id"
LEFT JOIN "TrendingScore" t ON t."postId" = p."id" AND t."expiresAt" > %(now)s
) AS post;

-- _READ_SET
SELECT "id", "content", "rank" FROM "FeedPublicPosts" WHERE "hash" = %(set)s ORDER BY "madeAt" DESC LIMIT 1;

-- _ADD_SET
INSERT INTO "FeedPublicPosts" ("hash", "madeAt", "id", "content", "rank")
VALUES (%(set)s, now(), %(ids)s::bigint[], %(contents)s::bigint[], %(ranks)s::bigint[]);

-- _HAS_SET
SELECT EXISTS (SELECT FROM "FeedPublicPosts" WHERE "hash" = %(set)s);
