"""content-features: topics and quality of each post."""

from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.feed import losses
from sitejobs.feed.media import MEDIA_COUNT
from sitejobs.feed.options import CONTENT_FEATURES, ContentFeaturesOptions
from sitejobs.feed.topics import topics_of
from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import KeyedJob, Keys, Parameters
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.postgres.values import AFTER_ALL_TIMES

RULES = 2
"""Part of every fingerprint. Raise it when the same post would get other features: all are then computed anew."""

FULL_LENGTH = 280
"""Characters of a text at which its part of the quality is full."""

FULL_MEDIA = 4
"""Media of a post at which their part of the quality is full."""

TEXT_WEIGHT, MEDIA_WEIGHT = 0.6, 0.4

# Hash of everything that the features of a post `p` are computed from.
_FINGERPRINT: Final[LiteralString] = f"""
hashtextextended(concat_ws('|', %(rules)s::int, %(maxTopics)s::int, least({MEDIA_COUNT}, {FULL_MEDIA}), p."text"), 0)
"""
_RECENT: Final[LiteralString] = f"""
"createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int) AND "createdAt" < {AFTER_ALL_TIMES}
"""
_LIVE_POSTS: Final[LiteralString] = f"""
SELECT p."id", p."text" FROM "Post" p
WHERE p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL AND %(days)s::int = 0
UNION ALL
SELECT p."id", p."text" FROM "Post" p
WHERE p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL
  AND {_RECENT} AND %(days)s::int > 0
"""
# Features of deleted posts; those of posts older than the lookback stay. The key range is a condition on both tables,
# since the planner would read the other one whole.
_VANISHED: Final[LiteralString] = """
SELECT f."postId" AS "id" FROM "PostFeatures" f
WHERE f."postId" BETWEEN %(first)s AND %(last)s
  AND NOT EXISTS (
      SELECT FROM "Post" p
      WHERE p."id" = f."postId" AND p."id" BETWEEN %(first)s AND %(last)s AND p."deletedAt" IS NULL)
"""
# ORDER BY "id" + 0 keeps PostgreSQL from walking old posts by id until it has met enough recent ones. Deleted posts are
# looked for only up to the last live one, so that a Plan of many chapters reads the stored rows once.
KNOWN: Final[LiteralString] = f"""
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
"""Posts of a key range within the lookback, and deleted posts that have features."""

STALE: Final[LiteralString] = f"""
SELECT p."id" FROM ({_LIVE_POSTS}) AS p
LEFT JOIN "PostFeatures" f ON f."postId" = p."id" AND f."postId" BETWEEN %(first)s AND %(last)s
WHERE f."fingerprint" IS DISTINCT FROM {_FINGERPRINT}
UNION ALL
({_VANISHED})
ORDER BY 1
"""
"""Posts of a key range whose stored features are missing, outdated or to be removed."""

COUNT_POSTS: Final[LiteralString] = f"""
SELECT CASE WHEN %(days)s::int = 0 THEN (SELECT count(*) FROM "Post" WHERE "deletedAt" IS NULL) ELSE
    (SELECT count(*) FROM "Post" WHERE "deletedAt" IS NULL AND {_RECENT}) END
"""
"""Counts the posts within the lookback."""

READ_POSTS: Final[LiteralString] = f"""
SELECT p."id", COALESCE(p."text", ''), {MEDIA_COUNT} AS "media", {_FINGERPRINT} AS "fingerprint"
FROM "Post" p WHERE p."id" = ANY(%(keys)s) AND p."deletedAt" IS NULL
ORDER BY p."id"
"""
"""Reads what the features of posts are computed from, and its fingerprint."""

# A post's topics are passed as one text: topics hold no blanks.
WRITE_FEATURES: Final[LiteralString] = """
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
"""Stores the features that differ from the stored ones."""

REMOVE_FEATURES: Final[LiteralString] = """DELETE FROM "PostFeatures" WHERE "postId" = ANY(%(gone)s)"""
"""Removes the features of deleted posts."""


def quality_of(text: str, media: int) -> float:
    """Quality from 0 to 1, by the length of the trimmed text and the number of media."""
    length = min(len(text.strip()) / FULL_LENGTH, 1)
    return TEXT_WEIGHT * length + MEDIA_WEIGHT * min(media / FULL_MEDIA, 1)


def _parameters(options: ContentFeaturesOptions, environment: Mapping[str, str]) -> Parameters:
    """With `post_id` there is no lookback: the post is computed whatever its age."""
    days = 0 if options.post_id is not None else options.max_lookback_days
    return {"days": days, "maxTopics": options.max_topics, "rules": RULES}


def refresh(connection: Connection, keys: list[int], parameters: Parameters) -> PageSummary:
    """Write the features of these posts, and remove those of deleted posts."""
    rows = connection.execute(READ_POSTS, {**parameters, "keys": keys}).fetchall()
    new = {
        "posts": [post for post, *_ in rows],
        "topics": [" ".join(topics_of(text, parameters["maxTopics"])) for _, text, *_ in rows],
        "qualities": [quality_of(text, media) for _, text, media, _ in rows],
        "fingerprints": [fingerprint for *_, fingerprint in rows],
    }
    written = connection.execute(WRITE_FEATURES, {**parameters, **new}).rowcount
    gone = sorted(set(keys).difference(new["posts"]))
    if gone:
        connection.execute(REMOVE_FEATURES, {"gone": gone})
    summary = PageSummary(processed=len(keys), written=written)
    summary.skip(SkipReason.UNCHANGED, len(rows) - written)
    summary.skip(SkipReason.DELETED, len(gone))
    return summary


JOB = KeyedJob(
    CONTENT_FEATURES,
    Keys(KNOWN, STALE, COUNT_POSTS, losses.FEATURES),
    refresh,
    parameters=_parameters,
    noun="post",
    only="post_id",
)
