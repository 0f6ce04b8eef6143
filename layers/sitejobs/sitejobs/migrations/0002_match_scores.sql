-- The best candidates of each viewer. Hundreds of millions of rows: narrow typed columns, no jsonb.

CREATE TABLE IF NOT EXISTS "MatchScore" (
    "userId"              bigint      NOT NULL,
    "candidateUserId"     bigint      NOT NULL,
    "score"               real        NOT NULL,
    "scoreQuiz"           real        NOT NULL,  -- the traits part
    "scoreInterests"      real        NOT NULL,
    "scoreRatingsQuality" real        NOT NULL,
    "scoreRatingsFit"     real        NOT NULL,
    "scoreNew"            real        NOT NULL,
    "scoreNearby"         real        NOT NULL,
    "distanceKm"          real,                  -- NULL: one of the two has no coordinates
    "avgAttractive"       real,                  -- what the candidate received; NULL: no ratings
    "avgSmart"            real,
    "avgFunny"            real,
    "avgInteresting"      real,
    "ratingCount"         integer     NOT NULL,
    "rank"                smallint    NOT NULL,
    "sharedInterestCount" smallint    NOT NULL,
    "commonTraits"        smallint    NOT NULL,
    "viewerTraits"        smallint    NOT NULL,
    "candidateTraits"     smallint    NOT NULL,
    "tier"                char(1)     NOT NULL,
    "genderOk"            boolean,               -- NULL: the viewer has no such preference
    "ageOk"               boolean,
    "distanceOk"          boolean,
    "scoredAt"            timestamptz NOT NULL,
    "algorithmVersion"    text        NOT NULL,
    "sharedInterestIds"   bigint[],              -- the first 5, by subject and interest; NULL: none
    PRIMARY KEY ("userId", "candidateUserId")
);
DO $$ BEGIN
    CREATE INDEX IF NOT EXISTS "MatchScore_userId_rank_idx" ON "MatchScore" ("userId", "rank");
EXCEPTION WHEN wrong_object_type THEN NULL; -- a later migration has made it a view
END $$;

-- One row a viewer: which run wrote last, and why there may be no rows. Its lock orders runs that overlap.
CREATE TABLE IF NOT EXISTS "MatchScoreViewer" (
    "userId"           bigint      PRIMARY KEY,
    "scoredAt"         timestamptz NOT NULL,
    "algorithmVersion" text        NOT NULL,
    "rows"             smallint    NOT NULL,
    "skipped"          text,  -- why there are no rows: no-profile, no-candidates, all-decided, deleted
    -- Something about the viewer's rows was newer than the run's snapshot: the next incremental run scores it anew.
    "provisional"      boolean     NOT NULL DEFAULT false
);

-- "Why this match": the same rows with their reasons as json.
DO $do$ BEGIN
-- A later migration's view has more columns: none of them may go.
IF EXISTS (SELECT FROM pg_attribute
           WHERE attrelid = to_regclass('"MatchScoreExplained"') AND attname = 'scoreLike') THEN
    RETURN;
END IF;
CREATE OR REPLACE VIEW "MatchScoreExplained" AS
SELECT m."userId", m."candidateUserId", m."score", m."scoreQuiz", m."scoreInterests", m."scoreRatingsQuality",
       m."scoreRatingsFit", m."scoreNew", m."scoreNearby", m."tier", m."rank", m."distanceKm",
       m."algorithmVersion", m."scoredAt",
       jsonb_build_object(
           'sharedInterests', COALESCE((
               SELECT jsonb_agg(s."key" || ':' || i."key" ORDER BY shared."position")
               FROM unnest(m."sharedInterestIds") WITH ORDINALITY AS shared ("id", "position")
               JOIN "Interest" i ON i."id" = shared."id"
               JOIN "InterestSubject" s ON s."id" = i."subjectId"), '[]'::jsonb),
           'sharedInterestCount', m."sharedInterestCount",
           'traits', jsonb_build_object(
               'common', m."commonTraits", 'viewer', m."viewerTraits", 'candidate', m."candidateTraits"),
           'preferences', jsonb_build_object('gender', m."genderOk", 'age', m."ageOk", 'distance', m."distanceOk"),
           'ratings', jsonb_build_object(
               'count', m."ratingCount", 'attractive', m."avgAttractive", 'smart', m."avgSmart",
               'funny', m."avgFunny", 'interesting', m."avgInteresting")
       ) AS "reasons"
FROM "MatchScore" m;
END $do$;
