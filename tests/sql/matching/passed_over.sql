-- count_passed_over: unreadable-ratings
        SELECT count(*) FROM "ProfileRating" r WHERE (r."raterProfileId" IS NOT NULL AND r."targetProfileId" IS NOT NULL
    AND r."attractive" BETWEEN 1 AND 5 AND r."smart" BETWEEN 1 AND 5
    AND r."funny" BETWEEN 1 AND 5 AND r."interesting" BETWEEN 1 AND 5) IS NOT TRUE
          AND (%(user_id)s::bigint IS NULL
               OR r."targetProfileId" IN (SELECT "id" FROM "Profile" WHERE "userId" = %(user_id)s)
               OR r."raterProfileId" IN (SELECT "id" FROM "Profile" WHERE "userId" = %(user_id)s));

-- count_passed_over: unreadable-interests
        SELECT count(*) FROM "UserInterest"
        WHERE ("userId" IS NULL OR "subjectId" IS NULL OR "interestId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR "userId" = %(user_id)s);

-- count_passed_over: unreadable-quiz-results
        SELECT count(*) FROM "QuizResult"
        WHERE ("userId" IS NULL OR "quizId" IS NULL) AND (%(user_id)s::bigint IS NULL OR "userId" = %(user_id)s);

-- count_passed_over: unreadable-blocks
        SELECT count(*) FROM "UserBlock"
        WHERE ("blockerId" IS NULL OR "blockedId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("blockerId", "blockedId"));

-- count_passed_over: unreadable-matches
        SELECT count(*) FROM "Match"
        WHERE ("userAId" IS NULL OR "userBId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("userAId", "userBId"));

-- count_passed_over: unreadable-conversations
        SELECT count(*) FROM "Conversation"
        WHERE ("userAId" IS NULL OR "userBId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("userAId", "userBId"));

-- count_passed_over: unreadable-likes
        SELECT count(*) FROM "Like"
        WHERE ("fromUserId" IS NULL OR "toUserId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("fromUserId", "toUserId"));

-- count_passed_over: unreadable-traits
        SELECT count(*) FROM "UserTrait"
        WHERE "value" = 'NaN' AND (%(user_id)s::bigint IS NULL OR "userId" = %(user_id)s);

-- count_passed_over: unreadable-accesses
        SELECT count(*) FROM "ProfileAccess"
        WHERE ("ownerUserId" IS NULL OR "viewerUserId" IS NULL)
          AND (%(user_id)s::bigint IS NULL OR %(user_id)s IN ("ownerUserId", "viewerUserId"));
