"""Which stored feeds are still what a run would store: a hash of all that they rest on, compared with the one stored.

Timestamps are not trusted, and removals are seen too. What all feeds share (rules, public posts, questions) is hashed
once; only where that is the same are the users' own inputs looked at.
"""

from typing import LiteralString

from sitejobs.feed.sources import (
    ANSWERED,
    BLOCKED,
    DISLIKED,
    IS_SCORE,
    MATCHES,
    NEWEST_PEOPLE,
    OWN_AND_FOLLOWED_POSTS,
    PERSON,
    PUBLIC_POSTS,
    QUESTIONS,
)
from sitejobs.postgres.values import of_later_run

SHARED: LiteralString = f"""
SELECT hashtextextended(concat(%(settings)s::text, '|',
    (SELECT sum(hashtextextended(post::text, 0)) FROM ({PUBLIC_POSTS}) AS post), '|',
    (SELECT string_agg(question::text, '|') FROM ({QUESTIONS}) AS question)), 0) AS "hash"
"""
"""Hash of what all feeds rest on."""

NEWEST: LiteralString = f"""
SELECT COALESCE(sum(hashtextextended(newest."id"::text, 0)), 0) AS "hash" FROM ({NEWEST_PEOPLE}) AS newest
"""

FINGERPRINT: LiteralString = f"""
hashtextextended(concat(
    (SELECT sum(hashtextextended(o."other"::text, 0)) FROM ({BLOCKED}) AS o), '|',
    (SELECT sum(hashtextextended(o."other"::text, 0)) FROM ({DISLIKED}) AS o), '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM ({MATCHES}) AS o), '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM ({OWN_AND_FOLLOWED_POSTS}) AS o), '|',
    (SELECT sum(hashtextextended(o."question", 0)) FROM ({ANSWERED}) AS o), '|',
    (SELECT o::text FROM "UserAffinityProfile" o WHERE o."userId" = k."userId"), '|',
    (SELECT o::text FROM "MatchScoreViewer" o WHERE o."userId" = k."userId"), '|',
    CASE WHEN NOT EXISTS (SELECT FROM "MatchScore" m WHERE m."userId" = k."userId" AND {IS_SCORE})
         THEN (SELECT "hash" FROM newest) END, '|',
    (SELECT sum(hashtextextended(o::text, 0)) FROM ({PERSON} AND a."id" = ANY(k."people")) AS o)), 0)
"""
"""Hash of what the feed of `k."userId"` rests on beside that, given `k."people"`; `newest` as in `NEWEST`."""

# A feed is renewed once half its time is over: no reader finds an expired one as long as runs come that often.
STALE: LiteralString = f"""
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
"""Users of a range whose feed is missing, or not what a run would store."""
