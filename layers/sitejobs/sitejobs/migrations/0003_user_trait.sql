-- What a user's quiz answers say of them: one row a trait, written by build-user-traits.
-- No foreign key: "User" may be a view in the site's own schema.
CREATE TABLE IF NOT EXISTS "UserTrait" (
    "userId"    bigint         NOT NULL,
    "traitKey"  text           NOT NULL,
    "value"     numeric(10, 2) NOT NULL, -- mean of the answers' values, each within -10..10
    "n"         integer        NOT NULL, -- how many answers the mean is of
    "updatedAt" timestamptz    NOT NULL DEFAULT now(),
    PRIMARY KEY ("userId", "traitKey")
);
