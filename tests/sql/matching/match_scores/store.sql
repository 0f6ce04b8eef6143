-- _DELETE_LISTS
DELETE FROM "MatchList" WHERE "userId" = ANY(%(ids)s);

-- _COPY_LISTS
COPY "MatchList" ("userId", "scoredAt", "algorithmVersion", "fingerprint", "viewerTraits", "tierA", "candidateUserId", "scoreQuiz", "scoreInterests", "scoreRatingsQuality", "scoreRatingsFit", "scoreNearby", "distanceKm", "avgAttractive", "avgSmart", "avgFunny", "avgInteresting", "ratingCount", "sharedInterestCount", "commonTraits", "candidateTraits", "genderOk", "ageOk", "distanceOk", "sharedInterestId1", "sharedInterestId2", "sharedInterestId3", "sharedInterestId4", "sharedInterestId5", "score", "scoreNew") FROM STDIN (FORMAT BINARY);

-- _READ_STORED
SELECT "userId", "fingerprint", "score" FROM "MatchList" WHERE "userId" = ANY(%(ids)s) AND "scoredAt" <= %(scored_at)s;

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
