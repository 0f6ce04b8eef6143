"""A dry run of feed-presort: a page's new feeds beside the stored ones, in a transaction that cannot write."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.feed.feeds import Page
from sitejobs.feed.items import Key, items_of
from sitejobs.feed.rules import KIND_OF
from sitejobs.jobs.comparison import compare

READ_ONLY: Final[LiteralString] = """SET TRANSACTION READ ONLY"""

_READ_STORED: Final[LiteralString] = """
SELECT s."userId", s."presentation", s."id" FROM (
    SELECT f."userId", f."segmentIndex", f."presentation", f."id" FROM "FeedSegment" f
    WHERE f."userId" = ANY(%(users)s)
    UNION ALL
    SELECT o."userId", o."segmentIndex",
           ARRAY(SELECT i."item" ->> 'presentation' FROM jsonb_array_elements(o."items") WITH ORDINALITY
                 AS i ("item", "place") ORDER BY i."place"),
           ARRAY(SELECT (i."item" ->> 'id')::bigint FROM jsonb_array_elements(o."items") WITH ORDINALITY
                 AS i ("item", "place") ORDER BY i."place")
    FROM "FeedPresortedRow" o WHERE o."userId" = ANY(%(users)s)
) AS s ORDER BY s."userId", s."segmentIndex"
"""
"""Reads the cards of these users' stored segments, first to last; those of before cards were stored apart, too."""


def compare_feeds(connection: Connection, users: Sequence[int], page: Page | None) -> Counter[str]:
    """Compare the feeds of these users with the stored ones; who is not in `page` has no feed any more."""
    stored: dict[int, list[Key]] = defaultdict(list)
    for user, presentations, ids in connection.execute(_READ_STORED, {"users": list(users)}):
        stored[user] += [(KIND_OF[it], id_) for it, id_ in zip(presentations, ids, strict=True)]
    new = {} if page is None else _feeds_of(page)
    counts: Counter[str] = Counter()
    for user in users:
        counts.update(compare(stored.get(user, ()), new.get(user, ())))
    counts["written"] = 0 if page is None else sum(len(feed.segments) for feed in page.feeds)
    return counts


def _feeds_of(page: Page) -> dict[int, list[Key]]:
    """Kind and id of the cards of each feed, first to last."""
    items = items_of(page)
    cards = list(zip(map(KIND_OF.__getitem__, items.presentations), items.ids.tolist(), strict=True))
    feeds, start = {}, 0
    for feed in page.feeds:
        size = sum(map(len, feed.segments))
        feeds[feed.user] = cards[start : start + size]
        start += size
    return feeds
