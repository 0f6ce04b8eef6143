"""trending: posts that draw likes now. Scores fall as posts age, so every run computes all of them."""

import math
from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.feed import losses
from sitejobs.feed.options import TRENDING, TrendingOptions
from sitejobs.feed.sources import IS_VISIBLE
from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import KeyedJob, Keys, Parameters
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.postgres.values import of_later_run

YOUNGEST_HOURS = 1 / 60
"""Least age that a velocity is computed with: otherwise the first like of a new post would give a huge one."""

# Posts and likes after the run's start belong to the next run, so that a page that runs twice finds the same.
_IN_WINDOW: Final[LiteralString] = """
BETWEEN %(now)s::timestamptz - make_interval(hours => %(windowHours)s::int) AND %(now)s::timestamptz
"""
# ORDER BY "id" + 0 keeps PostgreSQL from walking old posts by id until it has met enough recent ones.
KNOWN: Final[LiteralString] = f"""
SELECT "id" FROM (
    (SELECT "id" FROM "Post" WHERE "id" BETWEEN %(first)s AND %(last)s AND "createdAt" {_IN_WINDOW}
     ORDER BY "id" + 0 LIMIT %(limit)s)
    UNION
    (SELECT "postId" FROM "TrendingScore" WHERE "postId" BETWEEN %(first)s AND %(last)s
     ORDER BY "postId" LIMIT %(limit)s)
) AS known ORDER BY "id" LIMIT %(limit)s
"""
"""Posts of a key range that are within the window or have a stored score."""

COUNT_POSTS: Final[LiteralString] = f'SELECT count(*) FROM "Post" WHERE "createdAt" {_IN_WINDOW}'
"""Counts the posts within the window."""

READ_POSTS: Final[LiteralString] = f"""
SELECT k."id", CASE
    WHEN p."id" IS NULL OR author."id" IS NULL THEN 'deleted'
    WHEN p."visibility"::text IS DISTINCT FROM 'PUBLIC' THEN 'private'
    WHEN NOT author."visible" THEN 'author-hidden'
    WHEN (p."createdAt" {_IN_WINDOW}) IS NOT TRUE THEN 'out-of-window'
    WHEN likes."count" < %(minEngagements)s THEN 'few-likes'
    END AS "reason",
    likes."count",
    CASE WHEN p."createdAt" {_IN_WINDOW}
         THEN extract(epoch FROM %(now)s::timestamptz - p."createdAt")::float8 / 3600 END AS "age"
FROM unnest(%(keys)s::bigint[]) AS k ("id")
LEFT JOIN "Post" p ON p."id" = k."id" AND p."deletedAt" IS NULL
LEFT JOIN LATERAL (
    SELECT a."id", EXISTS (SELECT FROM "Profile" c WHERE c."userId" = a."id" AND {IS_VISIBLE}) AS "visible"
    FROM "User" a WHERE a."id" = p."userId" AND a."deletedAt" IS NULL
) AS author ON true
LEFT JOIN LATERAL (
    SELECT count(DISTINCT l."userId") FROM "LikedPost" l
    JOIN "User" liker ON liker."id" = l."userId" AND liker."deletedAt" IS NULL
    WHERE l."postId" = p."id" AND l."userId" <> p."userId" AND l."createdAt" {_IN_WINDOW}
) AS likes ON true
ORDER BY k."id"
"""
"""Reads likes and age (hours) of posts, with the reason of each that does not trend."""

# Rows of a later run stay, here and in `WRITE_SCORES`: of two runs, the one that started later wins.
REMOVE_SCORES: Final[LiteralString] = f"""
DELETE FROM "TrendingScore"
WHERE "postId" = ANY(%(keys)s) AND NOT {of_later_run('"computedAt"')}
  AND ("expiresAt" <= %(now)s OR NOT "postId" = ANY(%(posts)s))
"""
"""Removes expired scores, and those of posts that no longer trend."""

# A peak in the future comes from a wrong clock and is replaced.
WRITE_SCORES: Final[LiteralString] = f"""
INSERT INTO "TrendingScore" AS t
    ("postId", "popularity", "velocity", "peakVelocity", "peakTime", "computedAt", "expiresAt")
SELECT "postId", "popularity", "velocity", "velocity", %(now)s, %(now)s,
       %(now)s::timestamptz + make_interval(hours => %(expiryHours)s::int)
FROM unnest(%(posts)s::bigint[], %(popularities)s::float8[], %(velocities)s::float8[])
    AS new ("postId", "popularity", "velocity")
ORDER BY "postId"
ON CONFLICT ("postId") DO UPDATE
SET "popularity" = EXCLUDED."popularity", "velocity" = EXCLUDED."velocity",
    "peakVelocity" = CASE WHEN t."peakTime" > clock_timestamp() THEN EXCLUDED."velocity"
        ELSE greatest(t."peakVelocity", EXCLUDED."velocity") END,
    "peakTime" = CASE WHEN EXCLUDED."velocity" > t."peakVelocity" OR t."peakTime" > clock_timestamp()
        THEN EXCLUDED."peakTime" ELSE t."peakTime" END,
    "computedAt" = EXCLUDED."computedAt", "expiresAt" = EXCLUDED."expiresAt"
WHERE NOT {of_later_run('t."computedAt"')}
  AND (t."popularity", t."velocity", t."expiresAt")
      IS DISTINCT FROM (EXCLUDED."popularity", EXCLUDED."velocity", EXCLUDED."expiresAt")
"""
"""Stores the scores that differ from the stored ones, and moves their peaks."""


def popularity_of(likes: int, age_hours: float) -> float:
    """likes / ln(2 + age in hours), at most the likes."""
    return min(likes / math.log(2 + age_hours), float(likes))


def velocity_of(likes: int, age_hours: float) -> float:
    """Likes an hour since the post was made."""
    return likes / max(age_hours, YOUNGEST_HOURS)


def _parameters(options: TrendingOptions, environment: Mapping[str, str]) -> Parameters:
    return {
        "windowHours": options.window_hours,
        "minEngagements": options.min_engagements,
        "expiryHours": options.expiry_hours,
    }


def refresh(connection: Connection, keys: list[int], parameters: Parameters) -> PageSummary:
    """Score these posts; remove the scores of those that no longer trend or have expired."""
    rows = connection.execute(READ_POSTS, {**parameters, "keys": keys}).fetchall()
    trending = [(post, likes, age) for post, reason, likes, age in rows if reason is None]
    new = {
        "posts": [post for post, _, _ in trending],
        "popularities": [popularity_of(likes, age) for _, likes, age in trending],
        "velocities": [velocity_of(likes, age) for _, likes, age in trending],
    }
    connection.execute(REMOVE_SCORES, {**parameters, **new, "keys": keys})
    written = connection.execute(WRITE_SCORES, {**parameters, **new}).rowcount
    summary = PageSummary(processed=len(keys), written=written)
    for _, reason, _, _ in rows:
        if reason is not None:
            summary.skip(SkipReason(reason))
    summary.skip(SkipReason.UNCHANGED, len(trending) - written)
    return summary


JOB = KeyedJob(TRENDING, Keys(KNOWN, KNOWN, COUNT_POSTS, losses.TRENDING), refresh, parameters=_parameters, noun="post")
