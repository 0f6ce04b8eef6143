"""Finds stale feeds: the hash of a feed's inputs is compared with the stored one.

Timestamps are not trusted, and removals are seen too. Inputs of all feeds (rules, public posts, questions) are hashed
once a statement; a user's own inputs are hashed only where that hash is equal.
"""

from typing import Final, LiteralString

from sitejobs.feed.sources import (
    ANSWERED,
    BLOCKED,
    DISLIKED,
    HAS_SCORES,
    MATCHES,
    NEWEST_PEOPLE,
    OWN_AND_FOLLOWED_POSTS,
    PERSON,
    PUBLIC_POSTS,
    QUESTIONS,
)
from sitejobs.postgres.values import of_later_run

SHARED: Final[LiteralString] = f"""
SELECT hashtextextended(concat(%(settings)s::text, '|',
    (SELECT sum(hashtextextended(post::text, 0)) FROM ({PUBLIC_POSTS}) AS post), '|',
    (SELECT string_agg(question::text, '|') FROM ({QUESTIONS}) AS question)), 0) AS "hash"
"""
"""Hash of the inputs that all feeds share."""

NEWEST: Final[LiteralString] = f"""
SELECT COALESCE(sum(hashtextextended(newest."id"::text, 0)), 0) AS "hash" FROM ({NEWEST_PEOPLE}) AS newest
"""
"""Hash of the newest people, who are suggested to users without match scores."""

FINGERPRINT: Final[LiteralString] = f"""
hashtextextended(concat(
    (SELECT sum(hashtextextended(o."other"::text, 0)) FROM ({BLOCKED}) AS o), '|',
    (SELECT sum(hashtextextended(o."other"::text, 0)) FROM ({DISLIKED}) AS o), '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM ({MATCHES}) AS o), '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM ({OWN_AND_FOLLOWED_POSTS}) AS o), '|',
    (SELECT sum(hashtextextended(o."question", 0)) FROM ({ANSWERED}) AS o), '|',
    (SELECT o::text FROM "UserAffinityProfile" o WHERE o."userId" = k."userId"), '|',
    (SELECT o."scoredAt" FROM "MatchCandidates" o WHERE o."userId" = k."userId"), '|',
    CASE WHEN NOT EXISTS ({HAS_SCORES})
         THEN (SELECT "hash" FROM newest) END, '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM ({PERSON} AND a."id" = ANY(k."people")) AS o)), 0)
"""
"""Hash of the other inputs of the feed of `k."userId"`, given `k."people"`; `newest` is a table of `NEWEST`."""

# A feed is renewed once half its time to live is over, so that no reader finds an expired one between runs.
STALE: Final[LiteralString] = f"""
WITH shared AS MATERIALIZED ({SHARED}),
newest AS MATERIALIZED ({NEWEST}),
here AS (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL),
stored AS (SELECT * FROM "FeedPresortedUser" WHERE "userId" BETWEEN %(first)s AND %(last)s)
SELECT COALESCE(here."id", k."userId") AS "id" FROM here FULL JOIN stored k ON k."userId" = here."id"
WHERE CASE
    WHEN here."id" IS NULL OR k."userId" IS NULL THEN true
    WHEN {of_later_run('k."computedAt"')} THEN false
    WHEN k."computedAt" > %(now)s THEN true
    WHEN k."shared" <> (SELECT "hash" FROM shared) OR k."fingerprint" IS NULL THEN true
    WHEN k."computedAt" <= %(now)s::timestamptz - make_interval(secs => %(ttlMinutes)s::int * 30) THEN true
    ELSE k."fingerprint" <> {FINGERPRINT} END
ORDER BY 1
"""
"""Users of a key range whose feed is missing, due for renewal, or differs from what a run would store."""
