"""Writes the feeds of a page: the fingerprints (FeedPresortedUser) first, then new cards, then the segments."""

import itertools
import struct
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.feed import cards
from sitejobs.feed.feeds import Feed, Page
from sitejobs.feed.freshness import FINGERPRINT, NEWEST, SHARED
from sitejobs.feed.inputs import read_people
from sitejobs.feed.items import Items, Key, items_of, post_cards, question_cards, suggestion_card
from sitejobs.feed.public_posts import write_set
from sitejobs.feed.shared_cards import Card, hash_of, write_cards
from sitejobs.jobs.keyed import Parameters
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.postgres.copy import COPY_HEADER, COPY_TRAILER, ArrayColumn, Values, field, microseconds, row

# Written before the segments: of two overlapping pages the second one fails here and is retried.
_WRITE_USERS: Final[LiteralString] = f"""
WITH shared AS MATERIALIZED ({SHARED}),
newest AS MATERIALIZED ({NEWEST}),
new AS (
    SELECT "userId", "segments", "people"::bigint[] AS "people", "peopleSum", "posts"::bigint[] AS "posts", "last",
           "scored"
    FROM unnest(%(users)s::bigint[], %(segments)s::smallint[], %(people)s::text[], %(peopleSums)s::text[],
                %(posts)s::text[], %(lasts)s::integer[], %(scored)s::boolean[])
        AS new ("userId", "segments", "people", "peopleSum", "posts", "last", "scored")
)
INSERT INTO "FeedPresortedUser" AS stored
    ("userId", "algorithmVersion", "computedAt", "expiresAt", "segments", "skipped", "shared", "fingerprint", "people",
     "publicPosts", "posts", "scored", "lastScore")
SELECT k."userId", %(version)s, %(now)s, %(now)s::timestamptz + make_interval(mins => %(ttlMinutes)s::int),
       k."segments", CASE WHEN k."segments" = 0 THEN %(nothing)s END, (SELECT "hash" FROM shared), {FINGERPRINT},
       k."people", %(set)s, k."posts", k."scored", k."last"
FROM new k ORDER BY k."userId"
ON CONFLICT ("userId") DO UPDATE
SET "algorithmVersion" = EXCLUDED."algorithmVersion", "computedAt" = EXCLUDED."computedAt",
    "expiresAt" = EXCLUDED."expiresAt", "segments" = EXCLUDED."segments", "skipped" = EXCLUDED."skipped",
    "shared" = EXCLUDED."shared", "fingerprint" = EXCLUDED."fingerprint", "people" = EXCLUDED."people",
    "publicPosts" = EXCLUDED."publicPosts", "posts" = EXCLUDED."posts", "scored" = EXCLUDED."scored",
    "lastScore" = EXCLUDED."lastScore"
"""
"""Stores the fingerprints of feeds, computed from what the page's transaction reads."""

_REMOVE_SEGMENTS: Final[LiteralString] = """DELETE FROM "FeedSegment" WHERE "userId" = ANY(%(users)s)"""
"""Removes the users' stored segments."""

_REMOVE_ROWS: Final[LiteralString] = """DELETE FROM "FeedPresortedRow" WHERE "userId" = ANY(%(users)s)"""
"""Removes the users' segments of before cards were stored apart."""

_COPY_SEGMENTS: Final[LiteralString] = """
COPY "FeedSegment" ("userId", "segmentIndex", "algorithmVersion", "computedAt", "expiresAt", "phase1Json",
                    "presentation", "id", "score", "match", "affinity", "recency", "quality", "trending")
FROM STDIN (FORMAT BINARY)
"""
"""Stores the rows of `_encode`."""

_NULL = struct.pack(">i", -1)
_TEXT = 25  # the type's id


def write_feeds(connection: Connection, page: Page, parameters: Parameters) -> int:
    """Replace all stored segments of the page's users (ascending); returns the number of new ones."""
    users = [feed.user for feed in page.feeds]
    hashes = page.visible.hashes
    posts = np.array([post.id for post in page.inputs.posts], np.int64)
    connection.execute(
        _WRITE_USERS,
        {
            **parameters,
            "users": users,
            "segments": [len(feed.segments) for feed in page.feeds],
            "people": [_array_text(feed.people) for feed in page.feeds],
            "peopleSums": [_sum_text([hashes[it] for it in feed.people if it in hashes]) for feed in page.feeds],
            "set": page.inputs.public.hash,
            "posts": [_array_text(posts[feed.ranked.posts[: feed.looked_at]].tolist()) for feed in page.feeds],
            "scored": [feed.user in page.inputs.scored for feed in page.feeds],
            "lasts": [_last_score(feed) for feed in page.feeds],
            "nothing": SkipReason.NOTHING_TO_SHOW.value,
        },
    )
    write_set(connection, page.inputs.public)
    items = items_of(page)
    firsts = _firsts(page, items)
    texts = _write_cards(connection, page, items, {key for first in firsts for key, _ in first})
    remove_segments(connection, users)
    phase1 = [cards.phase1([(texts[key], presentation) for key, presentation in first]) for first in firsts]
    rows = _encode(page, items, phase1, parameters)
    if rows:
        with connection.cursor() as cursor, cursor.copy(_COPY_SEGMENTS) as copy:
            copy.write(b"".join((COPY_HEADER, *rows, COPY_TRAILER)))
    return len(rows)


def _array_text(ids: Sequence[int]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


def _sum_text(hashes: Sequence[int]) -> str:
    """The sum as `concat` of SQL writes it: nothing for the sum of no rows."""
    return str(sum(hashes)) if hashes else ""


def _last_score(feed: Feed) -> int | None:
    """The score of the last post that the feed looked at; None where there was no other one, or none was looked at."""
    every = feed.looked_at == len(feed.ranked.posts)
    return None if every or not feed.looked_at else int(feed.ranked.scores[feed.looked_at - 1])


def remove_segments(connection: Connection, users: Sequence[int]) -> None:
    """Remove all stored segments of these users."""
    connection.execute(_REMOVE_SEGMENTS, {"users": users})
    connection.execute(_REMOVE_ROWS, {"users": users})


def _firsts(page: Page, items: Items) -> list[list[tuple[Key, str]]]:
    """The first cards of each feed that has any, with their presentations."""
    found: list[list[tuple[Key, str]]] = []
    start = 0
    for feed in page.feeds:
        if feed.segments:
            first = feed.segments[0][: cards.PHASE1_CARDS]
            ids = items.ids[start : start + len(first)].tolist()
            found.append([((slot.kind, id_), slot.presentation) for slot, id_ in zip(first, ids, strict=True)])
        start += sum(map(len, feed.segments))
    return found


def _write_cards(connection: Connection, page: Page, items: Items, first: set[Key]) -> Mapping[Key, str]:
    """Store the cards of all feeds; returns, without the closing brace, those of `first` and others.

    Most suggestions are stored already as they are: only the others are read.
    """
    texts = post_cards(page, items.shown("post")) | question_cards(page, items.shown("question"))
    known = [Card(kind, id_, hash_of(text), text + "}") for (kind, id_), text in texts.items()]
    suggested = page.visible.unwritten.intersection(items.shown("suggestion"))
    wanted = suggested | {id_ for kind, id_ in first if kind == "suggestion"}
    for id_, person in (read_people(connection, wanted) if wanted else {}).items():
        texts["suggestion", id_] = suggestion_card(person)
        if id_ in suggested:
            known.append(Card("suggestion", id_, page.visible.hashes[id_], texts["suggestion", id_] + "}"))
    write_cards(connection, known)
    return texts


def _encode(page: Page, items: Items, phase1: Sequence[str], parameters: Parameters) -> list[bytes]:
    """The segments as rows of binary COPY. `phase1`: of each feed that has segments."""
    moments = [parameters["now"], parameters["now"] + timedelta(minutes=parameters["ttlMinutes"])]
    stamps = [field(struct.pack(">q", round(microseconds(moment)))) for moment in moments]
    version = field(parameters["version"].encode())
    columns = _columns(items)
    rows = []
    ends = list(itertools.accumulate(items.lengths))
    firsts = iter(phase1)
    segments = ((feed.user, index) for feed in page.feeds for index in range(len(feed.segments)))
    for (user, index), length, end in zip(segments, items.lengths, ends, strict=True):
        start = end - length
        key = (field(struct.pack(">q", user)), field(struct.pack(">h", index)))
        first = _NULL if index else field(next(firsts).encode())
        arrays = [column.field(start, end) for column in columns]
        presentations = _texts(tuple(items.presentations[start:end]))
        rows.append(row([*key, version, *stamps, first, presentations, *arrays]))
    return rows


def _columns(items: Items) -> list[ArrayColumn]:
    """The arrays behind the presentations, in the order of `_COPY_SEGMENTS`."""
    posts = items.of("post")
    return [
        ArrayColumn(">i8", Values(items.ids)),
        ArrayColumn(">f8", Values(items.score)),
        ArrayColumn(">f8", Values(items.match, items.of("suggestion"))),
        *(
            ArrayColumn(">f8", Values(column, posts))
            for column in (items.affinity, items.recency, items.quality, items.trending)
        ),
    ]


@lru_cache(maxsize=1000)
def _texts(values: tuple[str, ...]) -> bytes:
    """An array of texts."""
    return field(struct.pack(">iiiii", 1, 0, _TEXT, len(values), 1) + b"".join(field(it.encode()) for it in values))
