-- A segment stores only what is its user's own; what a card shows to everybody is stored once in "FeedCard".
-- "FeedPresorted" becomes a view that puts both together, with the columns, types and values that the table had.
-- All of it stands in the schema in which "FeedPresorted" is found.
SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"FeedPresorted"');

CREATE TABLE IF NOT EXISTS "FeedSegment" (
    "userId"           bigint      NOT NULL,
    "segmentIndex"     smallint    NOT NULL, -- 0 is shown first
    "algorithmVersion" text        NOT NULL,
    "computedAt"       timestamptz NOT NULL, -- start of the run: what the ages in the scores refer to
    "expiresAt"        timestamptz NOT NULL,
    "phase1Json"       text,                 -- as the view shows it
    -- One entry a card, in the order of the cards; NULL where a card has no such part.
    "presentation"     text[]              NOT NULL,
    "id"               bigint[]            NOT NULL, -- of the post, the user or the question
    "score"            double precision[]  NOT NULL,
    "match"            double precision[]  NOT NULL,
    "affinity"         double precision[]  NOT NULL,
    "recency"          double precision[]  NOT NULL,
    "quality"          double precision[]  NOT NULL,
    "trending"         double precision[]  NOT NULL,
    PRIMARY KEY ("userId", "segmentIndex")
);

-- Not unique: pages at work at the same time may each add a card. The newest counts, the others go with the next run.
CREATE TABLE IF NOT EXISTS "FeedCard" (
    "kind"   text        NOT NULL, -- post, suggestion or question
    "id"     bigint      NOT NULL, -- of the post, the user or the question
    "madeAt" timestamptz NOT NULL, -- when the page that wrote it began to read
    "hash"   bigint      NOT NULL, -- of the card's text
    "card"   jsonb       NOT NULL  -- what is equal for all who see it
);
CREATE INDEX IF NOT EXISTS "FeedCard_kind_id_madeAt_idx" ON "FeedCard" ("kind", "id", "madeAt");

DO $do$
DECLARE
    "old"   oid := to_regclass('"FeedPresorted"');
    "kind"  "char" := (SELECT relkind FROM pg_class WHERE oid = to_regclass('"FeedPresorted"'));
    "owner" name;
    "other" text;
    "views" text[] := '{}';
    "text"  text;
    "right" record;
BEGIN
    IF "kind" IS DISTINCT FROM 'v' THEN
        IF (SELECT relrowsecurity FROM pg_class WHERE oid = "old") THEN
            RAISE EXCEPTION 'row level security of "FeedPresorted" would end: it becomes a view'
                USING HINT = 'put the condition into a view of your own that selects from "FeedPresorted", grant that'
                    ' one instead, and switch row level security off: docs/feed-presort.md';
        END IF;
        SELECT string_agg("dependent", ', ') INTO "other" FROM (
            SELECT pg_describe_object('pg_trigger'::regclass, t.oid, 0) AS "dependent" FROM pg_trigger t
            WHERE t.tgrelid = "old" AND NOT t.tgisinternal
            UNION
            SELECT pg_describe_object('pg_constraint'::regclass, c.oid, 0) FROM pg_constraint c
            WHERE c.confrelid = "old" OR c.conrelid = "old" AND c.contype = 'f'
            UNION
            SELECT DISTINCT pg_describe_object('pg_class'::regclass, v.oid, 0) FROM pg_depend d
            JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
            JOIN pg_class v ON v.oid = w.ev_class AND v.relkind <> 'v'
            WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = "old"
        ) AS "dependent";
        IF "other" IS NOT NULL THEN
            RAISE EXCEPTION '"FeedPresorted" becomes a view, and these cannot stay: %', "other"
                USING HINT = 'drop them, apply the migration, and make them again over the view: docs/feed-presort.md';
        END IF;
        SELECT COALESCE(array_agg(format('CREATE OR REPLACE VIEW %s %s AS %s', v.oid::regclass, -- %s of NULL is nothing
                   'WITH (' || array_to_string(v.reloptions, ', ') || ')', pg_get_viewdef(v.oid))), '{}')
        INTO "views" FROM pg_class v WHERE v.oid IN (
            SELECT w.ev_class FROM pg_rewrite w
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
            WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = "old");
        IF to_regclass('"FeedPresortedRow"') IS NULL THEN
            ALTER TABLE "FeedPresorted" RENAME TO "FeedPresortedRow";
        ELSE -- the view was dropped, and an empty table made in its place
            ALTER TABLE "FeedPresorted" RENAME TO "FeedPresortedSpare";
        END IF;
    END IF;

    CREATE OR REPLACE VIEW "FeedPresorted" AS
    SELECT s."userId", s."segmentIndex", (
               SELECT COALESCE(jsonb_agg(c."card" || jsonb_build_object(
                   'presentation', i."presentation", 'score', i."score", 'parts', CASE
                       WHEN i."match" IS NOT NULL THEN jsonb_build_object('match', i."match")
                       WHEN i."affinity" IS NOT NULL THEN jsonb_build_object('affinity', i."affinity",
                           'recency', i."recency", 'quality', i."quality", 'trending', i."trending")
                       ELSE '{}' END) ORDER BY i."place"), '[]')
               FROM unnest(s."presentation", s."id", s."score", s."match", s."affinity", s."recency", s."quality",
                           s."trending") WITH ORDINALITY
                   AS i ("presentation", "id", "score", "match", "affinity", "recency", "quality", "trending", "place")
               CROSS JOIN LATERAL (
                   SELECT f."card" FROM "FeedCard" f
                   WHERE f."kind" = CASE WHEN i."presentation" IN ('suggestion', 'grid') THEN 'suggestion'
                                         WHEN i."presentation" IN ('post', 'highlight') THEN 'post'
                                         ELSE i."presentation" END
                     AND f."id" = i."id"
                   ORDER BY f."madeAt" DESC LIMIT 1) AS c
           ) AS "items",
           s."phase1Json", s."algorithmVersion", s."computedAt", s."expiresAt"
    FROM "FeedSegment" s
    UNION ALL
    SELECT o."userId", o."segmentIndex", o."items", o."phase1Json", o."algorithmVersion", o."computedAt",
           o."expiresAt"
    FROM "FeedPresortedRow" o;

    IF "kind" IS NOT DISTINCT FROM 'v' THEN RETURN; END IF;
    FOREACH "text" IN ARRAY "views" LOOP
        EXECUTE "text";
    END LOOP;

    -- Who owns the table owns what takes its place; who could read it reads the view, who could write it the new tables.
    SELECT pg_get_userbyid(relowner) INTO "owner" FROM pg_class WHERE oid = "old";
    IF "owner" <> current_user THEN
        EXECUTE format('ALTER TABLE "FeedSegment" OWNER TO %I', "owner");
        EXECUTE format('ALTER TABLE "FeedCard" OWNER TO %I', "owner");
        EXECUTE format('ALTER VIEW "FeedPresorted" OWNER TO %I', "owner");
    END IF;
    FOR "right" IN
        SELECT a.privilege_type AS "name", NULL::name AS "column",
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS "role",
               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS "option",
               bool_or(a.privilege_type = 'INSERT') OVER (PARTITION BY a.grantee) AS "writes"
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a WHERE c.oid = "old" AND a.grantee <> c.relowner
        UNION ALL
        SELECT a.privilege_type, t.attname,
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, false
        FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) a WHERE t.attrelid = "old"
    LOOP
        IF "right"."name" = 'SELECT' THEN
            EXECUTE format('GRANT SELECT%s ON "FeedPresorted" TO %s%s', -- %s of NULL is nothing
                           ' (' || quote_ident("right"."column") || ')', "right"."role", "right"."option");
        END IF;
        IF "right"."writes" AND "right"."name" IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') THEN
            EXECUTE format('GRANT %s ON "FeedSegment", "FeedCard" TO %s%s',
                           "right"."name", "right"."role", "right"."option");
        END IF;
    END LOOP;
    DROP TABLE IF EXISTS "FeedPresortedSpare";
END $do$;
