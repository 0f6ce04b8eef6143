-- _DELETE_LISTS
DELETE FROM "MatchList" WHERE "userId" = ANY(%(ids)s);

-- _DELETE_CHANGES
DELETE FROM "MatchListChange" WHERE "userId" = ANY(%(ids)s);

-- _DOUBT_OTHER_LISTS
UPDATE "MatchScoreViewer" v SET "provisional" = true FROM "MatchListChange" c
WHERE v."userId" = ANY(%(ids)s) AND c."userId" = v."userId" AND NOT EXISTS (
    SELECT FROM "MatchList" l WHERE l."userId" = c."userId" AND l."scoredAt" = c."listScoredAt");

-- _COPY_LISTS
COPY "MatchList" ("userId", "scoredAt", "algorithmVersion", "fingerprint", "viewerTraits", "tierA", "score", "newCode", "candidateUserId", "ratingCount", "sharedInterestCount", "commonTraits", "candidateTraits", "quizCode", "interestsCode", "ratingsFitCode", "nearbyCode", "attractiveHalves", "smartHalves", "funnyHalves", "interestingHalves", "avgAttractive", "avgSmart", "avgFunny", "avgInteresting", "distanceKm", "sharedInterestId1", "sharedInterestId2", "sharedInterestId3", "sharedInterestId4", "sharedInterestId5", "genderOk", "ageOk", "distanceOk", "scoreLike", "scoreBack", "spareUserId", "spareScore", "spareTierA") FROM STDIN (FORMAT BINARY);

-- _COPY_CHANGES
COPY "MatchListChange" ("userId", "listScoredAt", "scoredAt", "tierA", "rank", "candidateUserId", "score", "parts", "counts", "sharedInterestIds") FROM STDIN (FORMAT BINARY);

-- _READ_STORED
SELECT l."userId", l."fingerprint", l."score" || l."spareScore" AS "score" FROM "MatchList" l
WHERE l."userId" = ANY(%(ids)s) AND l."scoredAt" <= %(scored_at)s AND NOT EXISTS (
    SELECT FROM "MatchListChange" c WHERE c."userId" = l."userId" AND c."listScoredAt" = l."scoredAt");

-- _CLAIM_VIEWERS
INSERT INTO "MatchScoreViewer" AS stored
    ("userId", "scoredAt", "algorithmVersion", "rows", "skipped", "provisional")
SELECT given."id", %(scored_at)s, %(version)s, given."rows", given."skipped", given."provisional"
FROM unnest(%(ids)s::bigint[], %(rows)s::smallint[], %(skipped)s::text[], %(provisional)s::boolean[])
    AS given ("id", "rows", "skipped", "provisional")
ORDER BY given."id"
ON CONFLICT ("userId") DO UPDATE SET "scoredAt" = excluded."scoredAt",
    "algorithmVersion" = excluded."algorithmVersion", "rows" = excluded."rows", "skipped" = excluded."skipped",
    "provisional" = excluded."provisional"
WHERE stored."scoredAt" <= excluded."scoredAt" OR stored."scoredAt" > clock_timestamp()
RETURNING stored."userId";
