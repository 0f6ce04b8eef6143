-- Who may be found, and why others may not: one row a user, written by searchable-user.
-- No foreign key: "User" may be a view in the site's own schema.
CREATE TABLE IF NOT EXISTS "SearchableUser" (
    "userId"       bigint      PRIMARY KEY,
    "isVisible"    boolean     NOT NULL, -- there is a profile, and it is shown
    "isDeleted"    boolean     NOT NULL, -- the user or the profile
    "completeness" real        NOT NULL CHECK ("completeness" BETWEEN 0 AND 1),
    "isSearchable" boolean     NOT NULL,
    "reasons"      text[]      NOT NULL, -- why not: empty for whoever is searchable
    "missing"      text[]      NOT NULL, -- what the profile lacks of the fields that completeness counts
    "updatedAt"    timestamptz NOT NULL DEFAULT now(), -- start of the run that last changed the row
    CHECK ("isSearchable" = ("reasons" = '{}'))
);
