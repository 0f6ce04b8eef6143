"""Finds stale feeds: the hash of a feed's inputs is compared with the stored one.

Timestamps are not trusted, and removals are seen too. Inputs of all feeds (rules, questions) are hashed once a
statement; a user's own inputs are hashed only where that hash is equal. Which feeds changed public posts reach has been
found out before: `reach`.
"""

from typing import Final, LiteralString

from sitejobs.feed.sources import (
    ANSWERED,
    BLOCKED,
    DECIDED,
    MATCHES,
    NEWEST_PEOPLE,
    OWN_AND_FOLLOWED_POSTS,
    PERSON,
    PERSON_HASH,
    QUESTIONS,
)
from sitejobs.postgres.values import of_later_run

SHARED: Final[LiteralString] = f"""
SELECT hashtextextended(concat(%(settings)s::text, '|',
    (SELECT string_agg(question::text, '|') FROM ({QUESTIONS}) AS question)), 0) AS "hash"
"""
"""Hash of the inputs that all feeds share, but for the public posts."""

NEWEST: Final[LiteralString] = f"""
SELECT COALESCE(sum(hashtextextended(newest."id"::text, 0)), 0) AS "hash" FROM ({NEWEST_PEOPLE}) AS newest
"""
"""Hash of the newest people, who are suggested to users without match scores."""

FINGERPRINT: Final[LiteralString] = f"""
hashtextextended(concat(
    (SELECT sum(hashtextextended(o."other"::text, 0)) FROM ({BLOCKED}) AS o), '|',
    (SELECT sum(hashtextextended(o."other"::text, 0)) FROM ({DECIDED}) AS o), '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM ({MATCHES}) AS o), '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM ({OWN_AND_FOLLOWED_POSTS}) AS o), '|',
    (SELECT sum(hashtextextended(o."question", 0)) FROM ({ANSWERED}) AS o), '|',
    (SELECT o::text FROM "UserAffinityProfile" o WHERE o."userId" = k."userId"), '|',
    (SELECT o."scoredAt" FROM "MatchCandidates" o WHERE o."userId" = k."userId"), '|',
    CASE WHEN NOT k."scored" THEN (SELECT "hash" FROM newest) END, '|',
    k."peopleSum"), 0)
"""
"""Hash of the other inputs of the feed of `k."userId"`; `newest` is a table of `NEWEST`.

`k."scored"`: whether the user has match scores, which is known of these of `"scoredAt"`.
`k."peopleSum"`: the sum of `PERSON_HASH` of those of the feed's people who are visible.
"""

# A feed is renewed once half its time to live is over, so that no reader finds an expired one between runs.
STALE: Final[LiteralString] = f"""
WITH shared AS MATERIALIZED ({SHARED}),
newest AS MATERIALIZED ({NEWEST}),
here AS (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL),
stored AS MATERIALIZED (
    SELECT s.*, reached."userId" IS NOT NULL AS "reached"
    FROM "FeedPresortedUser" s LEFT JOIN unnest(%(reached)s::bigint[]) AS reached ("userId") USING ("userId")
    WHERE s."userId" BETWEEN %(first)s AND %(last)s
),
-- Of those alone whose own inputs will be looked at. Many users depend on the same people: each is looked up once.
depending AS MATERIALIZED (
    SELECT s."userId", p."id" FROM stored s CROSS JOIN LATERAL unnest(s."people") AS p ("id")
    WHERE s."shared" = (SELECT "hash" FROM shared) AND NOT s."reached"
),
people AS MATERIALIZED (
    SELECT person."id", {PERSON_HASH} AS "hash"
    FROM ({PERSON} AND a."id" IN (SELECT "id" FROM depending)) AS person
),
sums AS MATERIALIZED (
    SELECT d."userId", sum(p."hash") AS "peopleSum" FROM depending d JOIN people p USING ("id") GROUP BY d."userId"
)
SELECT COALESCE(here."id", k."userId") AS "id"
FROM here FULL JOIN (SELECT * FROM stored LEFT JOIN sums USING ("userId")) AS k ON k."userId" = here."id"
WHERE CASE
    WHEN here."id" IS NULL OR k."userId" IS NULL THEN true
    WHEN {of_later_run('k."computedAt"')} THEN false
    WHEN k."computedAt" > %(now)s THEN true
    WHEN k."shared" <> (SELECT "hash" FROM shared) OR k."fingerprint" IS NULL OR k."reached" THEN true
    WHEN k."computedAt" <= %(now)s::timestamptz - make_interval(secs => %(ttlMinutes)s::int * 30) THEN true
    ELSE k."fingerprint" <> {FINGERPRINT} END
ORDER BY 1
"""
"""Users of a key range whose feed is missing, due for renewal, or differs from what a run would store.

%(reached)s: users whose feeds changed public posts reach.
"""
