-- _FORGET_OWN
DELETE FROM "MatchModel" WHERE "runId" = %(run_id)s;

-- _FORGET_OLD
DELETE FROM "UserMatchEffect" WHERE "modelId" NOT IN (
    SELECT "id" FROM "MatchModel" WHERE "status" = 'active'
    UNION ALL
    (SELECT "id" FROM "MatchModel" ORDER BY "id" DESC LIMIT %(kept)s));

-- _RETIRE
UPDATE "MatchModel" SET "status" = 'candidate' WHERE "status" = 'active' AND "id" <> %(id)s;

-- _COPY_EFFECTS
COPY "UserMatchEffect" ("modelId", "userId", "selectivity", "appeal", "price", "trainedSelectivity", "trainedAppeal", "fingerprint") FROM STDIN (FORMAT BINARY);

-- _INSERT
INSERT INTO "MatchModel" ("runId", "status", "trainedAt", "trainedThrough", "decisions", "parameters", "figures",
                          "reasons")
VALUES (%(run_id)s, %(status)s, %(trained_at)s, %(trained_through)s, %(decisions)s, %(parameters)s, %(figures)s,
        %(reasons)s)
RETURNING "id";
