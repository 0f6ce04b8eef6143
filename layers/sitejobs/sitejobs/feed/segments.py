"""Writes the feeds of a page: the fingerprints (FeedPresortedUser) first, then new cards, then the segments."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.feed import cards
from sitejobs.feed.feeds import Feed, Item
from sitejobs.feed.freshness import FINGERPRINT, NEWEST, SHARED
from sitejobs.feed.shared_cards import write_cards
from sitejobs.jobs.keyed import Parameters
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.postgres.copy import COPY_HEADER, COPY_TRAILER

"""Why a user has no segments."""

# Written before the segments: of two overlapping pages the second one fails here and is retried.
_WRITE_USERS: Final[LiteralString] = f"""
WITH shared AS MATERIALIZED ({SHARED}),
newest AS MATERIALIZED ({NEWEST}),
new AS (
    SELECT "userId", "segments", "people"::bigint[] AS "people"
    FROM unnest(%(users)s::bigint[], %(segments)s::smallint[], %(people)s::text[])
        AS new ("userId", "segments", "people")
)
INSERT INTO "FeedPresortedUser" AS stored
    ("userId", "algorithmVersion", "computedAt", "expiresAt", "segments", "skipped", "shared", "fingerprint", "people")
SELECT k."userId", %(version)s, %(now)s, %(now)s::timestamptz + make_interval(mins => %(ttlMinutes)s::int),
       k."segments", CASE WHEN k."segments" = 0 THEN %(nothing)s END, (SELECT "hash" FROM shared), {FINGERPRINT},
       k."people"
FROM new k ORDER BY k."userId"
ON CONFLICT ("userId") DO UPDATE
SET "algorithmVersion" = EXCLUDED."algorithmVersion", "computedAt" = EXCLUDED."computedAt",
    "expiresAt" = EXCLUDED."expiresAt", "segments" = EXCLUDED."segments", "skipped" = EXCLUDED."skipped",
    "shared" = EXCLUDED."shared", "fingerprint" = EXCLUDED."fingerprint", "people" = EXCLUDED."people"
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
"""Stores the rows of `encode`."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_NULL = struct.pack(">i", -1)
_TEXT, _INT8, _FLOAT8 = 25, 20, 701  # type ids
_INTEGER, _FLOAT = struct.Struct(">iq"), struct.Struct(">id")


def write_feeds(connection: Connection, feeds: Sequence[Feed], parameters: Parameters) -> int:
    """Replace all stored segments of these users (ascending); returns the number of new ones."""
    users = [feed.user for feed in feeds]
    connection.execute(
        _WRITE_USERS,
        {
            **parameters,
            "users": users,
            "segments": [len(feed.segments) for feed in feeds],
            "people": ["{" + ",".join(map(str, feed.people)) + "}" for feed in feeds],
            "nothing": SkipReason.NOTHING_TO_SHOW.value,
        },
    )
    write_cards(connection, feeds)
    remove_segments(connection, users)
    rows = encode(feeds, parameters["version"], parameters["now"], parameters["ttlMinutes"])
    if rows:
        with connection.cursor() as cursor, cursor.copy(_COPY_SEGMENTS) as copy:
            copy.write(b"".join((COPY_HEADER, *rows, COPY_TRAILER)))
    return len(rows)


def remove_segments(connection: Connection, users: Sequence[int]) -> None:
    """Remove all stored segments of these users."""
    connection.execute(_REMOVE_SEGMENTS, {"users": users})
    connection.execute(_REMOVE_ROWS, {"users": users})


def encode(feeds: Sequence[Feed], version: str, now: datetime, ttl_minutes: int) -> list[bytes]:
    """The segments as rows of binary COPY."""
    computed = (now - _EPOCH) // timedelta(microseconds=1)
    expires = computed + timedelta(minutes=ttl_minutes) // timedelta(microseconds=1)
    middle = _field(version.encode()) + _field(struct.pack(">q", computed)) + _field(struct.pack(">q", expires))
    rows = []
    for feed in feeds:
        for index, segment in enumerate(feed.segments):
            presentations, ids, *numbers, _ = zip(*segment, strict=True)
            head = struct.pack(">hiqih", 14, 8, feed.user, 2, index)
            phase1 = _NULL if index else _field(cards.phase1([_whole(item) for item in segment[:2]]).encode())
            arrays = [_array(_FLOAT8, _FLOAT, column) for column in numbers]
            rows.append(b"".join((head, middle, phase1, _texts(presentations), _array(_INT8, _INTEGER, ids), *arrays)))
    return rows


def _whole(item: Item) -> str:
    return cards.closed(item.shared, item.presentation, item.score, "{}")


def _array(element: int, form: struct.Struct, values: Sequence[float | None]) -> bytes:
    """An array of numbers or NULLs of 8 bytes each."""
    return _any_array(element, [_NULL if value is None else form.pack(8, value) for value in values])


@lru_cache(maxsize=1000)
def _texts(values: Sequence[str]) -> bytes:
    return _any_array(_TEXT, [_field(value.encode()) for value in values])


def _any_array(element: int, fields: Sequence[bytes]) -> bytes:
    return _field(struct.pack(">iiiii", 1, _NULL in fields, element, len(fields), 1) + b"".join(fields))


def _field(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value
