"""content-features: what each post is about, and how much it offers."""

from collections.abc import Mapping
from typing import LiteralString

from psycopg import Connection

from sitejobs.feed import losses
from sitejobs.feed.media import MEDIA_COUNT
from sitejobs.feed.options import CONTENT_FEATURES, ContentFeaturesOptions
from sitejobs.feed.topics import topics_of
from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import KeyedJob, Keys, Parameters
from sitejobs.postgres.values import AFTER_ALL_TIMES

RULES = 2
"""Raised whenever the same post would get other features: an incremental run then computes all of them anew."""

FULL_LENGTH = 280
"""Characters of a text from which on a longer one is no better."""

FULL_MEDIA = 4
TEXT_WEIGHT, MEDIA_WEIGHT = 0.6, 0.4

# What the features of a post `p` follow from.
_FINGERPRINT: LiteralString = f"""
hashtextextended(concat_ws('|', %(rules)s::int, %(maxTopics)s::int, least({MEDIA_COUNT}, {FULL_MEDIA}), p."text"), 0)
"""
_RECENT: LiteralString = f"""
"createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int) AND "createdAt" < {AFTER_ALL_TIMES}
"""
_LIVE_POSTS: LiteralString = f"""
SELECT p."id", p."text" FROM "Post" p
WHERE p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL AND %(days)s::int = 0
UNION ALL
SELECT p."id", p."text" FROM "Post" p
WHERE p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL
  AND {_RECENT} AND %(days)s::int > 0
"""
# Features of posts that are gone; those of posts older than the lookback stay. The range stands at each table, or the
# planner reads the other whole.
_VANISHED: LiteralString = """
SELECT f."postId" AS "id" FROM "PostFeatures" f
WHERE f."postId" BETWEEN %(first)s AND %(last)s
  AND NOT EXISTS (
      SELECT FROM "Post" p
      WHERE p."id" = f."postId" AND p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL)
"""
# Adding 0 keeps PostgreSQL from walking all old posts by id until it has met enough recent ones; what has vanished is
# looked for only as far as the posts reach, so that a Plan of many chapters reads the stored rows once.
KNOWN: LiteralString = f"""
WITH live AS MATERIALIZED (
    (SELECT "id" FROM "Post"
     WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL AND %(days)s::int = 0
     ORDER BY "id" LIMIT %(limit)s)
    UNION ALL
    (SELECT "id" FROM "Post"
     WHERE "id" BETWEEN %(first)s AND %(last)s AND "deletedAt" IS NULL AND %(days)s::int > 0
       AND {_RECENT}
     ORDER BY "id" + 0 LIMIT %(limit)s)
)
SELECT "id" FROM (
    SELECT "id" FROM live
    UNION ALL
    ({_VANISHED}
     AND f."postId" <= (SELECT CASE WHEN count(*) = %(limit)s::bigint THEN max("id") ELSE %(last)s END FROM live))
) AS known ORDER BY "id" LIMIT %(limit)s
"""
STALE: LiteralString = f"""
SELECT p."id" FROM ({_LIVE_POSTS}) AS p
LEFT JOIN "PostFeatures" f ON f."postId" = p."id" AND f."postId" BETWEEN %(first)s AND %(last)s
WHERE f."fingerprint" IS DISTINCT FROM {_FINGERPRINT}
UNION ALL
({_VANISHED})
ORDER BY 1
"""
COUNT: LiteralString = f"""
SELECT CASE WHEN %(days)s::int = 0 THEN (SELECT count(*) FROM "Post" WHERE "deletedAt" IS NULL) ELSE
    (SELECT count(*) FROM "Post" WHERE "deletedAt" IS NULL AND {_RECENT}) END
"""

READ: LiteralString = f"""
SELECT p."id", COALESCE(p."text", ''), {MEDIA_COUNT} AS "media", {_FINGERPRINT} AS "fingerprint"
FROM "Post" p WHERE p."id" = ANY(%(keys)s) AND p."deletedAt" IS NULL
ORDER BY p."id"
"""
# Topics hold no blanks, so a row's topics travel as one text.
WRITE: LiteralString = """
INSERT INTO "PostFeatures" AS f ("postId", "topics", "quality", "computedAt", "fingerprint")
SELECT "postId", string_to_array("topics", ' '), "quality", %(now)s, "fingerprint"
FROM unnest(%(posts)s::bigint[], %(topics)s::text[], %(qualities)s::float8[], %(fingerprints)s::bigint[])
    AS new ("postId", "topics", "quality", "fingerprint")
ORDER BY "postId"
ON CONFLICT ("postId") DO UPDATE
SET "topics" = EXCLUDED."topics", "quality" = EXCLUDED."quality", "computedAt" = EXCLUDED."computedAt",
    "fingerprint" = EXCLUDED."fingerprint"
WHERE (f."topics", f."quality", f."fingerprint")
    IS DISTINCT FROM (EXCLUDED."topics", EXCLUDED."quality", EXCLUDED."fingerprint")
"""
REMOVE: LiteralString = """DELETE FROM "PostFeatures" WHERE "postId" = ANY(%(gone)s)"""


def quality_of(text: str, media: int) -> float:
    """How much a post offers, 0 to 1: the length of its trimmed text, and the number of its media."""
    length = min(len(text.strip()) / FULL_LENGTH, 1)
    return TEXT_WEIGHT * length + MEDIA_WEIGHT * min(media / FULL_MEDIA, 1)


def _parameters(options: ContentFeaturesOptions, environment: Mapping[str, str]) -> Parameters:
    """A post that is asked for by its id is computed whatever its age."""
    days = 0 if options.post_id is not None else options.max_lookback_days
    return {"days": days, "maxTopics": options.max_topics, "rules": RULES}


def refresh(connection: Connection, keys: list[int], values: Parameters) -> PageSummary:
    """Compute and write the features of some posts, and remove those of posts that are gone."""
    rows = connection.execute(READ, {**values, "keys": keys}).fetchall()
    new = {
        "posts": [post for post, *_ in rows],
        "topics": [" ".join(topics_of(text, values["maxTopics"])) for _, text, *_ in rows],
        "qualities": [quality_of(text, media) for _, text, media, _ in rows],
        "fingerprints": [fingerprint for *_, fingerprint in rows],
    }
    written = connection.execute(WRITE, {**values, **new}).rowcount
    gone = sorted(set(keys).difference(new["posts"]))
    if gone:
        connection.execute(REMOVE, {"gone": gone})
    summary = PageSummary(processed=len(keys), written=written)
    summary.skip("unchanged", len(rows) - written)
    summary.skip("deleted", len(gone))
    return summary


JOB = KeyedJob(
    CONTENT_FEATURES,
    Keys(KNOWN, STALE, COUNT, losses.FEATURES),
    refresh,
    parameters=_parameters,
    noun="post",
    only="post_id",
)
