-- A new, edited or removed public post concerns only feeds in which it stands or which it reaches: of each feed, the posts
-- that it looked at and the last one's score, and of each set of public posts that feeds were made of, what they were.
-- All of it stands in the schema in which "FeedPresortedUser" is found.
SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"FeedPresortedUser"');

ALTER TABLE "FeedPresortedUser"
    ADD COLUMN IF NOT EXISTS "publicPosts" bigint,   -- "hash" of the set; NULL: of a feed that was made before
    ADD COLUMN IF NOT EXISTS "posts"       bigint[], -- looked at, best first: shown, or passed over
    ADD COLUMN IF NOT EXISTS "scored"      boolean,  -- whether the user had match scores
    ADD COLUMN IF NOT EXISTS "lastScore"   integer;  -- of the last of these, in millionths; NULL: there was no other one

-- Not unique: pages at work at the same time may each add a set. The cleanup removes what no feed refers to any more.
CREATE TABLE IF NOT EXISTS "FeedPublicPosts" (
    "hash"    bigint      NOT NULL, -- of all that follows
    "madeAt"  timestamptz NOT NULL, -- when the page that wrote it began to read
    -- One entry a post.
    "id"      bigint[]    NOT NULL,
    "content" bigint[]    NOT NULL, -- hash of the whole post
    "rank"    bigint[]    NOT NULL  -- hash of what its score is made of
);
CREATE INDEX IF NOT EXISTS "FeedPublicPosts_hash_madeAt_idx" ON "FeedPublicPosts" ("hash", "madeAt");

-- Who could write feeds writes these, too.
DO $do$
DECLARE
    "owner" name := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass('"FeedPresortedUser"'));
    "right" record;
BEGIN
    IF "owner" <> current_user THEN
        EXECUTE format('ALTER TABLE "FeedPublicPosts" OWNER TO %I', "owner");
    END IF;
    FOR "right" IN
        SELECT a.privilege_type AS "name",
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS "role"
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = to_regclass('"FeedPresortedUser"') AND a.grantee <> c.relowner
          AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        EXECUTE format('GRANT %s ON "FeedPublicPosts" TO %s', "right"."name", "right"."role");
    END LOOP;
END $do$;
