-- The words of a text, all of one weight, the same in every locale: of what is no word in some, punctuation goes, and
-- emoji are added by themselves. Joiners, variants of emoji and tones of skin make no difference.
-- The same words as before in half the time: a function in SQL that cannot be inlined is started anew at every call, and
-- most texts hold no emoji to be looked for one by one.
CREATE OR REPLACE FUNCTION "profileSearchWords"("content" text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    "words" tsvector;
BEGIN
    IF octet_length("content") = length("content") THEN
        -- As "profileSearchText" does for such a text
        RETURN to_tsvector('simple'::regconfig, regexp_replace("content", '([!-/:-@[-`{-~]+)', E'\x01\\1\x01', 'g'));
    END IF;
    "words" := to_tsvector('simple'::regconfig, "profileSearchText"(regexp_replace(regexp_replace(normalize("content", NFKC),
        '[\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFE00-\uFE0F\uFEFF\U0001F3FB-\U0001F3FF]+', '', 'g'),
        '[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001F3FA\U0001F400-\U0001FAFF!-/:-@[-`{-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u055A-\u055F\u0589\u058A\u05BE\u05C0\u05C3\u05F3\u05F4\u060C-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u0964\u0965\u0E2F\u0E4F\u0E5A\u0E5B\u104A-\u104F\u17D4-\u17DA\u2000-\u200A\u2010-\u2029\u202F-\u205F\u20A0-\u20CF\u2190-\u22FF\u2400-\u25FF\u2900-\u2AFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u303D-\u303F\u30FB\uFE10-\uFE6F]', ' ', 'g')));
    IF "content" !~ '[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001F3FA\U0001F400-\U0001FAFF]' THEN
        RETURN "words";
    END IF;
    RETURN "words" || (
        SELECT string_agg(DISTINCT quote_literal("emoji"[1]) || ':1', ' ')
        FROM regexp_matches("content", '[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001F3FA\U0001F400-\U0001FAFF]', 'g') AS "emoji")::tsvector;
END $$;
