"""Writes the feeds of a page: what rests on which inputs first, then the segments, whole."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import LiteralString

from psycopg import Connection

from sitejobs.feed import cards
from sitejobs.feed.feeds import Feed
from sitejobs.feed.freshness import FINGERPRINT, NEWEST, SHARED
from sitejobs.jobs.keyed import Parameters

NOTHING = "nothing-to-show"

# A user's row is written before the segments: of two runs that overlap the second one stops here and is tried again.
_WRITE_USERS: LiteralString = f"""
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
_DELETE: LiteralString = """DELETE FROM "FeedPresorted" WHERE "userId" = ANY(%(users)s)"""
_COPY: LiteralString = """
COPY "FeedPresorted" ("userId", "segmentIndex", "items", "phase1Json", "algorithmVersion", "computedAt", "expiresAt")
FROM STDIN (FORMAT BINARY)
"""
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_JSONB_VERSION = b"\x01"
_NULL = struct.pack(">i", -1)


def write_feeds(connection: Connection, feeds: Sequence[Feed], values: Parameters) -> int:
    """Replace the segments of these users (ascending), those beyond the new ones included; returns how many are new."""
    users = [feed.user for feed in feeds]
    connection.execute(
        _WRITE_USERS,
        {
            **values,
            "users": users,
            "segments": [len(feed.segments) for feed in feeds],
            "people": ["{" + ",".join(map(str, feed.people)) + "}" for feed in feeds],
            "nothing": NOTHING,
        },
    )
    connection.execute(_DELETE, {"users": users})
    rows = encode(feeds, values["version"], values["now"], values["ttlMinutes"])
    if rows:
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(b"".join((_HEADER, *rows, _TRAILER)))
    return len(rows)


def encode(feeds: Sequence[Feed], version: str, now: datetime, ttl_minutes: int) -> list[bytes]:
    """The segments as rows in PostgreSQL's binary COPY format."""
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
