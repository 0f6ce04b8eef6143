-- _DELETE_ROWS
DELETE FROM "MatchScore" WHERE "userId" = ANY(%(ids)s);

-- _COPY_ROWS
COPY "MatchScore" ("userId", "candidateUserId", "score", "scoreQuiz", "scoreInterests", "scoreRatingsQuality", "scoreRatingsFit", "scoreNew", "scoreNearby", "distanceKm", "avgAttractive", "avgSmart", "avgFunny", "avgInteresting", "ratingCount", "rank", "sharedInterestCount", "commonTraits", "viewerTraits", "candidateTraits", "tier", "genderOk", "ageOk", "distanceOk", "scoredAt", "algorithmVersion", "sharedInterestIds") FROM STDIN (FORMAT BINARY);

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
