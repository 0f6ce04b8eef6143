-- _CAN_READ_RECORD
SELECT COALESCE(has_table_privilege(to_regclass('"SitejobsMigration"'), 'SELECT'), false);

-- _ALL_RECORDED
SELECT "name", "checksum" FROM "SitejobsMigration";

-- _LOCK
SELECT pg_advisory_xact_lock(7305808869243);

-- _CREATE_RECORD
CREATE TABLE IF NOT EXISTS "SitejobsMigration" (
    "name"      text        PRIMARY KEY,
    "checksum"  text        NOT NULL,
    "appliedAt" timestamptz NOT NULL DEFAULT now()
);

-- _RECORD
INSERT INTO "SitejobsMigration" ("name", "checksum") VALUES (%(name)s, %(checksum)s)
ON CONFLICT ("name") DO UPDATE SET "checksum" = excluded."checksum", "appliedAt" = now();

-- _RECORDED
SELECT "checksum" FROM "SitejobsMigration" WHERE "name" = %s;
