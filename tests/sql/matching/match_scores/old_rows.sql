-- _FORGET
SELECT "forgetMatchRows"(%(ids)s);

-- _CAN_DROP
SELECT to_regclass('"MatchScoreRow"') IS NOT NULL AND to_regproc('"dropMatchRows"') IS NOT NULL;

-- _DROP
SELECT "dropMatchRows"();
