-- What can be searched of a profile, and the words that find it: one row a user, written by profile-search-index.
-- No foreign key: "User" may be a view in the site's own schema.
CREATE TABLE IF NOT EXISTS "ProfileSearchIndex" (
    "userId"           bigint           PRIMARY KEY,
    "displayName"      text,
    "bio"              text,
    "locationText"     text,
    "lat"              double precision, -- NULL, as "lng", unless both are valid
    "lng"              double precision,
    "hasLocation"      boolean          NOT NULL,
    "geoPrecision"     text,
    "locationAccuracy" double precision,
    "gender"           text,
    "intent"           text,
    "age"              integer,          -- on the day of the run that wrote the row; the next run refreshes it
    "ageBucket"        integer,          -- 0: 18 to 22, 1: 23 to 27 and so on; NULL under 18
    "birthdate"        date,
    "city"             text,
    "state"            text,
    "country"          text,
    "interestCount"    integer          NOT NULL,
    "traitCount"       integer          NOT NULL,
    "traitSummary"     jsonb            NOT NULL, -- trait key -> value
    "top5Keywords"     text[]           NOT NULL,
    "isVisible"        boolean          NOT NULL,
    "isDeleted"        boolean          NOT NULL, -- always false: the row goes when the profile or its user goes
    "accountCreatedAt" timestamptz,
    "searchVector"     tsvector         NOT NULL, -- name A, keywords B, location C, bio D
    "fingerprint"      bigint           NOT NULL, -- hash of all that the row was made of
    "indexedAt"        timestamptz      NOT NULL DEFAULT now() -- start of the run that last changed the row
);
CREATE INDEX IF NOT EXISTS "ProfileSearchIndex_searchVector_idx" ON "ProfileSearchIndex" USING gin ("searchVector");
CREATE INDEX IF NOT EXISTS "ProfileSearchIndex_lat_lng_idx" ON "ProfileSearchIndex" ("lat", "lng");

-- Search by parts of a name, where pg_trgm is there or may be installed. `sitejobs check` tells when it is not; once it
-- is, `sitejobs db migrate --again` adds the index.
DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'pg_trgm cannot be installed (%): there is no search by parts of a name', SQLERRM;
END $$;
DO $$ DECLARE
    place text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                   WHERE e.extname = 'pg_trgm');
BEGIN
    IF place IS NOT NULL THEN
        EXECUTE format('CREATE INDEX IF NOT EXISTS "ProfileSearchIndex_displayName_idx"
                        ON "ProfileSearchIndex" USING gin ("displayName" %I.gin_trgm_ops)', place);
    END IF;
END $$;

-- A text with breaks (character 1) around whatever is a word of its own but has no space beside it: the characters of
-- scripts that put none between words (Thai, Lao, Burmese, Khmer, Chinese, Japanese; Korean too, whose particles stick
-- to words), punctuation and emoji. It reads as before once the breaks are taken out.
CREATE OR REPLACE FUNCTION "profileSearchText"("content" text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN octet_length("content") = length("content")
        THEN regexp_replace("content", '([!-/:-@[-`{-~]+)', E'\x01\\1\x01', 'g')
        ELSE regexp_replace(
            normalize("content", NFKC),
            '([\u0E01-\u0E2E\u0E30\u0E32\u0E33\u0E40-\u0E46\u0E81-\u0EB0\u0EB2\u0EB3\u0EBD-\u0EC6\u1000-\u102A\u103F-\u1055\u1780-\u17B3\u2E80-\u2FDF\u3005-\u3007\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u318E\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\U00020000-\U0003FFFF][\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u102B-\u103E\u1056-\u1059\u17B4-\u17D3\u3099\u309A]*|[!-/:-@[-`{-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u055A-\u055F\u0589\u058A\u05BE\u05C0\u05C3\u05F3\u05F4\u060C-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u0964\u0965\u0E2F\u0E4F\u0E5A\u0E5B\u104A-\u104F\u17D4-\u17DA\u2000-\u200A\u2010-\u2029\u202F-\u205F\u20A0-\u20CF\u2190-\u22FF\u2400-\u25FF\u2900-\u2AFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u303D-\u303F\u30FB\uFE10-\uFE6F]+|[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001F3FA\U0001F400-\U0001FAFF])',
            E'\x01\\1\x01', 'g')
    END
$$;

-- The words of a text, all of one weight, the same in every locale: of what is no word in some, punctuation goes, and
-- emoji are added by themselves. Joiners, variants of emoji and tones of skin make no difference.
CREATE OR REPLACE FUNCTION "profileSearchWords"("content" text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN octet_length("content") = length("content")
        THEN to_tsvector('simple'::regconfig, "profileSearchText"("content"))
        ELSE to_tsvector('simple'::regconfig, "profileSearchText"(regexp_replace(regexp_replace(normalize("content", NFKC),
                '[\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFE00-\uFE0F\uFEFF\U0001F3FB-\U0001F3FF]+', '', 'g'),
                '[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001F3FA\U0001F400-\U0001FAFF!-/:-@[-`{-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u055A-\u055F\u0589\u058A\u05BE\u05C0\u05C3\u05F3\u05F4\u060C-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u0964\u0965\u0E2F\u0E4F\u0E5A\u0E5B\u104A-\u104F\u17D4-\u17DA\u2000-\u200A\u2010-\u2029\u202F-\u205F\u20A0-\u20CF\u2190-\u22FF\u2400-\u25FF\u2900-\u2AFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u303D-\u303F\u30FB\uFE10-\uFE6F]', ' ', 'g')))
            || COALESCE((
                SELECT string_agg(DISTINCT quote_literal("found"[1]) || ':1', ' ')
                FROM regexp_matches("content", '[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001F3FA\U0001F400-\U0001FAFF]', 'g') AS "found")::tsvector, ''::tsvector)
    END
$$;

-- What a profile is found by. Texts are cut to their first characters: a tsvector holds 1 MB and 16,383 positions.
CREATE OR REPLACE FUNCTION "profileSearchVector"("name" text, "keywords" text[], "location" text, "bio" text)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT setweight("profileSearchWords"(left(COALESCE("name", ''), 1000)), 'A')
        || setweight("profileSearchWords"(left(array_to_string("keywords", ' '), 10000)), 'B')
        || setweight("profileSearchWords"(left(COALESCE("location", ''), 1000)), 'C')
        || setweight("profileSearchWords"(left(COALESCE("bio", ''), 10000)), 'D')
$$;

-- What somebody typed, as a query: every word in any order, or any one of them; NULL where there is no word in it. What
-- is written without a space, such as Chinese or a name with a hyphen, must stand so in the profile.
CREATE OR REPLACE FUNCTION "profileSearchQuery"("content" text, "every" boolean DEFAULT true) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT string_agg('(' || "term"::text || ')', CASE WHEN "every" THEN ' & ' ELSE ' | ' END)::tsquery
    FROM (
        SELECT phraseto_tsquery('simple'::regconfig, "profileSearchText"(regexp_replace("word",
            '[!-/:-@[-`{-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u055A-\u055F\u0589\u058A\u05BE\u05C0\u05C3\u05F3\u05F4\u060C-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u0964\u0965\u0E2F\u0E4F\u0E5A\u0E5B\u104A-\u104F\u17D4-\u17DA\u2000-\u200A\u2010-\u2029\u202F-\u205F\u20A0-\u20CF\u2190-\u22FF\u2400-\u25FF\u2900-\u2AFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u303D-\u303F\u30FB\uFE10-\uFE6F]', ' ', 'g')))
        FROM regexp_split_to_table(regexp_replace(regexp_replace(normalize(left("content", 1000), NFKC),
            '[\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFE00-\uFE0F\uFEFF\U0001F3FB-\U0001F3FF]+', '', 'g'),
            '[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001F3FA\U0001F400-\U0001FAFF]', ' ', 'g'), '\s+') AS "word"
        UNION ALL
        SELECT quote_literal("found"[1])::tsquery
        FROM regexp_matches(left("content", 1000), '[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001F3FA\U0001F400-\U0001FAFF]', 'g') AS "found"
    ) AS "terms" ("term")
    WHERE numnode("term") > 0
$$;
