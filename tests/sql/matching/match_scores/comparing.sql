-- _READ_ONLY
SET TRANSACTION READ ONLY;

-- _READ_STORED
SELECT m."userId", m."candidateUserId" FROM "MatchCandidates" m WHERE m."userId" = ANY(%(ids)s);
