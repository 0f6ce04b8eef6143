"""Writes the feeds of a page: first the fingerprints (FeedPresortedUser), then the segments."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.feed import cards
from sitejobs.feed.feeds import Feed
from sitejobs.feed.freshness import FINGERPRINT, NEWEST, SHARED
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

_REMOVE_SEGMENTS: Final[LiteralString] = """DELETE FROM "FeedPresorted" WHERE "userId" = ANY(%(users)s)"""
"""Removes the users' stored segments."""

_COPY_SEGMENTS: Final[LiteralString] = """
COPY "FeedPresorted" ("userId", "segmentIndex", "items", "phase1Json", "algorithmVersion", "computedAt", "expiresAt")
FROM STDIN (FORMAT BINARY)
"""
"""Stores the rows of `encode`."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_JSONB_VERSION = b"\x01"
_NULL = struct.pack(">i", -1)


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
    connection.execute(_REMOVE_SEGMENTS, {"users": users})
    rows = encode(feeds, parameters["version"], parameters["now"], parameters["ttlMinutes"])
    if rows:
        with connection.cursor() as cursor, cursor.copy(_COPY_SEGMENTS) as copy:
            copy.write(b"".join((COPY_HEADER, *rows, COPY_TRAILER)))
    return len(rows)


def encode(feeds: Sequence[Feed], version: str, now: datetime, ttl_minutes: int) -> list[bytes]:
    """The segments as rows of binary COPY."""
    computed = (now - _EPOCH) // timedelta(microseconds=1)
    expires = computed + timedelta(minutes=ttl_minutes) // timedelta(microseconds=1)
    tail = _field(version.encode()) + _field(struct.pack(">q", computed)) + _field(struct.pack(">q", expires))
    rows = []
    for feed in feeds:
        for index, segment in enumerate(feed.segments):
            items = f"[{','.join(segment)}]".encode()
            phase1 = _NULL if index else _field(cards.phase1(segment).encode())
            head = struct.pack(">hiqihi", 7, 8, feed.user, 2, index, len(items) + 1)
            rows.append(b"".join((head, _JSONB_VERSION, items, phase1, tail)))
    return rows


def _field(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value
