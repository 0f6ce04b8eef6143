-- _READ_BY_ID
SELECT "id", "parameters" FROM "MatchModel" WHERE "id" = %(id)s;

-- _READ_MODEL
SELECT "id", "parameters" FROM "MatchModel" WHERE "status" = ANY (%(statuses)s) ORDER BY "status", "id" DESC LIMIT 1;
