-- How well a viewer and each user it has to do with suit each other. Up to hundreds of millions of rows: narrow typed
-- columns, no jsonb. No foreign keys: "User" may be a view in the site's own schema.
CREATE TABLE IF NOT EXISTS "UserCompatibility" (
    "viewerUserId"        bigint      NOT NULL,
    "targetUserId"        bigint      NOT NULL,
    "score"               real,                  -- NULL: one of the two has nothing to compare
    "scoreQuiz"           real        NOT NULL,  -- 0 where a signal is missing
    "scoreInterests"      real        NOT NULL,
    "scoreRatingsQuality" real        NOT NULL,
    "scoreRatingsFit"     real        NOT NULL,
    "avgAttractive"       real,                  -- what the target received; NULL: no ratings
    "avgSmart"            real,
    "avgFunny"            real,
    "avgInteresting"      real,
    "ratingCount"         integer     NOT NULL,
    "sharedInterestCount" smallint    NOT NULL,
    "computedAt"          timestamptz NOT NULL,
    "algorithmVersion"    text        NOT NULL,
    "sharedInterestIds"   bigint[],              -- the first 5, by subject and interest; NULL: none
    "status"              text        NOT NULL
        GENERATED ALWAYS AS (CASE WHEN "score" IS NULL THEN 'INSUFFICIENT_DATA' ELSE 'READY' END) STORED,
    PRIMARY KEY ("viewerUserId", "targetUserId")
);

-- One row a viewer: what its rows were computed of. Whoever changes a viewer's rows writes it too, so that runs which
-- overlap collide here instead of mixing their rows.
CREATE TABLE IF NOT EXISTS "UserCompatibilityViewer" (
    "userId"           bigint      PRIMARY KEY,
    "fingerprint"      bigint      NOT NULL,  -- of all inputs of the viewer's rows
    "rows"             integer     NOT NULL,
    "skipped"          text,                  -- why there are no rows: no-targets
    "algorithmVersion" text        NOT NULL,
    "computedAt"       timestamptz NOT NULL
);

-- One row a user: what a comparison reads of it, packed as pages load it, and a hash of it. Renewed by every run.
CREATE TABLE IF NOT EXISTS "UserCompatibilityInput" (
    "userId"       bigint PRIMARY KEY,
    "interests"    bytea  NOT NULL,  -- (subjectId, interestId) int8 pairs, ascending
    "latestQuizId" bigint,           -- quiz of the most recent result; NULL: no results
    "results"      bytea  NOT NULL,  -- a result: quizId int8, numbers in its vector int4, answers int4; by quizId
    "vectors"      bytea  NOT NULL,  -- float8 of all results, in their order
    "answers"      bytea  NOT NULL,  -- (hash of question, hash of answer) int8 pairs of all results, in their order
    "received"     bytea  NOT NULL,  -- averages of the four ratings float8, their count int8; empty: none
    "given"        bytea  NOT NULL,  -- averages of the four ratings float8; empty: none
    "viewerHash"   bigint NOT NULL,  -- of what is read of a viewer
    "targetHash"   bigint            -- of what is read of a target; NULL: it is none, for its profile is deleted
);

-- "Why do we suit each other": the same rows with their reasons as json. The weights are those of the code.
CREATE OR REPLACE VIEW "UserCompatibilityExplained" AS
SELECT c."viewerUserId", c."targetUserId", c."status", c."score",
       jsonb_build_object(
           'components', jsonb_build_object(
               'quiz', c."scoreQuiz", 'interests', c."scoreInterests",
               'ratingQuality', c."scoreRatingsQuality", 'ratingFit', c."scoreRatingsFit"),
           'weights', jsonb_build_object('quiz', 0.45, 'interests', 0.25, 'ratingQuality', 0.10, 'ratingFit', 0.20),
           'sharedInterests', COALESCE((
               SELECT jsonb_agg(s."key" || ':' || i."key" ORDER BY shared."position")
               FROM unnest(c."sharedInterestIds") WITH ORDINALITY AS shared ("id", "position")
               JOIN "Interest" i ON i."id" = shared."id"
               JOIN "InterestSubject" s ON s."id" = i."subjectId"), '[]'::jsonb),
           'sharedInterestCount', c."sharedInterestCount",
           'ratings', jsonb_build_object(
               'count', c."ratingCount", 'attractive', c."avgAttractive", 'smart', c."avgSmart",
               'funny', c."avgFunny", 'interesting', c."avgInteresting")
       ) AS "reasons",
       c."algorithmVersion", c."computedAt"
FROM "UserCompatibility" c;
