"""The site's Media records and the bundle's MediaMetadata beside them, as SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from sitejobs.media.attributes import Attributes
from sitejobs.media.objects import StoredObject
from sitejobs.media.rules import Reason
from sitejobs.options import MIN_ID

READY, REJECTED, FAILED = "READY", "REJECTED", "FAILED_PROCESSING"
UPLOADED: Final = "UPLOADED"
JUDGED: Final = (READY, REJECTED, FAILED)

# The status is a literal, not a parameter: it fits enum and text columns, and the index is used. Types are compared as
# texts: an enum need not have all of them.
_UNCHECKED: Final[LiteralString] = """
"status" = 'UPLOADED' AND "type"::text IN ('IMAGE', 'VIDEO', 'AUDIO') AND "deletedAt" IS NULL AND "storageKey" <> ''
"""
_RECORD: Final[LiteralString] = """
SELECT m."id", m."type"::text AS "type", m."status"::text AS "status", m."storageKey" AS "storage_key",
       m."mimeType" AS "mime_type", m."deletedAt" IS NOT NULL AS "is_deleted",
       k."mediaId" IS NOT NULL AS "is_checked", k."etag" AS "checked_etag", k."storageKey" AS "checked_key",
       k."verdict"
FROM "Media" m LEFT JOIN "MediaMetadata" k ON k."mediaId" = m."id"
"""
_BY_ID: Final[LiteralString] = _RECORD + 'WHERE m."id" = %(id)s'
_BY_KEY: Final[LiteralString] = 'SELECT "id" FROM "Media" WHERE "storageKey" = %(key)s ORDER BY "id" LIMIT 100'

# Pages follow the index of unchecked records: by creation, then by id.
_NEXT: Final[LiteralString] = f"""
SELECT "createdAt"::text, "id" FROM "Media"
WHERE {_UNCHECKED} AND ("createdAt", "id") > (%(at)s, %(id)s)
ORDER BY "createdAt", "id" LIMIT %(limit)s
"""
_BETWEEN: Final[LiteralString] = f"""
SELECT "id" FROM "Media"
WHERE {_UNCHECKED} AND ("createdAt", "id") > (%(at)s, %(id)s) AND ("createdAt", "id") <= (%(upto_at)s, %(upto_id)s)
ORDER BY "createdAt", "id"
"""
_COUNT: Final[LiteralString] = f"""
SELECT count(*) FROM "Media" WHERE {_UNCHECKED} AND ("createdAt", "id") > (%(at)s, %(id)s)
"""

# One writer a record at a time: what it sees under the lock is what it stores.
_LOCK: Final[LiteralString] = """SELECT pg_advisory_xact_lock(hashtextextended('sitejobs media ' || %(id)s, 0))"""
_MARK: Final[LiteralString] = """
UPDATE "Media" SET "status" = %(status)s,
    "width" = COALESCE(%(width)s, "width"), "height" = COALESCE(%(height)s, "height"),
    "durationSec" = COALESCE(%(duration)s, "durationSec"), "mimeType" = COALESCE(%(mime_type)s, "mimeType")
WHERE "id" = %(id)s AND "storageKey" = %(key)s AND "deletedAt" IS NULL
"""
_RESTORE: Final[LiteralString] = """
UPDATE "Media" SET "status" = %(status)s
WHERE "id" = %(id)s AND "storageKey" = %(key)s AND "deletedAt" IS NULL AND "status" = 'UPLOADED'
"""
_NAMES: Final = tuple(item.name for item in fields(Attributes))
_COLUMNS: Final = ("storageKey", "etag", "objectModifiedAt", "verdict", "reasons", "checkedAt", *_NAMES)


def _upsert(columns: Sequence[str]) -> Any:
    from psycopg import sql

    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    values = sql.SQL(", ").join(map(sql.Placeholder, columns))
    updates = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in columns)
    return sql.SQL(
        'INSERT INTO "MediaMetadata" ("mediaId", {}) VALUES (%(mediaId)s, {})'
        ' ON CONFLICT ("mediaId") DO UPDATE SET {}, "checks" = "MediaMetadata"."checks" + 1'
    ).format(names, values, updates)


_UPSERT: Final = _upsert(_COLUMNS)

Place = tuple[str, int]
"""A record's place in the order of pages: createdAt as text, and id."""

START: Place = ("-infinity", MIN_ID)
"""Before every record."""


def start_at(moment: datetime) -> Place:
    """The place before all records of `moment` and later. The site's times have no zone and are UTC."""
    return moment.astimezone(UTC).isoformat(sep=" "), MIN_ID


@dataclass(frozen=True)
class Record:
    """A Media row and what is known of its last check."""

    id: int
    type: str
    status: str
    storage_key: str | None
    mime_type: str | None
    is_deleted: bool
    is_checked: bool
    checked_etag: str | None
    checked_key: str | None
    verdict: str | None

    def was_checked_as(self, etag: str | None) -> bool:
        """Whether the last check saw the object with this etag (None: saw that there is no object)."""
        return self.is_checked and (self.checked_key, self.checked_etag) == (self.storage_key, etag)


@dataclass(frozen=True)
class Verdict:
    """What came of a check. `found` None: the object could not be understood."""

    status: str
    reasons: tuple[Reason, ...] = ()
    found: Attributes | None = None


def record_by_id(connection: Connection, media_id: int) -> Record | None:
    """The record, deleted or not."""
    with connection.cursor(row_factory=class_row(Record)) as cursor:
        return cursor.execute(_BY_ID, {"id": media_id}).fetchone()


def ids_by_key(connection: Connection, key: str) -> list[int]:
    """The records of an object: usually one."""
    return [int(media_id) for (media_id,) in connection.execute(_BY_KEY, {"key": key}).fetchall()]


def next_unchecked(connection: Connection, after: Place, limit: int) -> list[Place]:
    """Places of the next unchecked records."""
    values = {"at": after[0], "id": after[1], "limit": limit}
    return [(str(at), int(media_id)) for at, media_id in connection.execute(_NEXT, values).fetchall()]


def unchecked_between(connection: Connection, after: Place, upto: Place) -> list[int]:
    """Ids of the unchecked records of a page, as they are now."""
    values = {"at": after[0], "id": after[1], "upto_at": upto[0], "upto_id": upto[1]}
    return [int(media_id) for (media_id,) in connection.execute(_BETWEEN, values).fetchall()]


def count_unchecked(connection: Connection, after: Place) -> int:
    """How many unchecked records follow `after`."""
    row = connection.execute(_COUNT, {"at": after[0], "id": after[1]}).fetchone()
    assert row is not None
    return int(row[0])


def lock_record(connection: Connection, media_id: int) -> None:
    """Hold the record until the transaction's end."""
    connection.execute(_LOCK, {"id": str(media_id)})


def store(
    connection: Connection, record: Record, seen: StoredObject | None, verdict: Verdict, checked_at: datetime
) -> bool:
    """Write a verdict and its attributes; False when the record was deleted or given another object meanwhile."""
    found = verdict.found or Attributes()
    marked = connection.execute(
        _MARK,
        {
            "id": record.id,
            "key": record.storage_key,
            "status": verdict.status,
            "width": found.width,
            "height": found.height,
            "duration": None if found.durationMs is None else found.durationMs / 1000,
            # A rejected upload keeps its claim: that may be what it was rejected for.
            "mime_type": found.mimeType if verdict.status == READY else None,
        },
    )
    if not marked.rowcount:
        return False
    values: Mapping[str, Any] = {
        "mediaId": record.id,
        "storageKey": record.storage_key,
        "etag": None if seen is None else seen.etag,
        "objectModifiedAt": None if seen is None else seen.modified_at,
        "verdict": verdict.status,
        "reasons": Jsonb([reason.to_json() for reason in verdict.reasons]),
        "checkedAt": checked_at,
        **{name: getattr(found, name) for name in _NAMES},
    }
    if seen is not None:
        values = {**values, "sizeBytes": seen.size}
    connection.execute(_UPSERT, values)
    return True


def restore(connection: Connection, record: Record) -> bool:
    """Give an UPLOADED record the verdict that its unchanged object already has; False: it has none, or was changed."""
    if record.verdict is None:
        return False
    values = {"id": record.id, "key": record.storage_key, "status": record.verdict}
    return bool(connection.execute(_RESTORE, values).rowcount)
