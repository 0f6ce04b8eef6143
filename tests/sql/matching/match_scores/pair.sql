-- _READ_RANK
SELECT COALESCE(array_position("candidateUserId", %(candidate)s::bigint), 0), cardinality("candidateUserId")
FROM "MatchCandidates" WHERE "userId" = %(viewer)s;
